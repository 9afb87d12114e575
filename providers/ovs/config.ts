import type { Change, Evidence } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { configPlace, isOfDpdk, type ConfigPlace } from '../../reconciler/model/ovs-config.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf } from '../../reconciler/model/ref.ts';
import type { OvsConfigSpec } from '../../reconciler/model/resources.ts';
import { isReadAtStart } from './daemon.ts';
import { hadRead, ORIGINAL, readOriginal, writeOriginal, type Original, type Ran } from './marks.ts';
import type { Hands } from './port.ts';
import { configOps } from './rowops.ts';
import type { Row, Tables } from './rows.ts';

function rowOf(
  { Open_vSwitch, Bridge }: Tables,
  bridge: string | undefined,
): Pick<Row<'Bridge'>, 'other_config' | 'external_ids'> | undefined {
  const rows =
    bridge === undefined ? Open_vSwitch.values() : [...Bridge.values()].filter(({ name }) => name === bridge);
  const [row] = rows;
  return row;
}

/** What the ovs-vswitchd that runs has read of a key that is about to be written. Throws OVS_UNAVAILABLE, TIMEOUT. */
async function ranOf(
  hands: Hands,
  { key, bridge }: ConfigPlace,
  value: string | undefined,
  original: Original | undefined,
  signal: AbortSignal,
): Promise<Ran | undefined> {
  if (bridge !== undefined || !isReadAtStart(key)) return undefined;
  const { start, initialized } = await hands.daemon(signal);
  // before DPDK is made ready nobody has read what only DPDK reads
  if (isOfDpdk(key) && initialized === false) return undefined;
  return start === undefined ? undefined : hadRead(start, value, original);
}

/**
 * Makes one change of other_config, of the Open_vSwitch row or of a bridge. The value that was there first is kept beside it, in
 * external_ids, in the same transaction, so that it outlives the agent. Throws OVS_UNAVAILABLE, TIMEOUT, CONFLICT, NOT_OURS.
 */
export async function applyConfig(hands: Hands, change: Change<OvsConfigSpec>, ctx: Context): Promise<Evidence> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(hands.limit * 3)]);
  const name = nameOf(change.ref);
  const place = configPlace(name);
  const { key, bridge } = place;
  const row = rowOf(await hands.client.fresh(signal), bridge);
  const value = row?.other_config[key];
  const kept = readOriginal(row?.external_ids[`${ORIGINAL}${key}`]);
  const original = kept?.fleet === ctx.fleet ? kept : undefined;
  const commit = async (now: string | undefined, note: string | undefined): Promise<void> => {
    const operations = () => configOps(bridge, { [key]: now }, { [`${ORIGINAL}${key}`]: note });
    await hands.commits.commit({ operations, effective: true }, signal);
  };

  if (change.verb === 'delete') {
    if (!original) return { did: 'already given back' };
    await commit(original.value, undefined);
    return { did: original.value === undefined ? `removed ${name}` : `set ${name} back to ${original.value}` };
  }
  const wanted = change.want?.value;
  if (wanted === undefined) throw new PlumbError('INTERNAL', `${change.verb} of ${change.ref} without a value`);
  if (!row) throw new PlumbError('CONFLICT', `${name}: the bridge is gone by now`);
  if (kept && !original)
    throw new PlumbError('NOT_OURS', `other_config:${name} is kept by fleet ${kept.fleet}`, { key, fleet: kept.fleet });
  if (value !== wanted) {
    const first = original ? original.value : value;
    const ran = await ranOf(hands, place, value, original, signal);
    const note: Original = {
      fleet: ctx.fleet,
      ...(first === undefined ? {} : { value: first }),
      wrote: wanted,
      ...(ran === undefined ? {} : { ran }),
    };
    await commit(wanted, writeOriginal(note));
  }
  const tables = await hands.client.tables(signal);
  const observed = (await hands.observer.config(tables, ctx, [change.ref])).find((seen) => seen.ref === change.ref);
  return {
    did: value === wanted ? 'already so' : `set other_config:${name} to ${wanted}`,
    ...(observed === undefined ? {} : { observed }),
  };
}
