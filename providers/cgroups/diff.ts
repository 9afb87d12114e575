import { isDeepStrictEqual } from 'node:util';
import type { Change, Desired, FieldDiff, Known } from '../../reconciler/model/change.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import type { Field, Raw, Wanted } from './knob.ts';
import { FIELDS, knobsIn } from './knobs.ts';
import { untold } from './systemd.ts';

/** What it is called that nothing is asked for, where that is not a limit. */
const UNSET: Partial<Readonly<Record<Field, unknown>>> = {
  blockIoWeight: 'default',
  burst: 'none',
  frozen: false,
  idle: false,
  swappiness: 'as its parent',
  scheduling: 'other',
  oomGroup: false,
};

/** What is wanted of processes that escaped. */
const IN_PLACE = 'in its cgroup';

/** What was found of a state, which stays the same object while its files say the same. */
const judged = new WeakMap<CgroupState, { readonly want: Wanted; readonly fields: readonly FieldDiff[] }>();

/** The limits that the kernel does not hold as wanted. What it lacks is left out. */
export function drift(want: Wanted, have: CgroupState): readonly FieldDiff[] {
  const before = judged.get(have);
  if (before?.want === want) return before.fields;
  const fields = compare(want, have);
  judged.set(have, { want, fields });
  return fields;
}

function compare(want: Wanted, have: CgroupState): readonly FieldDiff[] {
  const differs = have.raw === undefined ? differsByValue(want, have) : differsByWords(want, have.raw);
  const all = FIELDS.filter((field) => !have.unsupported.includes(field) && differs(field)).map((field) => ({
    path: `/${field}`,
    have: have[field] ?? UNSET[field] ?? 'unlimited',
    want: want[field] ?? UNSET[field] ?? 'unlimited',
  }));
  // on v1 one file holds memory and swap together: it differs with the memory although the swap does not
  const told = all.filter((field) => field.have !== field.want);
  return told.length > 0 ? told : all;
}

function differsByValue(want: Wanted, have: CgroupState): (field: Field) => boolean {
  // a simulated container stands still as its status says
  return (field) => field !== 'frozen' && !isDeepStrictEqual(want[field], have[field]);
}

function differsByWords(want: Wanted, raw: Raw): (field: Field) => boolean {
  const knobs = knobsIn((file) => raw[file] !== undefined);
  return (field) => knobs.some((knob) => knob.field === field && !knob.accepts(want, raw));
}

function fieldsOf(want: CgroupSpec, have: CgroupState): readonly FieldDiff[] {
  const { escaped, stays } = have;
  const moved =
    escaped === undefined || stays || want.escape !== 'return'
      ? []
      : [{ path: '/escape', have: escaped, want: IN_PLACE }];
  return [...drift(want, have), ...moved];
}

/** A cgroup lives and dies with its container: it is never made or removed, only held to its limits. */
export function diffCgroup(
  want: Desired<CgroupSpec> | undefined,
  have: Known<CgroupState> | undefined,
): Change<CgroupSpec> | undefined {
  if (!want || !have) return undefined;
  const drifted = fieldsOf(want.spec, have.state);
  // nobody changed anything: systemd has not heard of it since the container began
  const fields = drifted.length > 0 ? drifted : untold(have.state, want.spec);
  if (fields.length === 0) return undefined;
  return {
    ref: want.ref,
    provider: 'cgroups',
    verb: 'update',
    want: want.spec,
    have: have.state,
    fields,
    disruption: 'none',
    because: drifted.length > 0 ? 'drift' : 'new',
  };
}
