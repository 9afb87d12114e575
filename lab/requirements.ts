import { existsSync, mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { PlumbError } from '../reconciler/model/errors.ts';
import { findProgram } from './process.ts';

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

/** Checks what only looking can tell before anything is made. Throws LAB_FAILED or MISSING_PROGRAM with the next step. */
export function requireMachine(find: (name: string) => string | undefined = findProgram): Programs {
  if (process.platform !== 'linux')
    throw new PlumbError('LAB_FAILED', `a lab needs Linux, and this is ${process.platform}`);
  if (process.getuid?.() !== 0) throw new PlumbError('LAB_FAILED', 'a lab needs root: run it again with sudo');
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

/** Refuses a directory on which Docker could not mount overlays. Makes its parents. Throws LAB_FAILED. */
export function requireDisk(dir: string): void {
  mkdirSync(dirname(dir), { recursive: true });
  if (statfsSync(dirname(dir)).type === OVERLAY_MAGIC)
    throw new PlumbError(
      'LAB_FAILED',
      `${dirname(dir)} is on overlayfs, which cannot carry Docker's layers: give --dir a place on a disk or a tmpfs`,
    );
}
