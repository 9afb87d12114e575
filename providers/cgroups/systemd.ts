import { basename } from 'node:path';
import type { FieldDiff } from '../../reconciler/model/change.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { IDLE } from './cpu-knobs.ts';
import { formulasFor, ioWeightOf, quotaOf, sameBytes, sameQuota, weightOf, type WeightFormula } from './conversion.ts';
import type { Field, Wanted } from './knob.ts';

/** By property. */
export type Words = ReadonlyMap<string, string>;

/** The systemd of a machine. Both reject with its words. */
export interface Systemd {
  /** What it knows of units, by unit and property, as `systemctl show` prints it. */
  show(
    units: readonly string[],
    properties: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Words>>;
  /** Sets properties of a unit until it ends. */
  set(unit: string, assignments: readonly string[], signal: AbortSignal): Promise<void>;
}

/** What systemd keeps of one limit, and writes into the cgroup at a daemon-reload. */
interface Known {
  readonly field: Field;
  /** As it is asked for. */
  readonly property: string;
  /** Where the kernel has it; where it has no such file, nothing is said of it. */
  readonly file: string;
  /** Whether systemd says what the kernel has in that file. */
  alike(said: string, held: string, raw: Readonly<Record<string, string>>): boolean;
  /** Whether systemd's words stand for what is wanted. */
  accepts(want: Wanted, words: string): boolean;
  /** The assignment that tells it. */
  tell(want: Wanted, formula: WeightFormula): string;
}

/** `250ms`, `1.5s`, `1min 30s` in thousandths of a second; undefined: infinity. */
function milliseconds(words: string): number | undefined {
  if (words === 'infinity') return undefined;
  const units: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000 };
  const parts = [...words.matchAll(/([0-9.]+)([a-z]+)/g)].map(
    ([, amount, unit = '']) => Number(amount) * (units[unit] ?? NaN),
  );
  return parts.length === 0 ? NaN : Math.round(parts.reduce((sum, part) => sum + part, 0) * 1e3) / 1e3;
}

/** A weight; where none is set, systemd writes the kernel's default. */
function weight(words: string): number {
  return words === '[not set]' || words === '18446744073709551615' ? 100 : Number(words);
}

/** Whether systemd takes it for idle: 252 and later know of that, as of a weight of 0. */
function isIdle(words: string): boolean {
  return words === 'idle' || words === '0';
}

/** Thousandths of a core in `cpu.max`; undefined: no limit. */
function quotaIn(held: string): number | undefined {
  const [quota = '', period = ''] = held.split(' ');
  return quota === 'max' ? undefined : quotaOf(Number(quota), Number(period));
}

/** A number that the kernel has in a file of its own. */
function figure(field: Field, property: string, file: string, wanted: (want: Wanted) => number | 'infinity'): Known {
  return {
    field,
    property,
    file,
    alike: (said, held) => sameBytes(figureOf(said), figureOf(held)),
    accepts: (want, words) => words === String(wanted(want)),
    tell: (want) => `${property}=${String(wanted(want))}`,
  };
}

const KNOWN: readonly Known[] = [
  {
    field: 'shares',
    property: 'CPUWeight',
    file: 'cpu.weight',
    alike: (said, held, raw) => (raw[IDLE] === '1' ? isIdle(said) : weight(said) === Number(held)),
    accepts: (want, words) => (want.idle === true ? isIdle(words) : formulasFor(want.shares, weight(words)).length > 0),
    tell: (want, formula) => `CPUWeight=${want.idle === true ? 'idle' : String(weightOf(want.shares, formula))}`,
  },
  {
    // thousandths of a core are milliseconds in each second
    field: 'quota',
    property: 'CPUQuotaPerSecUSec',
    file: 'cpu.max',
    alike: (said, held) => sameQuota(quotaIn(held), milliseconds(said)),
    accepts: (want, words) => sameQuota(want.quota, milliseconds(words)),
    tell: ({ quota }) => `CPUQuota=${quota === undefined ? '' : `${String(quota / 10)}%`}`,
  },
  figure('memory', 'MemoryMax', 'memory.max', (want) => want.memory),
  figure('reservation', 'MemoryLow', 'memory.low', (want) => want.reservation ?? 0),
  figure('swap', 'MemorySwapMax', 'memory.swap.max', (want) => want.swap),
  figure('high', 'MemoryHigh', 'memory.high', (want) => want.high ?? 'infinity'),
  figure('pids', 'TasksMax', 'pids.max', (want) => want.pids),
  {
    field: 'blockIoWeight',
    property: 'IOWeight',
    file: 'io.weight',
    // that of all devices comes first
    alike: (said, held) => weight(said) === Number(/[0-9]+/.exec(held)?.[0]),
    accepts: (want, words) => weight(words) === ioWeight(want),
    tell: (want) => `IOWeight=${String(ioWeight(want))}`,
  },
];

