import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import type {
  HostRecord,
  Neighbours,
  PlaceProposal,
  Proposal,
  SpreadLimits,
} from '../../reconciler/model/reservations.ts';

/** When all is decided that is not said to be later. */
export const NOW = 1_000;

/** A host joins, or is otherwise. */
export function host(name: string, change: Partial<HostRecord> = {}): Proposal {
  const allocatable = { cpu: 1000, memory: 1000, pids: 100 };
  const record = { host: name, zone: 'main', state: 'open', epoch: 1, allocatable, rack: 'r1', switch: 's1' } as const;
  return { op: 'host', record: { ...record, ...change } };
}

/** A replica is placed. */
export function place(
  replica: string,
  on: string,
  change: Partial<Placement> = {},
  spread: SpreadLimits = {},
  hostEpoch = 1,
): Proposal {
  const placement: Placement = {
    replica,
    app: replica.slice(0, replica.lastIndexOf('-')),
    zone: 'main',
    host: on,
    network: 'net',
    address: `10.0.0.${String(10 + Number(replica.slice(replica.lastIndexOf('-') + 1)))}`,
    demand: { cpu: 400, memory: 400, pids: 10 },
    epoch: 1,
    ...change,
  };
  return { op: 'place', placement, hostEpoch, spread };
}

/** A replica moves from h1. */
export const move = (
  replica: string,
  on: string,
  change: Partial<Placement> = {},
  spread: SpreadLimits = {},
): Proposal => ({
  ...(place(replica, on, { epoch: 2, from: 'h1', ...change }, spread) as Proposal & { op: 'place' }),
  op: 'move',
});
/** The same with what must be near or apart. */
export const beside = (proposal: Proposal, neighbours: Neighbours): Proposal => ({
  ...(proposal as Proposal & { op: 'place' | 'move' }),
  beside: neighbours,
});
/** All of them or none. */
export const gang = (...places: readonly Proposal[]): Proposal => ({
  op: 'gang',
  places: places as readonly PlaceProposal[],
});
/** A replica is to take so much CPU. */
export const resize = (replica: string, cpu: number): Proposal => ({
  op: 'resize',
  replica,
  demand: { cpu, memory: 400, pids: 10 },
});
/** A replica gives up its place. */
export const release = (replica: string, quarantineUntil = 5_000): Proposal => ({
  op: 'release',
  replica,
  quarantineUntil,
});

/** Decides and takes over; answers with one word a proposal. */
export function commit(book: Book, proposals: readonly Proposal[], now: number = NOW): readonly string[] {
  const { verdicts, deltas } = decide(book, { id: 'r', now, proposals });
  book.apply(deltas);
  return verdicts.map((verdict) => (verdict.accepted ? 'ok' : verdict.reason));
}

/** In a zone, with an address, out of a block of the Network. */
export function leased(replica: string, zone: string, address: number, block = '10.0.0.8/30'): Proposal {
  const on = zone === 'main' ? 'h1' : 'h2';
  return {
    ...(place(replica, on, { zone, address: `10.0.0.${String(address)}` }) as Proposal & { op: 'place' }),
    block,
  };
}
/** A host in each of two zones. */
export const ZONES: readonly Proposal[] = [host('h1'), host('h2', { zone: 'edge' })];

/** Proposals and what is answered to each. */
export interface Case {
  readonly name: string;
  readonly proposals: readonly Proposal[];
  readonly answers: readonly string[];
}

/** A test for each case: in one request, and in one for each proposal. */
export function decides(cases: readonly Case[]): void {
  for (const { name, proposals, answers } of cases) {
    it(name, () => {
      assert.deepEqual(commit(createBook(), proposals), answers, 'in one request');
      const book = createBook();
      assert.deepEqual(
        proposals.flatMap((proposal) => commit(book, [proposal])),
        answers,
        'one request each',
      );
    });
  }
}
