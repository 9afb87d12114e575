import type { CgroupSpec } from '../../reconciler/model/resources.ts';
import { sameBytes, type WeightFormula } from './conversion.ts';

/** What is wanted, but for whose it is. */
export type Wanted = Omit<CgroupSpec, 'replica'>;

/** A limit that the kernel keeps. */
export type Field = Exclude<keyof Wanted, 'cpu' | 'pinned' | 'force' | 'escape' | 'realtime'>;

/** What the kernel says, by file name. */
export type Raw = Readonly<Record<string, string>>;

export interface Write {
  readonly file: string;
  readonly value: string;
}

/** Not a file: the block devices of the machine, a line each. */
export const DEVICES = 'block devices';

/** Not a cgroup's file: oom_score_adj of its first process, with which the others begin. */
export const OOM = 'oom_score_adj';

/** Not a cgroup's file: the scheduling class of its threads, as `rr 10`. */
export const SCHED = 'sched_policy';

/** Not a file: there where this process may spare nobody from the OOM killer. */
export const SPARES_NOBODY = 'spares nobody';

/** Not a file: there while a cgroup is being emptied, with no swapping. */
export const EMPTYING = 'is being emptied';

/** Not a file: there while Docker calls the container paused. */
export const PAUSED = 'is paused';

/** How one limit is kept by one generation of the kernel. */
export interface Knob {
  readonly field: Field;
  /** The v1 hierarchy of its files. */
  readonly controller: string;
  readonly files: readonly string[];
  /** In the spec's units; undefined: no limit, or the kernel's default. */
  decode(raw: Raw): Wanted[Field] | undefined;
  /** Whether the kernel holds what is wanted. */
  accepts(want: Wanted, raw: Raw): boolean;
  /** What to write, in order, so that no step is refused that the end would not be. */
  encode(want: Wanted, raw: Raw, formula: WeightFormula): readonly Write[];
}

// v1 says LONG_MAX rounded down to a page where there is no limit
const NO_LIMIT = 2 ** 62;

/** Bytes of a limit's file; undefined: no limit. */
export function bytesIn(text: string | undefined): number | undefined {
  const value = text === undefined || text === 'max' ? Infinity : Number(text);
  return value >= NO_LIMIT ? undefined : value;
}

/** A byte limit in one file; `none` is what the file is told when there is no limit. */
export function bytesKnob(
  field: Field,
  file: string,
  wanted: (want: Wanted) => number | undefined,
  none = '-1',
  controller = 'memory',
): Knob {
  const unset = none === '0' ? 0 : undefined;
  return {
    field,
    controller,
    files: [file],
    decode: (raw) => {
      const have = bytesIn(raw[file]);
      return have === unset ? undefined : have;
    },
    accepts: (want, raw) => {
      const have = bytesIn(raw[file]);
      const value = wanted(want);
      return value === undefined ? have === unset : have !== undefined && sameBytes(value, have);
    },
    encode: (want) => {
      const value = wanted(want);
      return [{ file, value: value === undefined ? none : String(value) }];
    },
  };
}

/** A switch in one file. */
export function switchKnob(field: Field, controller: string, file: string): Knob {
  const on = (want: Wanted): boolean => want[field] === true;
  return {
    field,
    controller,
    files: [file],
    decode: (raw) => (raw[file] === '1' ? true : undefined),
    accepts: (want, raw) => on(want) === (raw[file] === '1'),
    encode: (want) => [{ file, value: on(want) ? '1' : '0' }],
  };
}
