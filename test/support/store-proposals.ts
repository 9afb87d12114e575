import fc from 'fast-check';
import type { PlaceProposal, Proposal } from '../../reconciler/model/reservations.ts';
import { BESIDE, homeZone, leaseOf, LIMITS, request, TOPOLOGY } from './requests.ts';

/** When schedules begin, and how far time goes in a step. */
export const START = 1000;
export const STEP = 60;

/** Few values, and numbers whose every digit counts: conflicts, equal requests and edges are common. */
const demand = fc.constantFrom(
  { cpu: 1, memory: 2 ** 50 + 1, pids: 7 },
  { cpu: 333, memory: 1, pids: 7 },
  { cpu: 500, memory: 2, pids: 1 },
  { cpu: 1, memory: 1, pids: 1, disk: 2 ** 50, spindles: 700 },
);
const replica = fc.tuple(fc.constantFrom('a', 'b', 'b', 'c'), fc.nat(3)).map(([app, at]) => `${app}-${String(at)}`);
const placing = fc.tuple(replica, fc.nat(3), fc.nat(7), demand).map(([id, host, at, wants]): Proposal => {
  const app = id.slice(0, 1);
  const there = {
    zone: homeZone(`h${String(host)}`),
    host: `h${String(host)}`,
    network: 'net',
    address: `10.0.0.${String(at)}`,
  };
  const placement = { replica: id, app, ...there, demand: wants, epoch: 1 };
  return {
    op: 'place',
    placement,
    hostEpoch: 1,
    spread: LIMITS[app] ?? {},
    beside: BESIDE[app] ?? {},
    ...leaseOf(app, there.address),
  };
});
const rehoming = fc.tuple(placing, fc.constantFrom(2, 2, 3)).map(([place, epoch]): Proposal => {
  const { placement, block: _none, ...rest } = place as Proposal & { op: 'place' };
  return { ...rest, op: 'move', placement: { ...placement, epoch, from: 'h0' } };
});
const together = fc
  .array(placing, { minLength: 1, maxLength: 4 })
  .map((places): Proposal => ({ op: 'gang', places: places as readonly PlaceProposal[] }));
const resizing = fc
  .tuple(replica, demand)
  .map(([id, wants]): Proposal => ({ op: 'resize', replica: id, demand: wants }));
const releasing = fc
  .tuple(replica, fc.nat(6))
  .map(([id, passes]): Proposal => ({ op: 'release', replica: id, quarantineUntil: START + passes * STEP }));
const yielding = fc
  .tuple(replica, fc.constantFrom(1, 1, 2), fc.constantFrom(undefined, 'a-0', 'b-1'))
  .map(([id, epoch, to]): Proposal => ({ op: 'yield', replica: id, epoch, ...(to === undefined ? {} : { to }) }));
const moving = fc
  .tuple(fc.nat(3), fc.nat(2), fc.nat(1), fc.constantFrom(20, 20, 6))
  .map(([host, rack, behind, pids]): Proposal => {
    const allocatable = {
      cpu: 1000.1,
      memory: 2 ** 51 + 2,
      pids,
      ...(pids === 6 ? {} : { disk: 2 ** 50, spindles: 1400 }),
    };
    const place = { rack: `r${String(rack)}`, switch: `s${String(behind)}` };
    return {
      op: 'host',
      record: {
        host: `h${String(host)}`,
        zone: homeZone(`h${String(host)}`),
        state: 'open',
        epoch: 1,
        allocatable,
        ...place,
      },
    };
  });
/** What is asked for in one request. */
export const proposals: fc.Arbitrary<readonly Proposal[]> = fc.oneof(
  { weight: 1, arbitrary: request },
  { weight: 1, arbitrary: moving.map((op) => [op]) },
  {
    weight: 4,
    arbitrary: fc.array(fc.oneof(placing, placing, together, rehoming, resizing, releasing, yielding), {
      minLength: 1,
      maxLength: 6,
    }),
  },
);
/** All hosts, open. */
export const openAll: readonly Proposal[] = TOPOLOGY.map(([host, rack, behind]): Proposal => {
  const allocatable = { cpu: 1000.1, memory: 2 ** 51 + 2, pids: 20, disk: 2 ** 50, spindles: 1400 };
  const where = { zone: homeZone(host), rack, switch: behind };
  return { op: 'host', record: { host, state: 'open', epoch: 1, allocatable, ...where } };
});
