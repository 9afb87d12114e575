import type { Change, Desired, Known } from '../../reconciler/model/change.ts';
import type { SysctlSpec, SysctlState } from '../../reconciler/model/resources.ts';
import { normalise, standsFor } from './key.ts';

/** A knob that the kernel lacks is left alone, and one that refused what is wanted; one of ours that nobody wants any more gets its original back. */
export function diffSysctl(
  want: Desired<SysctlSpec> | undefined,
  have: Known<SysctlState> | undefined,
): Change<SysctlSpec> | undefined {
  if (!have) return undefined;
  const base = { ref: have.ref, provider: 'host', have: have.state, disruption: 'none' } as const;
  const { value, original, refused } = have.state;
  if (!want) {
    if (!have.owned || original === undefined) return undefined;
    const fields = [{ path: '/value', have: value, want: original }];
    return { ...base, verb: 'delete', fields, because: 'removed' };
  }
  const wanted = normalise(want.spec.value);
  if (value === undefined || standsFor(want.spec.key, value, wanted) || refused === wanted) return undefined;
  const fields = [{ path: '/value', have: value, want: wanted }];
  return { ...base, verb: 'update', want: want.spec, fields, because: original === undefined ? 'new' : 'drift' };
}
