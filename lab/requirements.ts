import { existsSync, lstatSync, mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, PlumbError } from '../reconciler/model/errors.ts';
import { findProgram } from './process.ts';
import { LAB_BASE } from './topology.ts';

/** Programs the lab runs, any one of each set, and the Debian or Ubuntu package that has it. */
const PROGRAMS: readonly (readonly [names: readonly string[], apt: string])[] = [
  [['dockerd'], 'docker.io'],
  [['containerd'], 'containerd'],
  [['runc'], 'runc'],
  [['docker-init', 'tini', 'tini-static'], 'tini'],
  [['ovsdb-server'], 'openvswitch-switch'],
  [['ovs-vswitchd'], 'openvswitch-switch'],
  [['ovsdb-tool'], 'openvswitch-common'],
  [['ovs-vsctl'], 'openvswitch-switch'],
  [['busybox'], 'busybox-static'],
  [['ip'], 'iproute2'],
  [['sysctl'], 'procps'],
  [['unshare'], 'util-linux'],
  [['nsenter'], 'util-linux'],
  [['setsid'], 'util-linux'],
  [['mount'], 'mount'],
  [['umount'], 'mount'],
];

/** Absolute paths of the programs whose name or place differs between systems. */
export interface Programs {
  readonly init: string;
  readonly busybox: string;
}

const OVERLAY_MAGIC = 0x794c7630;

/** Every act of a lab needs root. Throws LAB_FAILED. */
export function requireRoot(): void {
  if (process.platform !== 'linux')
    throw new PlumbError('LAB_FAILED', `a lab needs Linux, and this is ${process.platform}`);
  if (process.getuid?.() !== 0) throw new PlumbError('LAB_FAILED', 'a lab needs root: run it again with sudo');
}

/** Checks what only looking can tell before anything is made. Throws LAB_FAILED or MISSING_PROGRAM with the next step. */
export function requireMachine(find: (name: string) => string | undefined = findProgram): Programs {
  requireRoot();
  const found = new Map(PROGRAMS.map(([names]) => [names[0], names.map(find).find((path) => path !== undefined)]));
  const lacking = PROGRAMS.filter(([names]) => found.get(names[0]) === undefined);
  if (lacking.length > 0) {
    const programs = lacking.map(([names]) => names.join(' or ')).join(', ');
    const packages = [...new Set(lacking.map(([, apt]) => apt))];
    throw new PlumbError(
      'MISSING_PROGRAM',
      `a lab needs ${programs}; install with: apt-get install ${packages.join(' ')}`,
      { packages },
    );
  }
  if (!existsSync('/dev/net/tun'))
    throw new PlumbError('LAB_FAILED', 'there is no /dev/net/tun: load it with: modprobe tun');
  return { init: found.get('docker-init') ?? '', busybox: found.get('busybox') ?? '' };
}

/**
 * Makes a lab's directory, open to root alone, where Docker can mount overlays. Throws LAB_FAILED where it exists, where its parent
 * does not or is not root's, and on overlayfs.
 */
export function makeLabDir(dir: string): void {
  const parent = dirname(dir);
  for (let attempt = 0; ; attempt++) {
    if (parent === LAB_BASE) makeBase();
    if (!existsSync(parent))
      throw new PlumbError('LAB_FAILED', `${parent} does not exist: make it, or choose another --dir`);
    if (statfsSync(parent).type === OVERLAY_MAGIC)
      throw new PlumbError(
        'LAB_FAILED',
        `${parent} is on overlayfs, which cannot carry Docker's layers: give --dir a place on a disk or a tmpfs`,
      );
    try {
      mkdirSync(dir, { mode: 0o700 });
      return;
    } catch (error) {
      // the last of the other labs took the common directory with it just now
      if (errnoOf(error) === 'ENOENT' && parent === LAB_BASE && attempt < 10) continue;
      if (errnoOf(error) !== 'EEXIST')
        throw new PlumbError('LAB_FAILED', `${(error as Error).message}: choose another --dir`, { dir }, error);
      throw new PlumbError(
        'LAB_FAILED',
        `there is a lab in ${dir} already: use it, or take it down with: plumb lab down --dir ${dir}`,
      );
    }
  }
}

/** /var/tmp is everybody's: what another user put there is not walked into. */
function makeBase(): void {
  mkdirSync(LAB_BASE, { recursive: true, mode: 0o755 });
  const base = lstatSync(LAB_BASE, { throwIfNoEntry: false });
  if (base !== undefined && (!base.isDirectory() || base.uid !== 0))
    throw new PlumbError('LAB_FAILED', `${LAB_BASE} is not a directory of root: remove it, or choose another --dir`);
}
