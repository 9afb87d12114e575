import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppSpec } from '../../../reconciler/model/catalog.ts';
import { attemptOf } from '../../../reconciler/model/release.ts';
import type { Stage } from '../../../reconciler/model/release.ts';
import { appSpec, resources } from '../../support/catalog.ts';
import { IMAGES, run, type Scene } from '../../support/scene.ts';

const CANARY = { canary: { replicas: 2, pause: 500 } };
const DEADLINE = { progressDeadline: 600 };

interface Case extends Scene {
  readonly name: string;
  /** A letter a replica: the image that each is given. */
  readonly gives: string;
  /** Absent when there is nothing to remember. */
  readonly stage?: Stage;
  readonly until?: number;
}

const cases: readonly Case[] = [
  { name: 'nothing changes', standing: 'n+ n+', gives: 'nn' },
  { name: 'one at a time', standing: 'o+ o+ o+', gives: 'noo', stage: 'rolling' },
  { name: 'the next once the first serves', standing: 'n+ o+ o+', record: {}, gives: 'nno', stage: 'rolling' },
  { name: 'not while it is ready for too short', standing: 'n~ o+ o+', record: {}, gives: 'noo', stage: 'rolling' },
  {
    name: 'not while its host speaks of what was before',
    standing: 'n? o+ o+',
    record: {},
    gives: 'noo',
    stage: 'rolling',
  },
  { name: 'all serve it: nothing to remember any more', standing: 'n+ n+', record: {}, gives: 'nn' },
  { name: 'one that nothing is heard of holds up nobody for ever', standing: 'n+ n!', record: {}, gives: 'nn' },
  { name: 'nor one that was told of it on a host that is lost', standing: 'n+ nl', record: {}, gives: 'nn' },
  { name: 'nor does one that was not told of it end it', standing: 'n+ ol', record: {}, gives: 'no', stage: 'rolling' },
  { name: 'none are asked for any more: the change is over', standing: '', record: {}, gives: '' },
  { name: 'not over before the last one serves', standing: 'n+ n~', record: {}, gives: 'nn', stage: 'rolling' },
  // canaries
  {
    name: 'canaries first, as many at a time as may be away',
    standing: 'o+ o+ o+',
    how: CANARY,
    gives: 'noo',
    stage: 'canary',
  },
  { name: 'the second canary', standing: 'n+ o+ o+', how: CANARY, record: {}, gives: 'nno', stage: 'canary' },
  {
    name: 'then they are watched',
    standing: 'n+ n+ o+',
    how: CANARY,
    record: {},
    gives: 'nno',
    stage: 'paused',
    until: 1500,
  },
  {
    name: 'their pause goes on',
    standing: 'n+ n+ o+',
    how: CANARY,
    record: { canaryAt: 600 },
    gives: 'nno',
    stage: 'paused',
    until: 1100,
  },
  {
    name: 'their pause is over',
    standing: 'n+ n+ o+',
    how: CANARY,
    record: { canaryAt: 500 },
    gives: 'nnn',
    stage: 'rolling',
  },
  {
    name: 'their pause was noted by a clock that went an hour ahead: it begins now',
    standing: 'n+ n+ o+',
    how: CANARY,
    record: { canaryAt: 3_601_000 },
    gives: 'nno',
    stage: 'paused',
    until: 1500,
  },
  {
    name: 'one that fails in the pause is waited for',
    standing: 'n+ n- o+',
    how: CANARY,
    record: { canaryAt: 500 },
    gives: 'nno',
    stage: 'canary',
  },
  {
    name: 'a pause that is over is over',
    standing: 'n+ n- o+ o+',
    how: CANARY,
    maxUnavailable: 2,
    record: { canaryDone: true },
    gives: 'nnno',
    stage: 'rolling',
  },
  {
    name: 'what is down waits for the canaries too',
    standing: 'o+ o+ o-',
    how: CANARY,
    maxUnavailable: 2,
    gives: 'noo',
    stage: 'canary',
  },
  {
    name: 'what serves nobody is made anew at once where it keeps the canaries from going',
    standing: 'o+ o- o+',
    how: { canary: { replicas: 1, pause: 500 } },
    gives: 'ono',
    stage: 'canary',
  },
  {
    name: 'but not while a canary is on its way',
    standing: 'n- o- o+',
    how: { canary: { replicas: 1, pause: 500 } },
    record: {},
    gives: 'noo',
    stage: 'canary',
  },
  {
    name: 'a new replica is what the others were',
    standing: 'n+ o+ o+ --',
    how: CANARY,
    record: {},
    gives: 'nooo',
    stage: 'canary',
  },
  {
    name: 'the way back needs no canary',
    standing: 'x+ o+ x+',
    image: 'old',
    how: CANARY,
    record: { version: 'v' },
    gives: 'oox',
    stage: 'rolling',
  },
  {
    name: 'for ever',
    standing: 'n+ n+ o+',
    how: { canary: { replicas: 2, pause: 'forever' } },
    record: { canaryAt: 0 },
    gives: 'nno',
    stage: 'paused',
  },
  // the deadline
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
  // superseded
  {
    name: 'a push in the middle: what has the one before goes first',
    standing: 'o+ x~ o+',
    record: { version: 'v' },
    gives: 'ono',
    stage: 'rolling',
  },
  {
    name: 'its revert in the middle',
    standing: 'x- o+',
    image: 'old',
    record: { version: 'v' },
    gives: 'oo',
    stage: 'rolling',
  },
  {
    name: 'the same with another way to go on keeps its canaries',
    standing: 'n+ n+ o+',
    how: CANARY,
    record: { attempt: 'a', canaryAt: 500 },
    gives: 'nnn',
    stage: 'rolling',
  },
  // in order
  { name: 'a less critical App goes first', standing: 'o+ o-', ahead: 'batch', gives: 'oo', stage: 'queued' },
  {
    name: 'what serves nobody waits for no other App that waits for it',
    standing: 'o+ o- -- o!',
    maxUnavailable: 3,
    ahead: 'batch',
    full: true,
    gives: 'onoo',
    stage: 'queued',
  },
];

