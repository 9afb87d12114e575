import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEADLINE, plays, run, type Case, type Scene } from '../../support/scene.ts';

const cases: readonly Case[] = [
  {
    name: 'patience begins',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1 },
    gives: 'no',
    stage: 'rolling',
    until: 1600,
  },
  {
    name: 'patience lasts',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 500 },
    gives: 'no',
    stage: 'rolling',
    until: 1100,
  },
  {
    name: 'patience was noted by a clock that went an hour ahead: it begins now',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 3_601_000 },
    gives: 'no',
    stage: 'rolling',
    until: 1600,
  },
  {
    name: 'patience that ended while nobody looked lasts until hosts can have said how they are',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 100 },
    judgeFrom: 1200,
    gives: 'no',
    stage: 'rolling',
    until: 1200,
  },
  {
    name: 'then what they say counts: one that serves by now is progress',
    standing: 'n+ o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 100 },
    judgeFrom: 900,
    gives: 'nn',
    stage: 'rolling',
  },
  {
    name: 'and one that does not is given up',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 100 },
    judgeFrom: 900,
    gives: 'oo',
    stage: 'reverting',
  },
  {
    name: 'from the moment on when they can have',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 100 },
    judgeFrom: 1000,
    gives: 'oo',
    stage: 'reverting',
  },
  {
    name: 'and not a moment before',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 100 },
    judgeFrom: 1001,
    gives: 'no',
    stage: 'rolling',
    until: 1001,
  },
  {
    name: 'what served before is no progress',
    standing: 'n+ n- o+',
    how: DEADLINE,
    record: { given: 2, served: 1, stuckSince: 500 },
    gives: 'nno',
    stage: 'rolling',
    until: 1100,
  },
  {
    name: 'progress renews it',
    standing: 'n+ n- o+',
    how: DEADLINE,
    record: { given: 2, served: 0, stuckSince: 0 },
    gives: 'nno',
    stage: 'rolling',
    until: 1600,
  },
  {
    name: 'patience ends: back',
    standing: 'n- o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 400 },
    gives: 'oo',
    stage: 'reverting',
  },
  {
    name: 'no patience without a deadline',
    standing: 'n- o+',
    record: { given: 1, stuckSince: 0 },
    gives: 'no',
    stage: 'rolling',
  },
  {
    name: 'what serves goes back within the limit',
    standing: 'n+ n+ n- o+',
    how: DEADLINE,
    record: { given: 3, served: 2, stuckSince: 0 },
    gives: 'nnoo',
    stage: 'reverting',
  },
  {
    name: 'what is not known to serve goes back too while no more are away',
    standing: 'nb o+',
    how: DEADLINE,
    record: { given: 1, stuckSince: 0 },
    gives: 'oo',
    stage: 'reverting',
  },
  {
    name: 'but not when more are',
    standing: 'nb nb o+',
    how: DEADLINE,
    record: { given: 2, stuckSince: 0 },
    gives: 'nno',
    stage: 'reverting',
  },
  {
    name: 'what is known not to serve goes back in any case',
    standing: 'n. n. o+',
    how: DEADLINE,
    record: { given: 2, stuckSince: 0 },
    gives: 'ooo',
    stage: 'reverting',
  },
  {
    name: 'all are back',
    standing: 'o+ o+',
    how: DEADLINE,
    record: { failed: { at: 1, why: 'w', back: false } },
    gives: 'oo',
    stage: 'reverted',
  },
  {
    name: 'all are back but those on lost hosts, whether these could be told or not',
    standing: 'o+ ol nl nl',
    how: DEADLINE,
    record: { failed: { at: 1, why: 'w', back: false } },
    gives: 'oonn',
    stage: 'reverted',
  },
  {
    name: 'and it goes back once its host is heard of',
    standing: 'o+ o+ n- n?',
    how: DEADLINE,
    record: { failed: { at: 1, why: 'w', back: true } },
    gives: 'ooon',
    stage: 'reverted',
  },
  {
    name: 'back is back, whatever happens to one of them',
    standing: 'o- o+',
    how: DEADLINE,
    record: { failed: { at: 1, why: 'w', back: true } },
    gives: 'oo',
    stage: 'reverted',
  },
  {
    name: 'what comes new is what the others are',
    standing: 'o+ --',
    how: DEADLINE,
    record: { failed: { at: 1, why: 'w', back: true } },
    gives: 'oo',
    stage: 'reverted',
  },
  {
    name: 'stays where it is without autoRevert',
    standing: 'n- o+ o-',
    how: { ...DEADLINE, autoRevert: false },
    record: { given: 1, stuckSince: 0 },
    gives: 'noo',
    stage: 'stopped',
  },
  {
    name: 'another try',
    standing: 'o+ o+',
    how: DEADLINE,
    record: { attempt: 'a', failed: { at: 1, why: 'w', back: true } },
    gives: 'no',
    stage: 'rolling',
  },
];

describe('a rollout with a deadline', () => {
  plays(cases);

  it('counts what goes back as waiting, and says which revision failed, why, and what runs', () => {
    const scene: Scene = { standing: 'n- o+', how: DEADLINE, record: { given: 1, stuckSince: 0 } };
    const { progress, record } = run(scene);
    assert.deepEqual([progress.updated, progress.waiting], [0, ['web-0', 'web-1']]);
    assert.equal(
      record?.message,
      'web: r1 (new) was given up, no progress for 600ms: web-0 ProbeFailed: readiness probe: 500; its replicas go back to r0 (old)',
    );
    const { record: after } = run({ ...scene, standing: 'o+ o+', record: record });
    const { record: lost } = run({ ...scene, standing: 'nl o+', record: record });
    assert.match(lost?.message ?? '', /; all replicas on hosts that are heard of run r0 \(old\) until/);
    assert.match(after?.message ?? '', /; all replicas run r0 \(old\) until Git says something else$/);
  });

  it('names one that has the new version and does not serve it', () => {
    const { record } = run({ standing: 'o- n+ n- o+', how: DEADLINE, record: { given: 2, served: 1, stuckSince: 0 } });
    assert.match(record?.failed?.why ?? '', /: web-2 ProbeFailed/);
  });

  it('remembers the most that ever had it and served it, so that who comes back is no progress', () => {
    const { record } = run({ standing: 'n+ n- o+', record: { given: 3, served: 2 } });
    assert.deepEqual([record?.given, record?.served], [3, 2]);
  });

  it('goes back to what most of them serve', () => {
    assert.equal(run({ standing: 'x- o+ o+' }).record?.good.spec.image, 'old');
    assert.equal(run({ standing: 'x+ o- o- o-' }).record?.good.spec.image, 'other');
    assert.equal(run({ standing: 'x+ o+ o+' }).record?.good.spec.image, 'old');
    assert.equal(run({ standing: 'x! o! o!' }).record?.good.spec.image, 'old');
  });

  it('keeps what to go back to when another push comes in the middle', () => {
    const { record } = run({ standing: 'x+ x+ x+', record: { version: 'v' } });
    assert.deepEqual([record?.good.spec.image, record?.revision, record?.given], ['old', 'r1', 0]);
  });

  it('takes up what changes in place at once, also while it goes back', () => {
    const { replicas } = run({
      standing: 'o+ n+',
      how: { ...DEADLINE, minReady: 7 },
      record: { failed: { at: 1, why: 'w', back: false } },
    });
    assert.deepEqual(
      replicas.map(({ spec }) => spec.rollout?.minReady),
      [7, 7],
    );
  });
});
