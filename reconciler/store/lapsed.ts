import { PlumbError } from '../model/errors.ts';
import type { Hold } from '../model/store.ts';

/** A write under a lease that was given up, or given to another, since. */
export function lapsed(under: Hold | undefined): PlumbError {
  const name = under?.name ?? '';
  return new PlumbError('CONFLICT', `another holds the lease ${name} by now: nothing was written`, { ...under });
}
