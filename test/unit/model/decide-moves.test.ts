import { describe } from 'node:test';
import { decides, host, move, place } from '../../support/deciding.ts';
import type { Case } from '../../support/deciding.ts';

const cases: readonly Case[] = [
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
];

describe('decide, of moves', () => {
  decides(cases);
});
