import { canonical } from '../../reconciler/model/fingerprint.ts';
import type { HostRecord, Proposal, ReservationState } from '../../reconciler/model/reservations.ts';

/** An open host of zone z with four cores. */
export function hostRecord(host: string, more: Partial<HostRecord> = {}): HostRecord {
  return {
    host,
    zone: 'z',
    state: 'open',
    epoch: 1,
    allocatable: { cpu: 4000, memory: 4096, pids: 1000 },
    rack: 'r1',
    switch: 's1',
    ...more,
  };
}

/** Asks for one core on a host, with an address of network n. */
export function place(replica: string, host: string, address: string): Proposal & { readonly op: 'place' } {
  const demand = { cpu: 1000, memory: 512, pids: 100 };
  const app = replica.slice(0, replica.lastIndexOf('-'));
  const placement = { replica, app, zone: 'z', host, network: 'n', address, demand, epoch: 1 };
  return { op: 'place', placement, hostEpoch: 1, spread: {} };
}

/** What is reserved, so that it can be compared. */
export function plain({ hosts, placements, addresses }: ReservationState): unknown {
  const objects = [hosts, placements, addresses].map((map) => Object.fromEntries<unknown>(map));
  return JSON.parse(canonical(objects));
}
