import fc from 'fast-check';
import type { Neighbours, PlaceProposal, Proposal, SpreadLimits } from '../../reconciler/model/reservations.ts';

/** Two switches, three racks, four hosts; the limits of each App stay the same for the whole run. */
export const TOPOLOGY: readonly (readonly [string, string, string])[] = [
  ['h0', 'r0', 's0'],
  ['h1', 'r0', 's0'],
  ['h2', 'r1', 's0'],
  ['h3', 'r2', 's1'],
];
export const LIMITS: Readonly<Record<string, SpreadLimits>> = { a: { host: 1 }, b: { rack: 2, switch: 3 }, c: {} };
/** What each App asks of others, likewise. */
export const BESIDE: Readonly<Record<string, Neighbours>> = {
  a: { apart: [{ app: 'c', within: 'host' }] },
  b: { near: [{ app: 'a', within: 'rack' }] },
  c: { apart: [{ app: 'a', within: 'host' }] },
};
/** One host is in a zone of its own, as long as nothing else is said. */
export const homeZone = (host: string): string => (host === 'h3' ? 'aux' : 'main');
const hostIndex = fc.nat(TOPOLOGY.length - 1);
const replica = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(3))
  .map(([app, ordinal]) => `${app}-${String(ordinal)}`);
const size = fc.record({
  cpu: fc.integer({ min: 1, max: 60 }),
  memory: fc.integer({ min: 1, max: 60 }),
  pids: fc.integer({ min: 1, max: 60 }),
});
const demand = fc
  .tuple(size, fc.constantFrom({}, {}, { disk: 30 }, { disk: 60, spindles: 1500 }, { node0: 2 }, { node7: 1 }))
  .map(([some, more]) => ({ ...some, ...more }));

const hostOp: fc.Arbitrary<Proposal> = fc
  .tuple(
    hostIndex,
    fc.constantFrom(false, false, false, true),
    fc.constantFrom('open', 'open', 'open', 'closed'),
    fc.integer({ min: 1, max: 2 }),
    fc.constantFrom(40, 100, 100, 100),
  )
  .map(([index, swapped, state, epoch, size]): Proposal => {
    const [host = '', rack = '', behind = ''] = TOPOLOGY[index] ?? [];
    // one that was recorded before there were disks and nodes has none
    const threads = epoch === 1 ? {} : { threadsPerCore: 2 };
    const disks = epoch === 1 ? { disk: 100, spindles: 2000, node0: 3, node7: 2 } : {};
    const allocatable = { cpu: size, memory: size, pids: size, ...disks };
    const zone = swapped === (homeZone(host) === 'aux') ? 'main' : 'aux';
    return { op: 'host', record: { host, zone, state, epoch, allocatable, ...threads, rack, switch: behind } };
  });
const forgetOp = hostIndex.map((index): Proposal => ({ op: 'forget-host', host: `h${String(index)}` }));
/** The block of four that an address of the test's Network is in, where App c asks for its Network's blocks. */
export function leaseOf(app: string, address: string): { readonly block?: string } {
  const last = Number(address.split('.')[3]);
  return app === 'c' ? { block: `10.0.0.${String(last - (last % 4))}/30` } : {};
}
const home = fc.tuple(replica, hostIndex, fc.nat(7), demand, fc.constantFrom(1, 1, 1, 2), fc.boolean());
const placeOp = home.map(([id, host, address, wants, hostEpoch, other]): Proposal => {
  const app = id.slice(0, 1);
  const placement = {
    replica: id,
    app,
    zone: app === 'c' && other ? 'aux' : 'main',
    host: `h${String(host)}`,
    network: 'net',
    address: `10.0.0.${String(address)}`,
    demand: wants,
    epoch: 1,
  };
  return {
    op: 'place',
    placement,
    hostEpoch,
    spread: LIMITS[app] ?? {},
    beside: BESIDE[app] ?? {},
    ...leaseOf(app, placement.address),
  };
});
const moveOp = fc.tuple(placeOp, fc.constantFrom(2, 2, 2, 3)).map(([place, epoch]): Proposal => {
  const { placement, block: _none, ...rest } = place as Proposal & { op: 'place' };
  return { ...rest, op: 'move', placement: { ...placement, epoch, from: 'h0' } };
});
const gangOp = fc
  .array(placeOp, { minLength: 1, maxLength: 4 })
  .map((places): Proposal => ({ op: 'gang', places: places as readonly PlaceProposal[] }));
const resizeOp = fc
  .tuple(replica, demand)
  .map(([id, wants]): Proposal => ({ op: 'resize', replica: id, demand: wants }));
const releaseOp = fc
  .tuple(replica, fc.nat(2_000))
  .map(([id, quarantineUntil]): Proposal => ({ op: 'release', replica: id, quarantineUntil }));
const yieldOp = fc
  .tuple(replica, fc.constantFrom(1, 1, 2), fc.constantFrom(undefined, 'a-0', 'say "b"-0'))
  .map(([id, epoch, to]): Proposal => ({ op: 'yield', replica: id, epoch, ...(to === undefined ? {} : { to }) }));

/**
 * Hosts change in requests of their own: a host may shrink below what it holds, and nothing else may bring it there; one
 * that is forgotten may come back with any epoch.
 */
export const request: fc.Arbitrary<Proposal[]> = fc.oneof(
  { weight: 2, arbitrary: fc.array(hostOp, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: forgetOp.map((op) => [op]) },
  {
    weight: 9,
    arbitrary: fc.array(
      fc.oneof(
        { weight: 5, arbitrary: placeOp },
        { weight: 1, arbitrary: gangOp },
        { weight: 2, arbitrary: moveOp },
        { weight: 1, arbitrary: resizeOp },
        { weight: 1, arbitrary: releaseOp },
        { weight: 2, arbitrary: yieldOp },
      ),
      { minLength: 1, maxLength: 8 },
    ),
  },
);
