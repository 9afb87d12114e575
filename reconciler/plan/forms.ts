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
const CEILINGS = ['cpu', 'shares', 'quota', 'memory', 'swap', 'pids'] as const satisfies readonly (keyof Resources)[];

const least = (have: number | undefined, want: number | undefined): boolean =>
  want === undefined || (have !== undefined && want >= have);

/** Whether a change from one form to the other only lets a replica do more: higher limits and rates, and nothing else. */
export function givesMore(a: Form, b: Form): boolean {
  const { spec: have } = a;
  const { spec: want } = b;
  const rest = ({ pinned, reservation, blockIoWeight }: Resources): unknown => [pinned, reservation, blockIoWeight];
  return (
    a.plug === b.plug &&
    isDeepStrictEqual(have.probes, want.probes) &&
    isDeepStrictEqual(rest(have.resources), rest(want.resources)) &&
    CEILINGS.every((key) => least(have.resources[key], want.resources[key])) &&
    least(have.egress, want.egress) &&
    least(have.ingress, want.ingress)
  );
}
