import { addressKey } from './addresses.ts';
import { draftOf } from './book.ts';
import type { Book, Ledger } from './book.ts';
import { amountOf, DIMENSIONS, NOTHING } from './demand.ts';
import type { Demand } from './demand.ts';
import { canonical } from './fingerprint.ts';
import { addressesIn } from './ipv4.ts';
import type { Placement } from './replica.ts';
import type {
  CommitRequest,
  ConflictReason,
  Delta,
  HostRecord,
  Neighbour,
  Proposal,
  Verdict,
  Single,
} from './reservations.ts';
import { SPREAD_LEVELS } from './topology.ts';

export interface Decision {
  /** One for each proposal, in order. */
  readonly verdicts: readonly Verdict[];
  /** What changes, in order; empty when nothing was accepted or all was so already. */
  readonly deltas: readonly Delta[];
}

/** What one proposal changes, or why it is refused. */
export type Answer =
  { readonly deltas: readonly Delta[] } | { readonly reason: ConflictReason; readonly current?: unknown };

const NO_CHANGE: Answer = { deltas: [] };

function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** A record replaces the last one; its epoch may not fall. Shrinking below what is placed is a fact, not a conflict. */
function decideHost(ledger: Ledger, record: HostRecord): Answer {
  const before = ledger.host(record.host);
  if (!before) return { deltas: [{ type: 'host', host: record.host, record }] };
  if (record.epoch < before.epoch) return { reason: 'epoch', current: before.epoch };
  return same(before, record) ? NO_CHANGE : { deltas: [{ type: 'host', host: record.host, record }] };
}

/** A host is forgotten once nothing is placed on it: its record tells where its replicas count. */
function decideForget(ledger: Ledger, host: string): Answer {
  if (!ledger.host(host)) return NO_CHANGE;
  const residents = ledger.residents(host);
  if (residents.size > 0) return { reason: 'host-in-use', current: Object.fromEntries(residents) };
  return { deltas: [{ type: 'host', host, record: undefined }] };
}

/** The first resource of which `have → want` asks for more than the host has left. */
function overflow(ledger: Ledger, record: HostRecord, have: Demand, want: Demand): keyof Demand | undefined {
  const used = ledger.used(record.host);
  for (const key of DIMENSIONS) {
    const wants = want[key];
    if (wants === undefined) continue;
    const had = amountOf(have, key);
    if (wants > had && amountOf(used, key) - had + wants > amountOf(record.allocatable, key)) return key;
  }
  return undefined;
}

function full(ledger: Ledger, record: HostRecord, resource: keyof Demand): Answer {
  const used = amountOf(ledger.used(record.host), resource);
  return { reason: 'capacity', current: { resource, used, allocatable: amountOf(record.allocatable, resource) } };
}

function addressConflict(ledger: Pick<Ledger, 'address'>, key: string, now: number): Answer | undefined {
  const record = ledger.address(key);
  if (!record || 'zone' in record) return undefined;
  if ('replica' in record) return { reason: 'address-owned', current: record.replica };
  return record.until > now ? { reason: 'address-resting', current: record.until } : undefined;
}

/** The zone that holds a block of addresses; none where all of them are free. */
export function blockHolder(
  ledger: Pick<Ledger, 'address'>,
  network: string,
  block: string,
  now: number,
): string | undefined {
  const record = ledger.address(addressKey(network, block));
  if (!record || !('zone' in record)) return undefined;
  const taken = addressesIn(block).some((address) => addressConflict(ledger, addressKey(network, address), now));
  return taken ? record.zone : undefined;
}

type Placing = Proposal & { readonly op: 'place' };

function blockConflict(ledger: Ledger, { placement, block }: Placing, now: number): Answer | undefined {
  const { network, zone } = placement;
  if (block === undefined || isLeased(ledger, placement, block)) return undefined;
  const holder = blockHolder(ledger, network, block, now);
  return holder === undefined || holder === zone ? undefined : { reason: 'block-leased', current: holder };
}

