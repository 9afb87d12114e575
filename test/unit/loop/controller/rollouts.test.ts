import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rolloutEvents } from '../../../../reconciler/loop/controller/rollouts.ts';
import { statusCode } from '../../../../reconciler/loop/status/status.ts';
import { statusOf } from '../../../../reconciler/loop/status/whole.ts';
import type { Notice } from '../../../../reconciler/model/notice.ts';
import type { RolloutRecord } from '../../../../reconciler/model/release.ts';
import { appSpec } from '../../../support/catalog.ts';

const origin = { revision: 'r0', file: 'web.yaml', line: 1, column: 1 };
const base: RolloutRecord = {
  app: 'web',
  version: 'v',
  attempt: 'a',
  revision: 'revision1',
  good: { spec: appSpec(), origin, fields: {} },
  given: 1,
  served: 0,
  stage: 'rolling',
  message: 'm',
};
const failed = { at: 1, why: 'w', back: false };

describe('events of rollouts', () => {
  const told = (before: Partial<RolloutRecord> | undefined, after: Partial<RolloutRecord> | undefined): string[] =>
    rolloutEvents(before ? [{ ...base, ...before }] : [], after ? [{ ...base, ...after }] : []).map(
      ({ level, reason, message }) => `${level} ${reason} ${message}`,
    );
  it('tell each stage once', () => {
    assert.deepEqual(told(undefined, {}), ['info RolloutStarted m']);
    assert.deepEqual(told({}, { given: 2 }), []);
    assert.deepEqual(told({ stage: 'canary' }, { stage: 'paused' }), ['info RolloutPaused m']);
    assert.deepEqual(told({ stage: 'canary' }, { stage: 'frozen' }), ['info RolloutFrozen m']);
    assert.deepEqual(told({}, { stage: 'reverting', failed }), ['error RolloutFailed m']);
    assert.deepEqual(told({ stage: 'reverting', failed }, { stage: 'reverted', failed }), ['warn RolloutReverted m']);
    assert.deepEqual(told({}, { stage: 'stopped', failed }), ['error RolloutFailed m']);
    assert.deepEqual(told({}, undefined), ['info RolloutDone web: the change of revisio is over']);
    assert.deepEqual(told({ stage: 'frozen' }, undefined), [
      'info RolloutDone web: the change of revisio waits no longer',
    ]);
    for (const left of [{ failed }, ...(['queued', 'canary', 'paused'] as const).map((stage) => ({ stage }))])
      assert.deepEqual(told(left, undefined), ['info RolloutDone web: the change of revisio is no longer asked for']);
  });
  it('tell of a push in the middle', () => {
    assert.deepEqual(told({}, { version: 'w', revision: 'newer' }), [
      'info RolloutSuperseded web: newer takes the place of revisio',
      'info RolloutStarted m',
    ]);
    assert.deepEqual(told({ failed }, { version: 'w', stage: 'canary' }), ['info RolloutCanary m']);
  });
});

describe('status of rollouts', () => {
  const notice = (...rollouts: readonly RolloutRecord[]): Notice => ({
    source: { url: 'u', ref: 'main', revision: 'r', fetchedAt: 0 },
    problems: 0,
    unplaceable: [],
    held: [],
    published: 'r',
    waiting: 0,
    awaited: [],
    lost: [],
    rollouts,
  });
  const statusWith = (record: Partial<RolloutRecord>): ReturnType<typeof statusOf> =>
    statusOf({
      notice: notice({ ...base, ...record }),
      hosts: new Map(),
      placements: new Map(),
      assignments: new Map(),
      reports: new Map(),
    });

  it('a change under way is told', () => {
    const status = statusWith({ until: 7 });
    assert.deepEqual([status.sync, status.health, status.messages, status.held], ['OutOfSync', 'Healthy', ['m'], []]);
    assert.deepEqual(status.rollouts, [
      { app: 'web', stage: 'rolling', revision: 'revision1', message: 'm', until: 7 },
    ]);
  });
  it('a change that was given up is no health', () => {
    const status = statusWith({ stage: 'reverted', failed });
    assert.deepEqual([status.sync, status.health, statusCode(status)], ['OutOfSync', 'Degraded', 2]);
  });
  it('a pause without end waits for a person', () => {
    assert.deepEqual(statusWith({ stage: 'paused' }).held, ['m']);
    assert.deepEqual(statusWith({ stage: 'paused', until: 7 }).held, []);
    assert.deepEqual(statusWith({ stage: 'frozen' }).held, ['m'], 'and so does an App that stands still');
  });
});
