import { isDeepStrictEqual } from 'node:util';
import type { AppSpec, Resources } from '../model/catalog.ts';
import type { Form } from '../model/form.ts';

/** Whether both specs hold a replica to the same. */
export function sameForm(have: AppSpec, want: AppSpec): boolean {
  return (
    have.egress === want.egress &&
    have.ingress === want.ingress &&
    isDeepStrictEqual(have.resources, want.resources) &&
    isDeepStrictEqual(have.probes, want.probes)
  );
}

/** Members of Resources of which more, or none at all, lets a replica do more. */
const CEILINGS = [
  ...(['cpu', 'shares', 'quota', 'memory', 'high', 'swap', 'hugetlb2M', 'hugetlb1G', 'pids'] as const),
] as const satisfies readonly (keyof Resources)[];

const ceilings: ReadonlySet<string> = new Set(CEILINGS);

function restOf(resources: Resources): object {
  return Object.fromEntries(Object.entries(resources).filter(([key]) => !ceilings.has(key)));
}

const least = (have: number | undefined, want: number | undefined): boolean =>
  want === undefined || (have !== undefined && want >= have);

/** Whether a change from one form to the other only lets a replica do more: higher limits and rates, and nothing else. */
export function givesMore(a: Form, b: Form): boolean {
  const { spec: have } = a;
  const { spec: want } = b;
  return (
    a.plug === b.plug &&
    isDeepStrictEqual(have.probes, want.probes) &&
    isDeepStrictEqual(restOf(have.resources), restOf(want.resources)) &&
    CEILINGS.every((key) => least(have.resources[key], want.resources[key])) &&
    least(have.egress, want.egress) &&
    least(have.ingress, want.ingress)
  );
}
