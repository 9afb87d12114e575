import fs from 'node:fs';
import { join } from 'node:path';
import type { Claim } from '../../../reconciler/model/change.ts';
import { kindOf, nameOf, type Ref } from '../../../reconciler/model/ref.ts';
import { treeAt } from '../inventory/tree.ts';
import { rivalDaemons, RIVALS, type RivalDaemon } from '../inventory/rivals.ts';
import { pathOf } from '../key.ts';
import { BRINGERS, bootReader, settingOf } from './boot.ts';
import type { BootSetting } from './lines.ts';
import { netplanFix } from './netplan.ts';
import { createProcesses, type Processes } from './processes.ts';
import { activeProfiles, tunedSettings, type TunedSetting } from './tuned.ts';

export interface RivalOptions {
  /** Where /etc, /run and /usr are. */
  readonly root?: string;
  readonly procRoot?: string;
  readonly sysRoot?: string;
  /** How long what was read counts, milliseconds. */
  readonly every?: number;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

/** Whether a text is what a file is asked to say. */
export type Asked = (file: string, text: string) => boolean;

/** Who else sets knobs of a machine. */
export interface Rivals {
  /**
   * Who else sets a knob. `files` are the absolute paths of its files; a sysctl knows its own. A text of a file that is `asked` of it,
   * in whatever form, is no claim.
   */
  claimsOn(ref: Ref, files?: readonly string[], asked?: Asked): readonly Claim[];
}

/** What was read of a machine. */
interface Read {
  readonly boot: readonly BootSetting[];
  readonly daemons: readonly RivalDaemon[];
  readonly tuned: readonly TunedSetting[];
  readonly profiles: string;
  /** dockerd runs, and turns forwarding on. */
  readonly forwards: boolean;
}

const DOCKERD = 'dockerd';

/** Whether a dockerd runs that sets net.ipv4.ip_forward, as it does unless it is told not to. */
function forwards(root: string, procRoot: string, processes: Processes): boolean {
  const proc = treeAt(procRoot);
  const words = processes.of(DOCKERD).map((pid) => proc.text(`${pid}/cmdline`) ?? '');
  if (words.length === 0 || words.some((line) => line.includes('--ip-forward=false'))) return false;
  try {
    const settings = JSON.parse(fs.readFileSync(join(root, 'etc/docker/daemon.json'), 'utf8')) as unknown;
    return (settings as { readonly 'ip-forward'?: unknown } | null)?.['ip-forward'] !== false;
  } catch {
    return true; // no such file
  }
}

function read(
  { root, procRoot }: Required<Pick<RivalOptions, 'root' | 'procRoot'>>,
  processes: Processes,
  boot: readonly BootSetting[],
): Read {
  const daemons = rivalDaemons(processes);
  const runs = daemons.some(({ process }) => process === 'tuned');
  return {
    boot,
    daemons,
    tuned: runs ? tunedSettings(root) : [],
    profiles: activeProfiles(root).join(' '),
    forwards: forwards(root, procRoot, processes),
  };
}

/** The knob without which cards it is about. */
const bare = (ref: Ref): string => ref.replace(/\[.*$/, '');

function daemonClaims({ daemons, tuned, profiles }: Read, ref: Ref): readonly Claim[] {
  const said = tuned.find((one) => bare(one.ref as Ref) === bare(ref));
  const ofTuned: readonly Claim[] =
    said === undefined
      ? []
      : [
          {
            ref,
            by: `tuned (profile ${profiles}), ${said.at}`,
            when: 'while it runs',
            fix: 'tuned-adm off && systemctl disable --now tuned',
            ...(said.value === undefined ? {} : { value: said.value }),
          },
        ];
  const others = daemons.filter(({ knobs }) => knobs.some((knob) => bare(ref) === `knob/${knob}`));
  return [...ofTuned, ...others.map(({ name: by, fix }): Claim => ({ ref, by, when: 'while it runs', fix }))];
}

function bootClaims({ boot }: Read, ref: Ref, files: readonly string[], asked: Asked): readonly Claim[] {
  for (const file of files) {
    const setting = settingOf(boot, file);
    if (!setting || (setting.value !== undefined && asked(file, setting.value))) continue;
    const { at: by, value, when = 'at the next boot' } = setting;
    const fix = netplanFix(by) ?? `remove ${by}`;
    return [{ ref, by, when, fix, ...(value === undefined ? {} : { value }) }];
  }
  return [];
}

const FORWARDING: Ref = 'sysctl/net.ipv4.ip_forward';

/** Looks at files of settings and running programs; at most every minute, however often it is asked, and for programs that were started every ten. */
export function createRivals(options: RivalOptions = {}): Rivals {
  const { root = '/', procRoot = '/proc', sysRoot = '/sys', every = 60_000, now = () => performance.now() } = options;
  const processes = createProcesses(procRoot, new Set([...RIVALS, ...BRINGERS, DOCKERD]), now);
  const boot = bootReader(root);
  let last: Read | undefined;
  let at = 0;
  const current = (): Read => {
    if (last !== undefined && now() - at < every) return last;
    const seen = processes();
    const settings = boot(treeAt(sysRoot), (name) => seen.of(name).length > 0);
    [last, at] = [read({ root, procRoot }, seen, settings), now()];
    return last;
  };
  return {
    claimsOn(ref, files = [], asked = () => false) {
      const seen = current();
      const own = kindOf(ref) === 'sysctl' ? [`/proc/sys/${pathOf(nameOf(ref)) ?? ''}`] : files;
      const docker: readonly Claim[] =
        seen.forwards && ref === FORWARDING
          ? [
              {
                ref,
                value: '1',
                by: 'dockerd',
                when: 'when it starts',
                fix: '"ip-forward": false in /etc/docker/daemon.json',
              },
            ]
          : [];
      return [...daemonClaims(seen, ref), ...bootClaims(seen, ref, own, asked), ...docker];
    },
  };
}
