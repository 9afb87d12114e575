import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppSpec } from '../../../reconciler/model/catalog.ts';
import { attemptOf } from '../../../reconciler/model/release.ts';
import { appSpec, resources } from '../../support/catalog.ts';
import { CANARY, plays, run, type Case } from '../../support/scene.ts';

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
  plays(cases);

  it('remembers that the pause of the canaries is over, and not since when they served', () => {
    const { record } = run({ standing: 'n+ n+ o+', how: CANARY, record: { canaryAt: 500 } });
    const { record: later } = run({ standing: 'n+ n- o+', how: CANARY, record: record ?? assert.fail() });
    assert.deepEqual([later?.stage, later?.canaryDone, later?.canaryAt], ['rolling', true, undefined]);
    const { record: dropped } = run({ standing: 'n+ n+ o+', record: { canaryAt: 500 } });
    assert.equal(dropped?.canaryAt, undefined, 'one that Git asks for again is watched anew');
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
