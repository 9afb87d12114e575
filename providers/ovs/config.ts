import type { Change, Evidence } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf } from '../../reconciler/model/ref.ts';
import type { OvsConfigSpec } from '../../reconciler/model/resources.ts';
import { ORIGINAL, readOriginal, writeOriginal } from './marks.ts';
import type { Hands } from './port.ts';
import { globalOps } from './rowops.ts';

/**
 * Makes one change of the Open_vSwitch row's other_config. The value that was there first is kept beside it, in external_ids,
 * in the same transaction, so that it outlives the agent. Throws OVS_UNAVAILABLE, TIMEOUT, CONFLICT.
 */
export async function applyConfig(hands: Hands, change: Change<OvsConfigSpec>, ctx: Context): Promise<Evidence> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(hands.limit * 3)]);
  const key = nameOf(change.ref);
  const [root] = (await hands.client.fresh(signal)).Open_vSwitch.values();
  const value = root?.other_config[key];
  const kept = readOriginal(root?.external_ids[`${ORIGINAL}${key}`]);
  const original = kept?.fleet === ctx.fleet ? kept : undefined;
  const commit = async (now: string | undefined, note: string | undefined): Promise<void> => {
    const operations = () => globalOps({ [key]: now }, { [`${ORIGINAL}${key}`]: note });
    await hands.commits.commit({ operations, effective: true }, signal);
  };

  if (change.verb === 'delete') {
    if (!original) return { did: 'already given back' };
    await commit(original.value, undefined);
    return { did: original.value === undefined ? `removed ${key}` : `set ${key} back to ${original.value}` };
  }
  const wanted = change.want?.value;
  if (wanted === undefined) throw new PlumbError('INTERNAL', `${change.verb} of ${change.ref} without a value`);
  if (kept && !original)
    throw new PlumbError('NOT_OURS', `other_config:${key} is kept by fleet ${kept.fleet}`, { key, fleet: kept.fleet });
  if (value !== wanted) {
    const first = original ? original.value : value;
    await commit(
      wanted,
      writeOriginal({ fleet: ctx.fleet, ...(first === undefined ? {} : { value: first }), wrote: wanted }),
    );
  }
  const tables = await hands.client.tables(signal);
  const observed = hands.observer.config(tables, ctx.fleet).find((seen) => seen.ref === change.ref);
  return {
    did: value === wanted ? 'already so' : `set other_config:${key} to ${wanted}`,
    ...(observed === undefined ? {} : { observed }),
  };
}
