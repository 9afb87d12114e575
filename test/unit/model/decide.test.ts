import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Book } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Placement } from '../../../reconciler/model/replica.ts';
import type {
  HostRecord,
  Neighbours,
  PlaceProposal,
  Proposal,
  SpreadLimits,
} from '../../../reconciler/model/reservations.ts';

const NOW = 1_000;

function host(name: string, change: Partial<HostRecord> = {}): Proposal {
  const allocatable = { cpu: 1000, memory: 1000, pids: 100 };
  const record = { host: name, zone: 'main', state: 'open', epoch: 1, allocatable, rack: 'r1', switch: 's1' } as const;
  return { op: 'host', record: { ...record, ...change } };
}

function place(
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

const move = (replica: string, on: string, change: Partial<Placement> = {}, spread: SpreadLimits = {}): Proposal => ({
  ...(place(replica, on, { epoch: 2, from: 'h1', ...change }, spread) as Proposal & { op: 'place' }),
  op: 'move',
});
const beside = (proposal: Proposal, neighbours: Neighbours): Proposal => ({
  ...(proposal as Proposal & { op: 'place' | 'move' }),
  beside: neighbours,
});
const gang = (...places: readonly Proposal[]): Proposal => ({
  op: 'gang',
  places: places as readonly PlaceProposal[],
});
const resize = (replica: string, cpu: number): Proposal => ({
  op: 'resize',
  replica,
  demand: { cpu, memory: 400, pids: 10 },
});
const release = (replica: string, quarantineUntil = 5_000): Proposal => ({ op: 'release', replica, quarantineUntil });

/** Decides and takes over; answers with one word a proposal. */
function commit(book: Book, proposals: readonly Proposal[], now = NOW): readonly string[] {
  const { verdicts, deltas } = decide(book, { id: 'r', now, proposals });
  book.apply(deltas);
  return verdicts.map((verdict) => (verdict.accepted ? 'ok' : verdict.reason));
}

/** In a zone, with an address, out of a block of the Network. */
function leased(replica: string, zone: string, address: number, block = '10.0.0.8/30'): Proposal {
  const on = zone === 'main' ? 'h1' : 'h2';
  return {
    ...(place(replica, on, { zone, address: `10.0.0.${String(address)}` }) as Proposal & { op: 'place' }),
    block,
  };
}
const ZONES: readonly Proposal[] = [host('h1'), host('h2', { zone: 'edge' })];

interface Case {
  readonly name: string;
  readonly proposals: readonly Proposal[];
  readonly answers: readonly string[];
}

const cases: readonly Case[] = [
  { name: 'places what fits', proposals: [host('h1'), place('a-0', 'h1')], answers: ['ok', 'ok'] },
  { name: 'an unknown host', proposals: [place('a-0', 'h1')], answers: ['no-host'] },
  {
    name: 'a closed host',
    proposals: [host('h1', { state: 'closed' }), place('a-0', 'h1')],
    answers: ['ok', 'host-closed'],
  },
  { name: 'another zone', proposals: [host('h1', { zone: 'x' }), place('a-0', 'h1')], answers: ['ok', 'wrong-zone'] },
  { name: 'an older epoch', proposals: [host('h1', { epoch: 2 }), place('a-0', 'h1')], answers: ['ok', 'epoch'] },
  {
    name: 'a falling host epoch',
    proposals: [host('h1', { epoch: 2 }), host('h1', { epoch: 1 })],
    answers: ['ok', 'epoch'],
  },
  {
    name: 'nobody there of an App that must be near',
    proposals: [
      host('h1'),
      host('h2', { rack: 'r2' }),
      beside(place('a-1', 'h1'), { near: [{ app: 'b', within: 'rack' }] }),
      place('b-0', 'h2'),
      beside(place('a-1', 'h1'), { near: [{ app: 'b', within: 'rack' }] }),
      beside(place('a-1', 'h1'), { near: [{ app: 'b', within: 'switch' }] }),
    ],
    answers: ['ok', 'ok', 'affinity', 'ok', 'affinity', 'ok'],
  },
  {
    name: 'somebody there of an App that must be apart, where it is placed and where it moves to',
    proposals: [
      host('h1'),
      host('h2', { rack: 'r2' }),
      place('b-0', 'h2'),
      beside(place('a-1', 'h2'), {
        apart: [
          { app: 'c', within: 'host' },
          { app: 'b', within: 'host' },
        ],
      }),
      beside(place('a-1', 'h1'), { apart: [{ app: 'b', within: 'rack' }] }),
      beside(move('a-1', 'h2'), { apart: [{ app: 'b', within: 'rack' }] }),
    ],
    answers: ['ok', 'ok', 'ok', 'anti-affinity', 'ok', 'anti-affinity'],
  },
  {
    name: 'a gang of which one finds no room, and one that does, twice',
    proposals: [
      host('h1'),
      gang(place('a-0', 'h1'), place('a-1', 'h1'), place('a-2', 'h1')),
      gang(place('a-0', 'h1'), place('a-1', 'h1')),
      gang(place('a-0', 'h1'), place('a-1', 'h1')),
      place('a-2', 'h1'),
    ],
    answers: ['ok', 'gang', 'ok', 'ok', 'capacity'],
  },
  {
    name: 'later proposals see the capacity that earlier ones took',
    proposals: [host('h1'), place('a-0', 'h1'), place('a-1', 'h1'), place('a-2', 'h1')],
    answers: ['ok', 'ok', 'ok', 'capacity'],
  },
  {
    name: 'processes are a capacity too',
    proposals: [host('h1'), place('a-0', 'h1', { demand: { cpu: 1, memory: 1, pids: 101 } })],
    answers: ['ok', 'capacity'],
  },
  {
    name: 'one owner an address',
    proposals: [host('h1'), place('a-0', 'h1'), place('b-0', 'h1')],
    answers: ['ok', 'ok', 'address-owned'],
  },
  {
    name: 'the same address in another network is another address',
    proposals: [host('h1'), place('a-0', 'h1'), place('b-0', 'h1', { network: 'other' })],
    answers: ['ok', 'ok', 'ok'],
  },
  {
    name: 'a released address rests',
    proposals: [host('h1'), place('a-0', 'h1'), release('a-0'), place('b-0', 'h1')],
    answers: ['ok', 'ok', 'ok', 'address-resting'],
  },
  {
    name: 'a released address without quarantine is free',
    proposals: [host('h1'), place('a-0', 'h1'), release('a-0', NOW), place('b-0', 'h1')],
    answers: ['ok', 'ok', 'ok', 'ok'],
  },
  {
    name: 'a block is one zone’s, and another block another’s',
    proposals: [
      ...ZONES,
      leased('a-0', 'main', 8),
      leased('b-0', 'edge', 9),
      leased('b-0', 'edge', 12, '10.0.0.12/30'),
    ],
    answers: ['ok', 'ok', 'ok', 'block-leased', 'ok'],
  },
  {
    name: 'a block stays leased while an address of it rests',
    proposals: [
      ...ZONES,
      leased('a-0', 'main', 11),
      release('a-0'),
      leased('b-0', 'edge', 8),
      leased('a-1', 'main', 8),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'block-leased', 'ok'],
  },
  {
    name: 'a block of which all addresses are free is anybody’s, and then the next one’s',
    proposals: [
      ...ZONES,
      leased('a-0', 'main', 11),
      release('a-0', NOW),
      leased('b-0', 'edge', 8),
      leased('a-1', 'main', 9),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok', 'block-leased'],
  },
  {
    name: 'the same block of another Network is another block',
    proposals: [
      ...ZONES,
      leased('a-0', 'main', 8),
      {
        ...(place('b-0', 'h2', { zone: 'edge', network: 'other' }) as Proposal & { op: 'place' }),
        block: '10.0.0.8/30',
      },
    ],
    answers: ['ok', 'ok', 'ok', 'ok'],
  },
  {
    name: 'moves to another host, which it leaves as it was',
    proposals: [
      host('h1'),
      host('h2'),
      place('a-0', 'h1'),
      move('a-0', 'h2'),
      place('b-1', 'h1', { demand: { cpu: 1000, memory: 1, pids: 1 } }),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok'],
  },
  {
    name: 'the same move again changes nothing',
    proposals: [host('h1'), host('h2'), place('a-0', 'h1'), move('a-0', 'h2'), move('a-0', 'h2')],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok'],
  },
  {
    name: 'two movers: the second sees that it has moved',
    proposals: [host('h1'), host('h2'), host('h3'), place('a-0', 'h1'), move('a-0', 'h2'), move('a-0', 'h3')],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok', 'placed-elsewhere'],
  },
  { name: 'moves what is placed', proposals: [host('h2'), move('a-0', 'h2')], answers: ['ok', 'not-placed'] },
  {
    name: 'a move keeps Network and address',
    proposals: [
      host('h1'),
      host('h2'),
      place('a-0', 'h1'),
      move('a-0', 'h2', { address: '10.0.0.99' }),
      move('a-0', 'h2', { network: 'x' }),
    ],
    answers: ['ok', 'ok', 'ok', 'placed-elsewhere', 'placed-elsewhere'],
  },
  {
    name: 'a move needs an open host with room',
    proposals: [
      host('h1'),
      host('h2', { state: 'closed' }),
      host('h3'),
      place('a-0', 'h1'),
      place('b-1', 'h3', { demand: { cpu: 700, memory: 1, pids: 1 } }),
      move('a-0', 'h2'),
      move('a-0', 'h3'),
      move('a-0', 'h4'),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok', 'host-closed', 'capacity', 'no-host'],
  },
  {
    name: 'a replica that moves does not stand in its own way when it spreads',
    proposals: [
      host('h1'),
      host('h2'),
      host('h3'),
      place('a-0', 'h1'),
      place('a-1', 'h3'),
      move('a-0', 'h3', {}, { host: 1 }),
      move('a-0', 'h2', {}, { rack: 1 }),
      move('a-0', 'h2', {}, { host: 1, rack: 2 }),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok', 'spread', 'spread', 'ok'],
  },
  {
    name: 'a replica that gets a new home on its own host brings its room along',
    proposals: [
      host('h1'),
      place('a-0', 'h1', { demand: { cpu: 600, memory: 600, pids: 60 } }),
      move('a-0', 'h1', { demand: { cpu: 1000, memory: 900, pids: 60 } }),
      move('a-0', 'h1', { demand: { cpu: 1001, memory: 900, pids: 60 }, epoch: 3 }),
    ],
    answers: ['ok', 'ok', 'ok', 'capacity'],
  },
  {
    name: 'a replica has one home',
    proposals: [host('h1'), host('h2'), place('a-0', 'h1'), place('a-0', 'h2')],
    answers: ['ok', 'ok', 'ok', 'placed-elsewhere'],
  },
  {
    name: 'the same placement again changes nothing',
    proposals: [host('h1'), place('a-0', 'h1'), place('a-0', 'h1')],
    answers: ['ok', 'ok', 'ok'],
  },
  {
    name: 'hard spread over racks counts all hosts of the rack',
    proposals: [host('h1'), host('h2'), place('a-0', 'h1'), place('a-1', 'h2', {}, { rack: 1 })],
    answers: ['ok', 'ok', 'ok', 'spread'],
  },
  {
    name: 'hard spread of one App does not see another',
    proposals: [
      host('h1'),
      place('a-0', 'h1', {}, { host: 1 }),
      place('b-1', 'h1', {}, { host: 1 }),
      place('a-2', 'h1', { demand: { cpu: 1, memory: 1, pids: 1 } }, { host: 1 }),
    ],
    answers: ['ok', 'ok', 'ok', 'spread'],
  },
  {
    name: 'a host that moves to another rack takes its replicas along',
    proposals: [
      host('h1'),
      place('a-0', 'h1'),
      host('h1', { rack: 'r2' }),
      host('h2', { rack: 'r2' }),
      host('h3'),
      place('a-1', 'h2', {}, { rack: 1 }),
      place('a-1', 'h3', {}, { rack: 1 }),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'ok', 'spread', 'ok'],
  },
  {
    name: 'growth must fit',
    proposals: [host('h1'), place('a-0', 'h1'), resize('a-0', 1000), resize('a-0', 1001)],
    answers: ['ok', 'ok', 'ok', 'capacity'],
  },
  {
    name: 'on a host that has shrunk, less is accepted and more is not',
    proposals: [
      host('h1'),
      place('a-0', 'h1'),
      host('h1', { allocatable: { cpu: 100, memory: 100, pids: 1 } }),
      resize('a-0', 300),
      resize('a-0', 301),
    ],
    answers: ['ok', 'ok', 'ok', 'ok', 'capacity'],
  },
  {
    name: 'nothing to resize or release',
    proposals: [resize('a-0', 1), release('a-0')],
    answers: ['not-placed', 'not-placed'],
  },
  {
    name: 'a host in use is not forgotten',
    proposals: [
      host('h1'),
      place('a-0', 'h1'),
      { op: 'forget-host', host: 'h1' },
      release('a-0'),
      { op: 'forget-host', host: 'h1' },
    ],
    answers: ['ok', 'ok', 'host-in-use', 'ok', 'ok'],
  },
];

describe('decide', () => {
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

  it('leaves the book as it is', () => {
    const book = createBook();
    decide(book, { id: 'r', now: NOW, proposals: [host('h1'), place('a-0', 'h1')] });
    assert.equal(book.hosts.size + book.placements.size + book.addresses.size, 0);
    assert.equal(book.used('h1').cpu, 0);
  });

  it('says nothing of what was so already', () => {
    const book = createBook();
    commit(book, [host('h1'), place('a-0', 'h1')]);
    assert.deepEqual(decide(book, { id: 'r', now: NOW, proposals: [host('h1'), place('a-0', 'h1')] }).deltas, []);
  });

  it('gives a rested address out again', () => {
    const book = createBook();
    commit(book, [host('h1'), place('a-0', 'h1'), release('a-0', 5_000)]);
    assert.deepEqual(commit(book, [place('b-0', 'h1')], 4_999), ['address-resting']);
    assert.deepEqual(commit(book, [place('b-0', 'h1')], 5_000), ['ok']);
  });

  it('names the current value that refused', () => {
    const book = createBook();
    commit(book, [host('h1'), place('a-0', 'h1')]);
    const demand = { cpu: 601, memory: 1, pids: 1 };
    const { verdicts } = decide(book, { id: 'r', now: NOW, proposals: [place('a-1', 'h1', { demand })] });
    assert.deepEqual(verdicts, [
      { accepted: false, reason: 'capacity', current: { resource: 'cpu', used: 400, allocatable: 1000 } },
    ]);
  });
});
