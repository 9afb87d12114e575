import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Placement } from '../../../reconciler/model/replica.ts';
import type { Proposal } from '../../../reconciler/model/reservations.ts';

const one = { cpu: 400, memory: 400, pids: 10 };
const host = (name: string): Proposal => ({
  op: 'host',
  record: {
    host: name,
    zone: 'main',
    state: 'open',
    epoch: 1,
    allocatable: { cpu: 700, memory: 700, pids: 100 },
    rack: 'r1',
    switch: 's1',
  },
});
const at = (replica: string, on: string, more: Partial<Placement> = {}): Placement => ({
  replica,
  app: replica.slice(0, 1),
  zone: 'main',
  host: on,
  network: 'net',
  address: `10.0.0.${String(replica.charCodeAt(0))}`,
  demand: one,
  epoch: 1,
  ...more,
});
const place = (replica: string, on: string): Proposal => ({
  op: 'place',
  placement: at(replica, on),
  hostEpoch: 1,
  spread: {},
});
const give = (replica: string, to?: string, epoch = 1): Proposal => ({
  op: 'yield',
  replica,
  epoch,
  ...(to === undefined ? {} : { to }),
});
const leave = (replica: string): Proposal => ({ op: 'release', replica, quarantineUntil: 0 });
const move: Proposal = {
  op: 'move',
  placement: at('a-0', 'h2', { epoch: 2, from: 'h1' }),
  hostEpoch: 1,
  spread: {},
};

const cases: readonly { readonly name: string; readonly steps: readonly (readonly [Proposal, string])[] }[] = [
  {
    name: 'gives its place to one at a time',
    steps: [
      [give('a-0', 'd-0'), 'ok'],
      [give('a-0', 'd-0'), 'ok'],
      [give('a-0', 'e-0'), 'yields'],
      [give('a-0'), 'ok'],
      [give('a-0'), 'ok'],
      [give('a-0', 'e-0'), 'ok'],
    ],
  },
  {
    name: 'gives only the place that is known of',
    steps: [
      [give('b-0', 'd-0'), 'not-placed'],
      [give('a-0', 'd-0', 2), 'placed-elsewhere'],
      [move, 'ok'],
      [give('a-0', 'd-0'), 'placed-elsewhere'],
      [give('a-0', 'd-0', 2), 'ok'],
    ],
  },
  {
    name: 'keeps room and address until it has gone',
    steps: [
      [give('a-0', 'd-0'), 'ok'],
      [place('d-0', 'h1'), 'capacity'],
      [leave('a-0'), 'ok'],
      [place('d-0', 'h1'), 'ok'],
    ],
  },
  {
    name: 'gives nothing any more once it has moved',
    steps: [
      [give('a-0', 'd-0'), 'ok'],
      [move, 'ok'],
      [give('a-0', 'e-0', 2), 'ok'],
    ],
  },
];

for (const { name, steps } of cases)
  it(`a replica ${name}`, () => {
    const book = createBook();
    book.apply(decide(book, { id: '', now: 0, proposals: [host('h1'), host('h2'), place('a-0', 'h1')] }).deltas);
    for (const [at, [proposal, answer]] of steps.entries()) {
      const { verdicts, deltas } = decide(book, { id: '', now: 0, proposals: [proposal] });
      const [verdict] = verdicts;
      assert.equal(verdict?.accepted === false ? verdict.reason : 'ok', answer, `step ${String(at)}`);
      book.apply(deltas);
    }
  });
