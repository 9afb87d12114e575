import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import { NOW, beside, commit, decides, gang, host, move, place, release, resize } from '../../support/deciding.ts';
import type { Case } from '../../support/deciding.ts';

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
  decides(cases);

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
