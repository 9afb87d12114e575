import type { Resources } from '../../reconciler/model/catalog.ts';
import type { Change, Desired, FieldDiff, Known } from '../../reconciler/model/change.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { FIELDS, knobsIn, type Field } from './knobs.ts';

/** The limits that the kernel does not hold as wanted. What it lacks is left out. */
export function drift(want: Resources, have: CgroupState): readonly FieldDiff[] {
  const differs = have.raw === undefined ? differsByValue(want, have) : differsByWords(want, have.raw);
  const all = FIELDS.filter((field) => !have.unsupported.includes(field) && differs(field)).map((field) => ({
    path: `/${field}`,
    have: have[field] ?? 'unlimited',
    want: want[field] ?? (field === 'blockIoWeight' ? 'default' : 'unlimited'),
  }));
  // on v1 one file holds memory and swap together: it differs with the memory although the swap does not
  const told = all.filter((field) => field.have !== field.want);
  return told.length > 0 ? told : all;
}

function differsByValue(want: Resources, have: CgroupState): (field: Field) => boolean {
  return (field) => want[field] !== have[field];
}

function differsByWords(want: Resources, raw: Readonly<Record<string, string>>): (field: Field) => boolean {
  const knobs = knobsIn((file) => raw[file] !== undefined);
  return (field) => knobs.some((knob) => knob.field === field && !knob.accepts(want, raw));
}

/** A cgroup lives and dies with its container: it is never made or removed, only held to its limits. */
export function diffCgroup(
  want: Desired<CgroupSpec> | undefined,
  have: Known<CgroupState> | undefined,
): Change<CgroupSpec> | undefined {
  if (!want || !have) return undefined;
  const fields = drift(want.spec, have.state);
  if (fields.length === 0) return undefined;
  return {
    ref: want.ref,
    provider: 'cgroups',
    verb: 'update',
    want: want.spec,
    have: have.state,
    fields,
    disruption: 'none',
    because: 'drift',
  };
}
