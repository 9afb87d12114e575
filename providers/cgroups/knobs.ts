import type { Resources } from '../../reconciler/model/catalog.ts';
import {
  blockIoWeightOf,
  cfsOf,
  formulasFor,
  ioWeightOf,
  quotaOf,
  sameBytes,
  sameQuota,
  sharesOf,
  weightOf,
  type WeightFormula,
} from './conversion.ts';

/** A limit that the kernel keeps. */
export type Field = Exclude<keyof Resources, 'cpu' | 'pinned'>;

/** What the kernel says, by file name. */
export type Raw = Readonly<Record<string, string>>;

export interface Write {
  readonly file: string;
  readonly value: string;
}

/** How one limit is kept by one generation of the kernel. */
export interface Knob {
  readonly field: Field;
  /** The v1 hierarchy of its files. */
  readonly controller: string;
  readonly files: readonly string[];
  /** In the spec's units; undefined: no limit, or the kernel's default. */
  decode(raw: Raw): number | undefined;
  /** Whether the kernel holds what is wanted. */
  accepts(want: Resources, raw: Raw): boolean;
  /** What to write, in order, so that no step is refused that the end would not be. */
  encode(want: Resources, raw: Raw, formula: WeightFormula): readonly Write[];
}

// v1 says LONG_MAX rounded down to a page where there is no limit
const NO_LIMIT = 2 ** 62;
const bytes = (text: string | undefined): number | undefined => {
  const value = text === undefined || text === 'max' ? Infinity : Number(text);
  return value >= NO_LIMIT ? undefined : value;
};
const number = (text: string | undefined): number => Number(text);
const weightIn = (text: string | undefined): number => Number(/^(?:default )?([0-9]+)/.exec(text ?? '')?.[1]);

const MEMSW = 'memory.memsw.limit_in_bytes';
const LIMIT = 'memory.limit_in_bytes';
const QUOTA = 'cpu.cfs_quota_us';
const PERIOD = 'cpu.cfs_period_us';

const shares: readonly Knob[] = [
  {
    field: 'shares',
    controller: 'cpu',
    files: ['cpu.shares'],
    decode: (raw) => number(raw['cpu.shares']),
    accepts: (want, raw) => number(raw['cpu.shares']) === Math.min(Math.max(want.shares, 2), 262_144),
    encode: (want) => [{ file: 'cpu.shares', value: String(want.shares) }],
  },
  {
    field: 'shares',
    controller: 'cpu',
    files: ['cpu.weight'],
    decode: (raw) => sharesOf(number(raw['cpu.weight'])),
    accepts: (want, raw) => formulasFor(want.shares, number(raw['cpu.weight'])).length > 0,
    encode: (want, _raw, formula) => [{ file: 'cpu.weight', value: String(weightOf(want.shares, formula)) }],
  },
];

const quota: readonly Knob[] = [
  {
    field: 'quota',
    controller: 'cpu',
    files: [QUOTA, PERIOD],
    decode: (raw) => (number(raw[QUOTA]) < 0 ? undefined : quotaOf(number(raw[QUOTA]), number(raw[PERIOD]))),
    accepts(want, raw) {
      return sameQuota(want.quota, this.decode(raw));
    },
    encode(want, raw) {
      if (want.quota === undefined) return [{ file: QUOTA, value: '-1' }];
      const before = number(raw[PERIOD]);
      const { quota: us, period } = cfsOf(want.quota, before);
      const amount = { file: QUOTA, value: String(us) };
      if (period === before) return [amount];
      const each = { file: PERIOD, value: String(period) };
      // the share in between must not be above both ends: a limited parent would refuse it
      return period > before ? [each, amount] : [amount, each];
    },
  },
  {
    field: 'quota',
    controller: 'cpu',
    files: ['cpu.max'],
    decode(raw) {
      const [us, period] = (raw['cpu.max'] ?? '').split(' ');
      return us === 'max' ? undefined : quotaOf(number(us), number(period));
    },
    accepts(want, raw) {
      return sameQuota(want.quota, this.decode(raw));
    },
    encode(want, raw) {
      const before = number((raw['cpu.max'] ?? '').split(' ')[1]);
      if (want.quota === undefined) return [{ file: 'cpu.max', value: `max ${String(before)}` }];
      const { quota: us, period } = cfsOf(want.quota, before);
      return [{ file: 'cpu.max', value: `${String(us)} ${String(period)}` }];
    },
  },
];