describe('rollout of an App with a rollout block', () => {
  for (const { name, gives, stage, until, ...scene } of cases)
    it(name, () => {
      const { replicas, record } = run(scene);
      const letters = replicas.map(({ spec }) => Object.keys(IMAGES).find((letter) => IMAGES[letter] === spec.image));
      assert.deepEqual([letters.join(''), record?.stage, record?.until], [gives, stage, until]);
    });

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

  it('remembers that the pause of the canaries is over, and not since when they served', () => {
    const { record } = run({ standing: 'n+ n+ o+', how: CANARY, record: { canaryAt: 500 } });
    const { record: later } = run({ standing: 'n+ n- o+', how: CANARY, record: record ?? assert.fail() });
    assert.deepEqual([later?.stage, later?.canaryDone, later?.canaryAt], ['rolling', true, undefined]);
    const { record: dropped } = run({ standing: 'n+ n+ o+', record: { canaryAt: 500 } });
    assert.equal(dropped?.canaryAt, undefined, 'one that Git asks for again is watched anew');
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

describe('what is tried again', () => {
  const spec = appSpec({ rollout: { minReady: 0, autoRevert: false } });
  const again: readonly (readonly [string, Partial<AppSpec>, boolean])[] = [
    ['another image', { image: 'x' }, true],
    ['more memory', { resources: resources(100, 128) }, true],
    ['another deadline', { rollout: { minReady: 0, autoRevert: true, progressDeadline: 1 } }, true],
    ['more replicas', { replicas: 9 }, false],
    ['another spread', { spread: { rack: 1 } }, false],
    ['to stand still', { frozen: true }, false],
    ['other hosts', { hosts: { matchLabels: { a: 'b' } } }, false],
  ];
  for (const [name, change, expected] of again)
    it(`${name}: ${expected ? 'yes' : 'no'}`, () => {
      assert.equal(attemptOf({ ...spec, ...change }) !== attemptOf(spec), expected);
    });
});
