import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drainEvents } from '../../../../reconciler/loop/controller/drains.ts';
import type { Draining } from '../../../../reconciler/model/notice.ts';
import type { Placement } from '../../../../reconciler/model/replica.ts';
import { WAITS_FOR_TURN } from '../../../../reconciler/place/drain.ts';

const at = (host: string): Placement => ({ host, address: '10.1.0.10' }) as Placement;
const drain = (more: Partial<Draining> = {}): Draining => ({ host: 'h1', staying: [], leaving: [], ...more });
const waits = { replica: 'web-1', why: `${WAITS_FOR_TURN}: App web lets 1 be away at a time` };
const full = { replica: 'web-1', why: 'no host has room' };
const placements = new Map([
  ['web-0', at('h2')],
  ['web-1', at('h1')],
]);

describe('events of drains', () => {
  const told = (before: readonly Draining[], after: readonly Draining[]): readonly string[] =>
    drainEvents(before, after, placements).map(({ level, reason, ref, message }) =>
      [level, reason, ref, message].join(' '),
    );

  it('tell that one began, once, and what must go', () => {
    const begun = drain({ staying: [waits], leaving: ['web-0'] });
    assert.deepEqual(told([], [begun]), ['info DrainStarted host/h1 h1 is drained: 2 replicas to go']);
    assert.deepEqual(told([begun], [begun]), []);
  });

  it('tell of each replica that has moved, and not of one that is gone', () => {
    const before = drain({ leaving: ['web-0', 'old-3'], staying: [waits] });
    assert.deepEqual(told([before], [drain({ staying: [waits] })]), [
      'info ReplicaMoved replica/web-0 web-0 moved from h1, which is drained, to h2 with its address 10.1.0.10',
    ]);
  });

  it('tell what stands in the way, once for each reason; not of a turn that will come', () => {
    const blocked = 'warn DrainBlocked replica/web-1 web-1 stays on h1, which is drained: no host has room';
    assert.deepEqual(told([drain({ staying: [waits] })], [drain({ staying: [full] })]), [blocked]);
    assert.deepEqual(told([drain({ staying: [full] })], [drain({ staying: [full] })]), []);
    assert.deepEqual(told([drain({ staying: [full] })], [drain({ staying: [waits] })]), []);
  });

  it('tell the end, also of an empty host, and that Git took it back', () => {
    const done = 'info DrainDone host/h1 h1 is drained: nothing is left on it';
    assert.deepEqual(told([drain({ leaving: ['old-3'] })], [drain()]), [done]);
    assert.deepEqual(told([drain()], [drain()]), []);
    assert.deepEqual(told([], [drain()]), [done]);
    assert.deepEqual(told([], [drain({ unheard: true })]), [], 'nobody knows yet what is left');
    assert.deepEqual(told([drain({ unheard: true })], [drain()]), [done]);
    assert.deepEqual(told([drain({ staying: [full] })], []), [
      'info DrainUndone host/h1 Git no longer drains h1; 1 replica had not gone',
    ]);
  });
});
