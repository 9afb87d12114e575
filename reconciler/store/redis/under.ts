import type { Hold } from '../../model/store.ts';
import { lapsed } from '../lapsed.ts';
import type { ScriptCall } from './calls.ts';
import type { Context } from './context.ts';
import { emptied } from './failures.ts';

/** A script as it is sent under a lease: the lease is its last key, where there is one, and holder and fence are its arguments. */
export function underOf(
  { keys }: Pick<Context, 'keys'>,
  under: Hold | undefined,
): Pick<ScriptCall, 'keys'> & { readonly args: readonly [holder: string, fence: string] } {
  if (!under) return { keys: [], args: ['', ''] };
  return { keys: [keys.lease(under.name)], args: [under.holder, String(under.fence)] };
}

/** What a script replied that wrote. Throws STORE_EMPTIED, and CONFLICT when the lease is not held any more as it was. */
export function writtenBy(reply: unknown, under: Hold | undefined, shown: string): unknown {
  if (reply === -1) throw emptied(shown);
  if (reply === -2) throw lapsed(under);
  return reply;
}
