import { PAUSED, type Knob, type Raw, type Wanted } from './knob.ts';

/** Docker's own state comes first: while that is not as wanted, its provider changes it, and the kernel follows. */
const follows = (want: Wanted, raw: Raw): boolean => (want.frozen === true) !== (raw[PAUSED] !== undefined);

function freezer(file: string, frozen: string, thawed: string): Knob {
  // v1 also says FREEZING, until the last thread stands still
  const still = (raw: Raw): boolean => raw[file] !== thawed;
  return {
    field: 'frozen',
    controller: 'freezer',
    files: [file],
    decode: (raw) => (still(raw) ? true : undefined),
    accepts: (want, raw) => follows(want, raw) || still(raw) === (want.frozen === true),
    encode: (want) => [{ file, value: want.frozen === true ? frozen : thawed }],
  };
}

/** Whether all in a cgroup stands still. */
export const FREEZER_KNOBS: readonly Knob[] = [
  freezer('freezer.state', 'FROZEN', 'THAWED'),
  freezer('cgroup.freeze', '1', '0'),
];

/** Whether a file is one of the freezer's. */
export function isFreezer(file: string): boolean {
  return FREEZER_KNOBS.some(({ files }) => files.includes(file));
}

/** Whether v1's freezer holds all in a cgroup, or is about to. */
export function standsStill(raw: Raw = {}): boolean {
  const state = raw['freezer.state'];
  return state !== undefined && state !== 'THAWED';
}
