import type { WeightFormula } from './conversion.ts';
import { CPU_KNOBS } from './cpu-knobs.ts';
import { FREEZER_KNOBS } from './freezer.ts';
import { IO_KNOBS } from './io-knobs.ts';
import { bytesIn, type Field, type Knob, type Raw, type Wanted, type Write } from './knob.ts';
import { LIMIT, MEMORY_KNOBS, MEMSW } from './memory-knobs.ts';

const PIDS: Knob = {
  field: 'pids',
  controller: 'pids',
  files: ['pids.max'],
  decode: (raw) => (raw['pids.max'] === 'max' ? undefined : Number(raw['pids.max'])),
  accepts: (want, raw) => raw['pids.max'] === String(want.pids),
  encode: (want) => [{ file: 'pids.max', value: String(want.pids) }],
};

/** The registry: of each limit the ways to keep it; the first whose files are there counts. */
export const KNOBS: readonly Knob[] = [...CPU_KNOBS, ...MEMORY_KNOBS, PIDS, ...IO_KNOBS, ...FREEZER_KNOBS];

/** All limits, in the order of the registry. */
export const FIELDS: readonly Field[] = [...new Set(KNOBS.map(({ field }) => field))];

/** The limit that a file is written for. */
export function fieldOf(file: string): Field | undefined {
  return KNOBS.find(({ files }) => files.includes(file))?.field;
}

/** The knobs that the given files make up, one a limit. */
export function knobsIn(has: (file: string) => boolean): readonly Knob[] {
  return FIELDS.flatMap((field) => {
    const knob = KNOBS.find((each) => each.field === field && each.files.every(has));
    return knob ? [knob] : [];
  });
}

/** The writes that lead from what the kernel says to what is wanted; those of knobs that it holds already are left out. */
export function writesFor(want: Wanted, raw: Raw, formula: WeightFormula): readonly Write[] {
  const drifted = knobsIn((file) => raw[file] !== undefined).filter((knob) => !knob.accepts(want, raw));
  const writes = drifted.flatMap((knob) => knob.encode(want, raw, formula));
  // memory + swap may never be below memory: raise the sum first, lower it last
  const sum = writes.find(({ file }) => file === MEMSW);
  const limit = writes.find(({ file }) => file === LIMIT);
  if (!sum || !limit || Number(limit.value) <= (bytesIn(raw[MEMSW]) ?? Infinity)) return writes;
  return [sum, ...writes.filter((write) => write !== sum)];
}