function isLeased(ledger: Ledger, { network, zone }: Placement, block: string): boolean {
  const record = ledger.address(addressKey(network, block));
  return record !== undefined && 'zone' in record && record.zone === zone;
}

type NewHome = Proposal & { readonly op: 'place' | 'move' };

/** Why a host does not take a replica, which takes with it what it has at `before`. */
function hostConflict(
  ledger: Ledger,
  { placement, hostEpoch }: NewHome,
  before: Placement | undefined,
): Answer | undefined {
  const record = ledger.host(placement.host);
  if (!record) return { reason: 'no-host' };
  if (record.state !== 'open') return { reason: 'host-closed', current: record.state };
  if (record.zone !== placement.zone) return { reason: 'wrong-zone', current: record.zone };
  if (record.epoch !== hostEpoch) return { reason: 'epoch', current: record.epoch };
  const have = before?.host === placement.host ? before.demand : NOTHING;
  const lacking = overflow(ledger, record, have, placement.demand);
  return lacking && full(ledger, record, lacking);
}

function spreadConflict(
  ledger: Ledger,
  { placement, spread }: NewHome,
  before: Placement | undefined,
): Answer | undefined {
  const record = ledger.host(placement.host);
  const left = before && ledger.host(before.host);
  for (const level of SPREAD_LEVELS) {
    const limit = spread[level];
    if (limit === undefined) continue;
    const domain = record?.[level] ?? '';
    const count = ledger.count(placement.app, level, domain) - (left?.[level] === domain ? 1 : 0);
    if (count >= limit) return { reason: 'spread', current: { level, count, limit } };
  }
  return undefined;
}

/** Other Apps whose replicas must, or must not, be where this one goes. */
function neighbourConflict(ledger: Ledger, { placement, beside }: NewHome): Answer | undefined {
  const record = ledger.host(placement.host);
  if (!beside || !record) return undefined;
  const count = ({ app, within }: Neighbour): number => ledger.count(app, within, record[within]);
  const lonely = beside.near?.find((one) => count(one) === 0);
  if (lonely) return { reason: 'affinity', current: lonely };
  const crowded = beside.apart?.find((one) => count(one) > 0);
  return crowded && { reason: 'anti-affinity', current: crowded };
}

function decidePlace(ledger: Ledger, proposal: Placing, now: number): Answer {
  const { placement, block } = proposal;
  const { replica } = placement;
  const before = ledger.placement(replica);
  if (before) return same(before, placement) ? NO_CHANGE : { reason: 'placed-elsewhere', current: before };
  const key = addressKey(placement.network, placement.address);
  const refused =
    hostConflict(ledger, proposal, undefined) ??
    addressConflict(ledger, key, now) ??
    blockConflict(ledger, proposal, now) ??
    spreadConflict(ledger, proposal, undefined) ??
    neighbourConflict(ledger, proposal);
  if (refused) return refused;
  const lease: readonly Delta[] =
    block === undefined || isLeased(ledger, placement, block)
      ? []
      : [{ type: 'address', key: addressKey(placement.network, block), record: { zone: placement.zone } }];
  return {
    deltas: [{ type: 'placement', replica, placement }, { type: 'address', key, record: { replica } }, ...lease],
  };
}

/** The address stays the replica's throughout: there is no instant at which another could take it. */
function decideMove(ledger: Ledger, proposal: NewHome): Answer {
  const { placement } = proposal;
  const { replica, app, zone, network, address, epoch } = placement;
  const before = ledger.placement(replica);
  if (!before) return { reason: 'not-placed' };
  if (same(before, placement)) return NO_CHANGE;
  const follows =
    before.epoch + 1 === epoch &&
    before.app === app &&
    before.zone === zone &&
    before.network === network &&
    before.address === address;
  if (!follows) return { reason: 'placed-elsewhere', current: before };
  const refused =
    hostConflict(ledger, proposal, before) ??
    spreadConflict(ledger, proposal, before) ??
    neighbourConflict(ledger, proposal);
  return refused ?? { deltas: [{ type: 'placement', replica, placement }] };
}

