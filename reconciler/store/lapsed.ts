import { PlumbError } from '../model/errors.ts';
import type { Hold } from '../model/store.ts';

/** A write under a lease that was given up, or given to another, since. */
export function lapsed(under: Hold | undefined): PlumbError {
  const name = under?.name ?? '';
  return new PlumbError(
    'CONFLICT',
    `the lease ${name} ran out or was lost, and another may hold it: nothing was written`,
    { ...under },
  );
}
