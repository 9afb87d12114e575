import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Entry, EntryDraft } from '../../../reconciler/model/journal.ts';
import { changesOf, createHistory } from '../../../reconciler/record/history.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import type { RevisionRow } from '../../../reconciler/record/history.ts';
import { lastTouch } from '../../../reconciler/record/touch.ts';

type Intent = Extract<EntryDraft, { type: 'intent' }>;
type Result = Extract<EntryDraft, { type: 'outcome' }>['result'];

function intent(trace: string, revision: string, more: Partial<Intent> = {}): EntryDraft {
  const base = { host: 'h1', ref: 'container/web-0', verb: 'create', because: 'new', disruption: 'none' } as const;
  return { type: 'intent', trace, revision, author: `author of ${revision}`, fields: [], ...base, ...more };
}
const outcome = (trace: string, result: Result = 'done'): EntryDraft => ({
  type: 'outcome',
  trace,
  host: 'h1',
  ref: 'container/web-0',
  result,
});
const event = (reason: string, revision: string): EntryDraft => ({
  type: 'event',
  host: 'h1',
  level: 'info',
  reason,
  message: '',
  revision,
  author: `author of ${revision}`,
});
const entries = (drafts: readonly EntryDraft[]): Entry[] =>
  drafts.map((draft, index) => ({ ...draft, seq: index + 1, at: (index + 1) * 10, prev: '', hash: '' }));

function rows(...drafts: EntryDraft[]): readonly RevisionRow[] {
  const history = createHistory();
  for (const entry of entries(drafts)) history.add(entry);
  return history.rows();
}
const brief = (list: readonly RevisionRow[]): unknown => list.map(({ revision, result }) => [revision, result]);

