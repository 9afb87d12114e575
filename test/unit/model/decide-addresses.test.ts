import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Proposal } from '../../../reconciler/model/reservations.ts';
import { NOW, ZONES, commit, decides, host, leased, place, release } from '../../support/deciding.ts';
import type { Case } from '../../support/deciding.ts';

const cases: readonly Case[] = [
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
];

describe('decide, of addresses and blocks of them', () => {
  decides(cases);

  it('gives a rested address out again', () => {
    const book = createBook();
    commit(book, [host('h1'), place('a-0', 'h1'), release('a-0', 5_000)]);
    assert.deepEqual(commit(book, [place('b-0', 'h1')], 4_999), ['address-resting']);
    assert.deepEqual(commit(book, [place('b-0', 'h1')], 5_000), ['ok']);
  });
});
