import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStage } from '../../../../reconciler/loop/rehearsal/stage.ts';
import type { Behaviour, Stage } from '../../../../reconciler/loop/rehearsal/stage.ts';
import { assignedTo } from '../../../support/assigned.ts';

const CALM: Behaviour = { latency: [1000, 3000], failures: 0, silent: 0, silence: [0, 0], seed: 1 };

const phases = ({ replicas }: Stage): readonly string[] =>
  [...replicas.values()].map(({ id, phase }) => `${id} ${phase}`);

/** Lets time pass until nothing more will happen; gives when that was. */
function play(stage: Stage, from = 0): number {
  let now = from;
  for (; stage.dueAt() !== Infinity; now = stage.dueAt()) stage.pass(stage.dueAt());
  return now;
}

describe('a simulated host', () => {
  it('makes replicas serve after the latency, each at its own time', () => {
    const stage = createStage('h1', CALM);
    stage.take(assignedTo('h1', 20), 100);
    assert.equal(stage.pass(101), false);
    assert.ok(phases(stage).every((text) => text.endsWith('Placed')));
    stage.pass(1099);
    assert.ok(phases(stage).every((text) => !text.endsWith('Ready')));
    stage.pass(2000);
    const ready = phases(stage).filter((text) => text.endsWith('Ready')).length;
    assert.ok(ready > 0 && ready < 20, String(ready));
    stage.pass(3100);
    assert.ok(phases(stage).every((text) => text.endsWith('Ready')));
    assert.equal(stage.dueAt(), Infinity);
  });

  it('leaves alone what stays, makes anew what needs a new container, and stops what is gone', () => {
    const stage = createStage('h1', CALM);
    stage.take(assignedTo('h1', 3), 0);
    play(stage);
    const made = stage.replicas.get('web-0')?.made;
    stage.take(assignedTo('h1', 3, { level: 1 }), 9000);
    assert.equal(stage.dueAt(), Infinity, 'nothing to do');
    stage.take(assignedTo('h1', 2, { image: 'plumbline/busybox:2' }), 9000);
    assert.deepEqual(phases(stage), ['web-0 Placed', 'web-1 Placed', 'web-2 Stopping']);
    assert.equal(stage.replicas.get('web-0')?.made, made, 'it is still what it was');
    play(stage, 9000);
    assert.deepEqual(phases(stage), ['web-0 Ready', 'web-1 Ready']);
    assert.notEqual(stage.replicas.get('web-0')?.made, made);
  });

  it('lets starts that fail end a few times, with growing pauses, and then hold', () => {
    const stage = createStage('h1', { ...CALM, failures: 1 });
    stage.take(assignedTo('h1', 1), 0);
    const one = stage.replicas.get('web-0') ?? assert.fail();
    const ends: number[] = [];
    for (let now = stage.dueAt(); one.phase !== 'Ready'; now = stage.dueAt()) {
      stage.pass(now);
      if (one.restarts > ends.length) ends.push(now);
    }
    assert.ok(ends.length >= 3 && ends.length <= 6, String(ends.length));
    const pauses = ends.slice(1).map((end, at) => Math.round(end - (ends[at] ?? 0)));
    assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000].slice(0, pauses.length));
  });

  it('fails the share of starts that is asked for, and with the same seed the same ones', () => {
    const failing = (seed: number): readonly string[] => {
      const stage = createStage('h1', { ...CALM, failures: 0.1, seed });
      stage.take(assignedTo('h1', 2000), 0);
      return [...stage.replicas.values()].filter(({ endings }) => endings > 0).map(({ id }) => id);
    };
    const first = failing(1);
    assert.ok(first.length > 150 && first.length < 250, String(first.length));
    assert.deepEqual(failing(1), first);
    assert.notDeepEqual(failing(2), first);
  });

  it('has news when a replica has been ready for as long as it must', () => {
    const stage = createStage('h1', CALM);
    stage.take(assignedTo('h1', 1, { rollout: { minReady: 5000, autoRevert: false } }), 0);
    const one = stage.replicas.get('web-0') ?? assert.fail();
    while (one.phase !== 'Ready') stage.pass(stage.dueAt());
    assert.equal(stage.dueAt(), one.since + 5000);
    assert.equal(stage.pass(one.since + 4999), false);
    assert.equal(stage.pass(one.since + 5000), true);
    assert.equal(stage.dueAt(), Infinity);
  });
});