/** What systemd is asked for when it is first seen to hold a scope. */
export const PROPERTIES: readonly string[] = KNOWN.map(({ property }) => property);

/** A figure in systemd's words or the kernel's. Versions before 240 print infinity as the largest number that there is. */
function figureOf(words: string): number {
  return ['max', 'infinity', '18446744073709551615'].includes(words) ? Infinity : Number(words);
}

/** What systemd says otherwise than the kernel holds it, by property; undefined where there is none. */
export function unlike({ raw = {} }: CgroupState, words: Words | undefined): CgroupState['systemd'] {
  const others = KNOWN.flatMap((each) => {
    const { property, file } = each;
    const [said, held] = [words?.get(property), raw[file]];
    return said === undefined || held === undefined || each.alike(said, held, raw) ? [] : [[property, said] as const];
  });
  return others.length === 0 ? undefined : Object.fromEntries(others);
}

/** What systemd says otherwise, as differences from what is wanted of the same limits; a weight may stand for the same shares by another formula. */
export function untold(have: CgroupState, want: Wanted): readonly FieldDiff[] {
  return KNOWN.filter((each) => isUntold(each, have, want)).map(({ field, property }) => ({
    path: `/${field}`,
    have: `${have.systemd?.[property] ?? ''} for systemd`,
    want: want[field] ?? 'unlimited',
  }));
}

function isUntold(each: Known, { systemd = {} }: CgroupState, want: Wanted): boolean {
  const said = systemd[each.property];
  return said !== undefined && !each.accepts(want, said);
}

function ioWeight({ blockIoWeight }: Wanted): number {
  return blockIoWeight === undefined ? 100 : ioWeightOf(blockIoWeight);
}

/** The scope that a v2 cgroup is; undefined where no systemd holds it. */
export function scopeOf(directory: string): string | undefined {
  const name = basename(directory);
  return name.endsWith('.scope') ? name : undefined;
}

/** How often systemd is told before it is taken that it does not agree. */
const TURNS = 3;

/**
 * Tells systemd of a container's limits until it knows them: at a daemon-reload it writes into all cgroups what it knows. An engine
 * tells it most, but neither of no swap nor of no reservation (opencontainers/cgroups#74), and what it is told by others between an
 * engine's word and the same engine's write into the cgroup stays with it while the kernel is right. Gives what it was told; rejects with what it goes on to say.
 * Where it is known what it says otherwise (`have.systemd`), it is told just that, and believed: a program for each container that starts, not three.
 */
export async function agree(
  systemd: Systemd,
  scope: string,
  want: Wanted,
  have: CgroupState,
  formula: WeightFormula,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const kept = KNOWN.filter(({ field, file }) => !have.unsupported.includes(field) && have.raw?.[file] !== undefined);
  const properties = kept.map(({ property }) => property);
  if (untold(have, want).length > 0) {
    const assignments = kept.filter((each) => isUntold(each, have, want)).map((each) => each.tell(want, formula));
    if (assignments.length > 0) await tell(systemd, scope, assignments, signal);
    return assignments;
  }
  const told: string[] = [];
  for (let turn = 0; ; turn += 1) {
    const words = (await systemd.show([scope], properties, signal)).get(scope) ?? new Map<string, string>();
    const differs = kept.filter((each) => {
      const said = words.get(each.property);
      return said !== undefined && !each.accepts(want, said);
    });
    if (differs.length === 0) return told;
    if (turn === TURNS) {
      const said = differs.map(({ property }) => `${property}=${words.get(property) ?? ''}`).join(' ');
      throw new PlumbError('KNOB_REFUSED', `systemd goes on to say ${said} of ${scope}`, { unit: scope });
    }
    const assignments = differs.map((each) => each.tell(want, formula));
    await tell(systemd, scope, assignments, signal);
    told.push(...assignments);
  }
}

/** Tells it all at once; where it refuses, one by one: a version that does not know one of them takes none of a call. */
async function tell(
  systemd: Systemd,
  scope: string,
  assignments: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await systemd.set(scope, assignments, signal);
  } catch (error) {
    if (assignments.length === 1 || signal.aborted) throw error;
    const refusals: unknown[] = [];
    for (const one of assignments)
      await systemd.set(scope, [one], signal).catch((refusal: unknown) => refusals.push(refusal));
    if (refusals.length > 0) throw error;
  }
}