/** A byte limit in one file. */
function bytesKnob(field: Field, file: string, wanted: (want: Resources) => number | undefined, none = '-1'): Knob {
  const unset = none === '0' ? 0 : undefined;
  return {
    field,
    controller: 'memory',
    files: [file],
    decode: (raw) => {
      const have = bytes(raw[file]);
      return have === unset ? undefined : have;
    },
    accepts: (want, raw) => {
      const have = bytes(raw[file]);
      const value = wanted(want);
      return value === undefined ? have === unset : have !== undefined && sameBytes(value, have);
    },
    encode: (want) => {
      const value = wanted(want);
      return [{ file, value: value === undefined ? none : String(value) }];
    },
  };
}

const memory: readonly Knob[] = [
  bytesKnob('memory', LIMIT, (want) => want.memory),
  bytesKnob('memory', 'memory.max', (want) => want.memory),
];

const swap: readonly Knob[] = [
  {
    ...bytesKnob('swap', MEMSW, (want) => want.memory + want.swap),
    // memory and swap in one number
    decode: (raw) => {
      const both = bytes(raw[MEMSW]);
      const limit = bytes(raw[LIMIT]);
      return both === undefined || limit === undefined ? undefined : both - limit;
    },
  },
  bytesKnob('swap', 'memory.swap.max', (want) => want.swap),
];

const reservation: readonly Knob[] = [
  bytesKnob('reservation', 'memory.soft_limit_in_bytes', (want) => want.reservation),
  bytesKnob('reservation', 'memory.low', (want) => want.reservation, '0'),
];

const pids: readonly Knob[] = [
  {
    field: 'pids',
    controller: 'pids',
    files: ['pids.max'],
    decode: (raw) => (raw['pids.max'] === 'max' ? undefined : number(raw['pids.max'])),
    accepts: (want, raw) => raw['pids.max'] === String(want.pids),
    encode: (want) => [{ file: 'pids.max', value: String(want.pids) }],
  },
];

/** A weight file; without a wish it is to stand at the kernel's default. */
function weightKnob(file: string, unset: number, to: (w: number) => number, from: (w: number) => number): Knob {
  const wanted = (want: Resources): number => (want.blockIoWeight === undefined ? unset : to(want.blockIoWeight));
  return {
    field: 'blockIoWeight',
    controller: 'blkio',
    files: [file],
    decode: (raw) => from(weightIn(raw[file])),
    accepts: (want, raw) => weightIn(raw[file]) === wanted(want),
    encode: (want) => [{ file, value: String(wanted(want)) }],
  };
}

const same = (weight: number): number => weight;
const blockIo: readonly Knob[] = [
  weightKnob('blkio.weight', 500, same, same),
  weightKnob('blkio.bfq.weight', 100, same, same),
  weightKnob('io.bfq.weight', 100, same, same),
  weightKnob('io.weight', 100, ioWeightOf, blockIoWeightOf),
];

/** The registry: of each limit the ways to keep it; the first whose files are there counts. */
export const KNOBS: readonly Knob[] = [...shares, ...quota, ...memory, ...swap, ...reservation, ...pids, ...blockIo];

/** All limits, in the order of the registry. */
export const FIELDS: readonly Field[] = [...new Set(KNOBS.map(({ field }) => field))];

/** The knobs that the given files make up, one a limit. */
export function knobsIn(has: (file: string) => boolean): readonly Knob[] {
  return FIELDS.flatMap((field) => {
    const knob = KNOBS.find((each) => each.field === field && each.files.every(has));
    return knob ? [knob] : [];
  });
}

/** The writes that lead from what the kernel says to what is wanted; those of knobs that it holds already are left out. */
export function writesFor(want: Resources, raw: Raw, formula: WeightFormula): readonly Write[] {
  const drifted = knobsIn((file) => raw[file] !== undefined).filter((knob) => !knob.accepts(want, raw));
  const writes = drifted.flatMap((knob) => knob.encode(want, raw, formula));
  // memory + swap may never be below memory: raise the sum first, lower it last
  const sum = writes.find(({ file }) => file === MEMSW);
  const limit = writes.find(({ file }) => file === LIMIT);
  if (!sum || !limit || Number(limit.value) <= (bytes(raw[MEMSW]) ?? Infinity)) return writes;
  return [sum, ...writes.filter((write) => write !== sum)];
}
