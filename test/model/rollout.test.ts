import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { versionOf } from '../../reconciler/model/release.ts';
import {
  act,
  allServe,
  broken,
  careful,
  DEAF,
  howOf,
  rollOut,
  round,
  running,
  settle,
  STARVED,
  story,
  stored,
  tale,
} from '../support/rollout-model.ts';

describe('any rollout', () => {
  it('never takes more away than allowed, whatever happens and however late the hosts tell', () => {
    fc.assert(
      fc.property(story, ({ replicas, maxUnavailable, events }) => {
        const model = running(replicas, maxUnavailable);
        for (const step of events) tale(model, step);
      }),
      { numRuns: 500 },
    );
  });

  it('ends with all updated once the hosts do their part', () => {
    fc.assert(
      fc.property(story, fc.constantFrom('v1', 'v2', 'v3'), ({ replicas, maxUnavailable, events }, image) => {
        const model = running(replicas, maxUnavailable);
        for (const step of events) tale(model, step);
        act(model, { type: 'commit', image, cpu: 100 });
        for (let rounds = 0; rounds < replicas + 2; rounds += 1) round(model);
        assert.ok(round(model), 'all updated');
        for (const { assigned } of model.actors) assert.equal(assigned?.spec.image, image);
      }),
      { numRuns: 300 },
    );
  });

  it('stops with a bad image at maxUnavailable', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), (replicas, maxUnavailable) => {
        const model = running(replicas, maxUnavailable);
        act(model, { type: 'commit', image: 'bad', cpu: 100 });
        for (let rounds = 0; rounds < 10; rounds += 1) round(model);
        assert.equal(model.actors.filter(broken).length, Math.min(replicas, maxUnavailable));
        act(model, { type: 'commit', image: 'v2', cpu: 100 });
        for (let rounds = 0; rounds < replicas + 3; rounds += 1) round(model);
        assert.ok(allServe(model), 'and a good one mends it');
      }),
      { numRuns: 40 },
    );
  });
});

describe('any rollout with a rollout block', () => {
  it('never takes more away than allowed, nor lets more go than the canaries before their pause is over', () => {
    fc.assert(
      fc.property(careful, ({ replicas, maxUnavailable, how, events }) => {
        const model = running(replicas, maxUnavailable, howOf(how));
        for (const step of events) tale(model, step);
      }),
      { numRuns: 600 },
    );
  });

  it('ends with what Git said last, whatever was pushed in the middle', () => {
    fc.assert(
      fc.property(careful, fc.constantFrom('v1', 'v2', 'v3'), ({ replicas, maxUnavailable, how, events }, image) => {
        const model = running(replicas, maxUnavailable, howOf(how));
        for (const step of events) tale(model, step);
        act(model, { type: 'commit', image, cpu: 100 });
        rollOut(model);
        settle(model, () => model.record === undefined && allServe(model));
        assert.equal(model.record, undefined, model.record?.message);
        for (const actor of model.actors) assert.ok(actor.assigned?.spec.image === image);
      }),
      { numRuns: 250 },
    );
  });

  it('ends with the last good version everywhere when what Git said last is bad', () => {
    const bad = fc.constantFrom(
      { image: 'mute', probe: 80, cpu: 100 },
      { image: 'bad', probe: 80, cpu: 200 },
      { image: 'v3', probe: DEAF, cpu: 100 },
      { image: 'v1', probe: DEAF, cpu: 100 },
      { image: 'v1', probe: 80, cpu: STARVED },
    );
    fc.assert(
      fc.property(careful, bad, ({ replicas, maxUnavailable, how, events }, { image, probe, cpu }) => {
        const model = running(replicas, maxUnavailable, howOf(how));
        for (const step of events) tale(model, step);
        act(model, { type: 'commit', image, cpu, probe });
        rollOut(model);
        settle(model, () => model.record?.stage === 'reverted' && allServe(model));
        const good = model.record && versionOf(model.record.good);
        assert.equal(model.record?.stage, 'reverted', model.record?.message);
        for (const actor of model.actors) assert.ok(actor.assigned && versionOf(actor.assigned) === good);
        const last = model.record;
        for (let rounds = 0; rounds < 10; rounds += 1) round(model);
        assert.deepEqual(model.record, last, 'and stays there');
      }),
      { numRuns: 250 },
    );
  });

  it('lets nobody but the canaries go while their pause is without end', () => {
    fc.assert(
      fc.property(careful, fc.integer({ min: 1, max: 5 }), ({ replicas, maxUnavailable, how, events }, first) => {
        const model = running(replicas, maxUnavailable, {
          ...howOf(how),
          canary: { replicas: first, pause: 'forever' },
        });
        for (const step of events) tale(model, step);
        for (let rounds = 0; rounds < 30; rounds += 1) round(model);
      }),
      { numRuns: 150 },
    );
  });

  it('goes on after a takeover as if there had been none', () => {
    fc.assert(
      fc.property(careful, ({ replicas, maxUnavailable, how, events }) => {
        const [one, many] = [false, true].map((takeover) => {
          const model = running(replicas, maxUnavailable, howOf(how), takeover);
          for (const step of events) tale(model, step);
          return [stored(model.record ?? null), stored(model.actors)];
        });
        assert.deepEqual(many, one);
      }),
      { numRuns: 150 },
    );
  });
});
