import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { workQueue } from '../../../../reconciler/loop/agent/queue.ts';

describe('workQueue', () => {
  it('holds a ref once, at its earliest time', () => {
    const queue = workQueue(() => 0);
    queue.add('port/a-0', 50);
    queue.add('port/a-0', 10);
    queue.add('port/a-0', 90);
    assert.equal(queue.next(), 10);
    assert.deepEqual(queue.take(9), []);
    assert.deepEqual(queue.take(10), ['port/a-0']);
    assert.equal(queue.next(), Infinity);
  });
  it('wakes for something earlier than what it waits for', async () => {
    const queue = workQueue(Date.now);
    const stop = new AbortController();
    queue.add('*', Date.now() + 60_000);
    const due = queue.due(stop.signal);
    queue.add('port/a-0', Date.now());
    await due;
    assert.deepEqual(queue.take(Date.now()), ['port/a-0']);
  });
  it('ends its wait when told to', async () => {
    const stop = new AbortController();
    const due = workQueue(Date.now).due(stop.signal);
    stop.abort();
    await due;
    assert.ok(stop.signal.aborted);
  });
});
