import type { Tree } from './tree.ts';

/** Another program on the machine that sets knobs, which a Tuning may set as well. */
export interface Rival {
  readonly name: string;
  /** What it sets. */
  readonly sets: string;
  /** How to leave that to Git. */
  readonly fix: string;
}

/** By the name of the process, of which the kernel keeps fifteen characters. */
const DAEMONS: Readonly<Record<string, Rival>> = {
  irqbalance: {
    name: 'irqbalance',
    sets: 'which CPUs serve interrupts',
    fix: 'systemctl disable --now irqbalance, where a Tuning spreads interrupts',
  },
  tuned: {
    name: 'tuned',
    sets: 'sysctls, governors, disks and more by its profile',
    fix: 'tuned-adm off && systemctl disable --now tuned',
  },
  'power-profiles-': {
    name: 'power-profiles-daemon',
    sets: 'the energy preference of CPUs',
    fix: 'systemctl disable --now power-profiles-daemon',
  },
  tlp: { name: 'tlp', sets: 'governors and energy preferences', fix: 'systemctl disable --now tlp' },
};

/** Daemons that run here and set knobs. */
export function rivalDaemons(proc: Tree): readonly Rival[] {
  const names = new Set(proc.names('').flatMap((pid) => (/^\d+$/.test(pid) ? [proc.text(`${pid}/comm`) ?? ''] : [])));
  return Object.entries(DAEMONS).flatMap(([comm, rival]) => (names.has(comm) ? [rival] : []));
}
