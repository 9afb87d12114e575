import { BRINGERS, bootReader } from '../rivals/boot.ts';
import type { Tree } from './tree.ts';
import { createProcesses, type Processes } from '../rivals/processes.ts';
import { activeProfiles } from '../rivals/tuned.ts';

/** Another program on the machine that sets knobs, which a Tuning may set as well. */
export interface Rival {
  readonly name: string;
  /** What it sets. */
  readonly sets: string;
  /** How to leave that to Git. */
  readonly fix: string;
}

/** One that runs, and the knobs of files that it sets whatever its settings are. */
export interface RivalDaemon extends Rival {
  readonly process: string;
  readonly knobs: readonly string[];
}

/** By the name of the process, of which the kernel keeps fifteen characters. */
const DAEMONS: Readonly<Record<string, Omit<RivalDaemon, 'process'>>> = {
  irqbalance: {
    name: 'irqbalance',
    sets: 'which CPUs serve interrupts',
    fix: 'systemctl disable --now irqbalance, where a Tuning spreads interrupts',
    knobs: ['nic.interrupts'],
  },
  tuned: {
    name: 'tuned',
    sets: 'sysctls, governors, disks and more by its profile',
    fix: 'tuned-adm off && systemctl disable --now tuned',
    // what its profile says is read
    knobs: [],
  },
  'power-profiles-': {
    name: 'power-profiles-daemon',
    sets: 'the energy preference of CPUs',
    fix: 'systemctl disable --now power-profiles-daemon',
    knobs: ['cpu.energyPreference', 'cpu.governor'],
  },
  tlp: {
    name: 'tlp',
    sets: 'governors and energy preferences',
    fix: 'systemctl disable --now tlp',
    knobs: ['cpu.governor', 'cpu.energyPreference', 'cpu.energyBias'],
  },
};

/** Programs that set knobs, by what the kernel calls their processes. */
export const RIVALS: ReadonlySet<string> = new Set(Object.keys(DAEMONS));

/** Daemons that run here and set knobs. */
export function rivalDaemons(processes: Processes): readonly RivalDaemon[] {
  return Object.entries(DAEMONS).flatMap(([process, rival]) =>
    processes.of(process).length > 0 ? [{ ...rival, process }] : [],
  );
}

/** A sysctl or setting of a card by its name, a file by its path. */
function wordsOf(path: string): string {
  if (path.startsWith('/proc/sys/')) return path.slice('/proc/sys/'.length).replaceAll('/', '.');
  const [, card = '', setting = ''] = /^\/nic\/([^/]+)\/(.*)$/.exec(path) ?? [];
  return card === '' ? path : `${setting.replace('/', '.')} of ${card}`;
}

/** All who set knobs here: daemons that run, and files that are read at each boot. */
export function rivalsOf(procRoot: string, root: string, sys: Tree): readonly Rival[] {
  const profiles = activeProfiles(root).join(' ');
  const processes = createProcesses(procRoot, new Set([...RIVALS, ...BRINGERS]), () => 0)();
  const daemons = rivalDaemons(processes).map(({ name, sets, fix, process }) => ({
    name: process === 'tuned' && profiles !== '' ? `${name} (profile ${profiles})` : name,
    sets,
    fix,
  }));
  const files = new Map<string, string[]>();
  for (const { at, path } of bootReader(root)(sys, (name) => processes.of(name).length > 0)) {
    const file = at.replace(/:\d+$/, '');
    const said = wordsOf(path);
    files.set(file, [...(files.get(file) ?? []), said]);
  }
  const boot = [...files].map(([name, some]) => {
    const [first = '', second, ...more] = some;
    const others = more.length > 0 ? `, ${second ?? ''} and ${String(more.length)} more` : ` and ${second ?? ''}`;
    const sets = `${first}${second === undefined ? '' : others} at each boot`;
    return { name, sets, fix: 'take out of it what a Tuning sets' };
  });
  return [...daemons, ...boot];
}