/** Only what grows must fit: less may always be asked for, also of a host that has shrunk. */
function decideResize(ledger: Ledger, replica: string, demand: Demand): Answer {
  const before = ledger.placement(replica);
  if (!before) return { reason: 'not-placed' };
  const record = ledger.host(before.host);
  if (!record) return { reason: 'no-host' };
  if (same(before.demand, demand)) return NO_CHANGE;
  const lacking = overflow(ledger, record, before.demand, demand);
  if (lacking) return full(ledger, record, lacking);
  const placement: Placement = { ...before, demand };
  return { deltas: [{ type: 'placement', replica, placement }] };
}

function decideRelease(ledger: Ledger, replica: string, until: number, now: number): Answer {
  const before = ledger.placement(replica);
  if (!before) return { reason: 'not-placed' };
  const key = addressKey(before.network, before.address);
  return {
    deltas: [
      { type: 'placement', replica, placement: undefined },
      { type: 'address', key, record: until > now ? { until } : undefined },
    ],
  };
}

/** A mark on the placement: room and address stay the replica's until it is moved or released. */
function decideYield(ledger: Ledger, { replica, epoch, to }: Single & { readonly op: 'yield' }): Answer {
  const before = ledger.placement(replica);
  if (!before) return { reason: 'not-placed' };
  if (before.epoch !== epoch) return { reason: 'placed-elsewhere', current: before };
  const { yields, ...bare } = before;
  if (yields === to) return NO_CHANGE;
  if (yields !== undefined && to !== undefined) return { reason: 'yields', current: yields };
  return { deltas: [{ type: 'placement', replica, placement: to === undefined ? bare : { ...bare, yields: to } }] };
}

/** All of a gang, later ones seeing what earlier ones did, or the first of which why not. */
function decideGang(book: Book, { places }: Proposal & { readonly op: 'gang' }, now: number): Answer {
  const draft = draftOf(book);
  const deltas: Delta[] = [];
  for (const one of places) {
    const answer = decidePlace(draft, one, now);
    if ('reason' in answer) return { reason: 'gang', current: { replica: one.placement.replica, ...answer } };
    draft.apply(answer.deltas);
    deltas.push(...answer.deltas);
  }
  return { deltas };
}

/** What becomes of one proposal that is not for a gang; nothing is changed. */
export function decideOne(ledger: Ledger, proposal: Single, now: number): Answer {
  switch (proposal.op) {
    case 'host':
      return decideHost(ledger, proposal.record);
    case 'forget-host':
      return decideForget(ledger, proposal.host);
    case 'place':
      return decidePlace(ledger, proposal, now);
    case 'move':
      return decideMove(ledger, proposal);
    case 'resize':
      return decideResize(ledger, proposal.replica, proposal.demand);
    case 'release':
      return decideRelease(ledger, proposal.replica, proposal.quarantineUntil, now);
    case 'yield':
      return decideYield(ledger, proposal);
  }
}

/**
 * What a commit accepts. Only invariants are checked, each proposal on its own, later ones seeing what earlier ones did.
 * The book is left as it is: whoever keeps it applies the deltas once they are durable. The cost grows with the request.
 */
export function decide(book: Book, request: CommitRequest): Decision {
  const draft = draftOf(book);
  const verdicts: Verdict[] = [];
  const deltas: Delta[] = [];
  for (const proposal of request.proposals) {
    const result =
      proposal.op === 'gang' ? decideGang(draft, proposal, request.now) : decideOne(draft, proposal, request.now);
    if ('reason' in result) {
      verdicts.push({ accepted: false, ...result });
      continue;
    }
    draft.apply(result.deltas);
    deltas.push(...result.deltas);
    verdicts.push({ accepted: true });
  }
  return { verdicts, deltas };
}