describe('history', () => {
  it('calls held what waits for a person, until it converges or another comes', () => {
    const held: EntryDraft = { type: 'event', host: '', level: 'warn', reason: 'Held', message: '2 of 3 would go' };
    const start = [event('RevisionSynced', 'a'), held];
    assert.deepEqual(brief(rows(...start)), [['a', 'held']]);
    assert.deepEqual(brief(rows(...start, event('Converged', 'a'))), [['a', 'converged']]);
    assert.deepEqual(brief(rows(...start, event('RevisionSynced', 'b'))), [
      ['a', 'superseded'],
      ['b', 'working'],
    ]);
    assert.deepEqual(brief(rows(held)), []);
  });

  it('of a thing, a replica, an App or a host has what was done to it alone', () => {
    const all = entries([
      event('RevisionSynced', 'a'),
      intent('1', 'a'),
      outcome('1'),
      intent('2', 'a', { ref: 'port/web-1', host: 'h2' }),
      outcome('2', 'failed'),
      event('RevisionSynced', 'b'),
      intent('3', 'b', { ref: 'container/web-canary-0', verb: 'update' }),
      outcome('3'),
      { ...event('ReplicaMoved', 'b'), ref: 'replica/web-0' },
      event('RevisionSynced', 'c'),
      intent('4', 'c', { ref: 'sysctl/vm.swappiness', verb: 'update', because: 'drift', host: 'h2' }),
      outcome('4'),
      event('Converged', 'c'),
    ]);
    const counted = (ref: Ref): unknown => {
      const history = createHistory(changesOf(ref));
      for (const entry of all) history.add(entry);
      return history
        .rows()
        .map(({ revision, result, counts: { add, change }, moved, repairs, failed }) =>
          [revision, result, add, change, moved, repairs, failed].join(' '),
        );
    };
    assert.deepEqual(counted('container/web-0'), ['a superseded 1 0 0 0 0']);
    assert.deepEqual(counted('replica/web-1'), ['a superseded 0 0 0 0 1']);
    assert.deepEqual(counted('app/web'), ['a superseded 1 0 0 0 1', 'b superseded 0 0 1 0 0']);
    assert.deepEqual(counted('app/web-canary'), ['b superseded 0 1 0 0 0']);
    assert.deepEqual(counted('host/h2'), ['a superseded 0 0 0 0 1', 'c converged 0 1 0 1 0']);
    assert.deepEqual(counted('sysctl/vm.swappiness'), ['c converged 0 1 0 1 0']);
    assert.deepEqual(counted('app/we'), []);
  });

  it('counts what was done for a revision, and until when', () => {
    const [row] = rows(
      event('RevisionSynced', 'a'),
      intent('1', 'a'),
      intent('2', 'a', { verb: 'replace', because: 'spec changed' }),
      outcome('2'),
      outcome('1'),
      event('Converged', 'a'),
      intent('3', 'a', { verb: 'update', because: 'drift' }),
      outcome('3'),
      intent('4', 'a', { verb: 'delete', because: 'removed' }),
      outcome('4', 'interrupted'),
    );
    assert.deepEqual(row, {
      revision: 'a',
      author: 'author of a',
      from: 10,
      to: 100,
      counts: { add: 1, change: 1, replace: 1, destroy: 0 },
      moved: 0,
      repairs: 1,
      failed: 1,
      back: [],
      result: 'converged',
    });
  });

  it('says failing until it converges after all', () => {
    const failed = [event('RevisionSynced', 'a'), intent('1', 'a'), outcome('1', 'failed')];
    assert.deepEqual(brief(rows(...failed)), [['a', 'failing']]);
    assert.deepEqual(brief(rows(...failed, event('Converged', 'a'))), [['a', 'converged']]);
  });

  it('counts no conflict as a failure: what is there is looked at again', () => {
    const [row] = rows(event('RevisionSynced', 'a'), intent('1', 'a'), outcome('1', 'conflict'));
    assert.deepEqual([row?.failed, row?.result], [0, 'working']);
  });

  it('keeps a row for each time that a revision was wanted, and late work in its own row', () => {
    const list = rows(
      event('RevisionSynced', 'a'),
      event('Converged', 'a'),
      event('RevisionSynced', 'b'),
      intent('1', 'b'),
      event('RevisionSynced', 'a'),
      outcome('1', 'failed'),
      event('Converged', 'a'),
    );
    assert.deepEqual(brief(list), [
      ['a', 'converged'],
      ['b', 'superseded'],
      ['a', 'converged'],
    ]);
    assert.equal(list[1]?.failed, 1);
  });

  it('does not need the beginning', () => {
    assert.deepEqual(brief(rows(outcome('0'), intent('1', 'a'), outcome('1'))), [['a', 'unknown']]);
  });

  it('does not guess what became of a revision of which no controller told', () => {
    const list = rows(intent('1', 'a'), outcome('1'), event('RevisionSynced', 'b'), event('RevisionSynced', 'c'));
    assert.deepEqual(brief(list), [
      ['a', 'unknown'],
      ['b', 'superseded'],
      ['c', 'working'],
    ]);
    assert.deepEqual(brief(rows(intent('1', 'a'), outcome('1', 'failed'))), [['a', 'failing']]);
    assert.deepEqual(brief(rows(intent('1', 'a'), event('Converged', 'a'))), [['a', 'converged']]);
  });

  it('says what was reverted, and to what, whatever fails on the way and comes later', () => {
    const rollout = (reason: string, app: string, back?: string): EntryDraft => ({
      ...(event(reason, 'b') as Extract<EntryDraft, { type: 'event' }>),
      ref: `app/${app}`,
      ...(back === undefined ? {} : { back }),
    });
    const start = [event('RevisionSynced', 'b'), rollout('RolloutCanary', 'web'), intent('1', 'b')];
    const failed = [...start, outcome('1', 'failed'), rollout('RolloutFailed', 'web', 'a')];
    const more = [intent('2', 'b'), outcome('2', 'failed')];
    const [reverting] = rows(...failed, ...more);
    assert.deepEqual([reverting?.result, reverting?.back], ['reverting', [{ app: 'web', to: 'a' }]]);
    const done = [...failed, ...more, rollout('RolloutReverted', 'web', 'a')];
    const later = [event('RevisionSynced', 'c'), event('Converged', 'c')];
    for (const list of [rows(...done), rows(...done, ...later)]) {
      assert.deepEqual([list[0]?.result, list[0]?.back], ['reverted', [{ app: 'web', to: 'a' }]]);
    }
    const again = rows(...done, rollout('RolloutCanary', 'web'));
    assert.deepEqual([again[0]?.result, again[0]?.back], ['working', []]);
    assert.deepEqual(brief(rows(...start, rollout('RolloutFailed', 'web'))), [['b', 'failing']]);
  });

  it('counts replicas that left a drained host', () => {
    const [row] = rows(event('RevisionSynced', 'a'), event('ReplicaMoved', 'a'), event('ReplicaMoved', 'a'));
    assert.equal(row?.moved, 2);
  });
});

describe('last touch', () => {
  const memory = (trace: string): EntryDraft =>
    intent(trace, 'a', { verb: 'update', fields: [{ path: '/memory', have: 1, want: 2 }] });
  const cpu = (trace: string): EntryDraft =>
    intent(trace, 'a', { verb: 'update', fields: [{ path: '/cpu/quota', have: 1, want: 2 }] });
  const cases: [string, EntryDraft[], string | undefined, string | undefined][] = [
    ['of the ref', [memory('1'), outcome('1'), cpu('2')], undefined, '2 open'],
    ['of a field', [memory('1'), outcome('1'), cpu('2'), outcome('2')], 'memory', '1 done'],
    ['of a field below', [cpu('1'), memory('2'), outcome('1', 'failed')], 'cpu', '1 failed'],
    ['by the one who made it', [intent('1', 'a'), outcome('1'), cpu('2')], 'memory', '1 done'],
    ['by nobody', [cpu('1')], 'memory', undefined],
  ];
  for (const [name, drafts, field, want] of cases)
    it(name, () => {
      const touch = lastTouch(entries(drafts), field);
      assert.equal(touch && `${touch.intent.trace} ${touch.outcome?.result ?? 'open'}`, want);
    });
});
