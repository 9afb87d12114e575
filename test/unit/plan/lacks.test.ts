import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desired, Observed } from '../../../reconciler/model/change.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { gathered, lackLines, lacksOf } from '../../../reconciler/plan/lacks.ts';
import { ruleChanges } from '../../../reconciler/plan/reclaims.ts';
import { formatValue } from '../../../reconciler/plan/render.ts';
import { ORIGIN } from '../../support/changes.ts';

function told(...items: readonly (readonly [Ref, object])[]): ReadonlyMap<Ref, Desired> {
  return new Map(items.map(([ref, spec]) => [ref, { ref, spec, dependsOn: [], origin: ORIGIN }]));
}

function seen(ref: Ref, path: string, why: string): Observed {
  return { known: true, ref, owned: true, state: {}, limitations: [{ ref, path, state: 'Unsupported', why }] };
}

describe('new wishes that hosts cannot hold', () => {
  const before = told(['cgroup/a-0', { pids: 1 }], ['container/a-0', {}]);
  const after = told(
    ['cgroup/a-0', { pids: 1, high: 7 }],
    ['cgroup/a-1', { pids: 1, high: 7 }],
    ['container/a-0', { layer: 2 ** 30 }],
  );

  it('are told of all that ask for them, as far as something of that kind was seen there', () => {
    const on = (host: string, ...all: readonly Observed[]): ReturnType<typeof lacksOf> =>
      lacksOf(host, { before, after, seen: all });
    const found = gathered([
      ...on('h1', seen('cgroup/a-0', '/high', 'no file'), seen('container/b-0', '/layer', 'no quota')),
      ...on('h2', seen('cgroup/c-0', '/high', 'no file')),
      ...on('h3'),
    ]);
    assert.deepEqual(lackLines(found), [
      '/high of 4 cgroups on 2 hosts is Unsupported: no file',
      '/layer of container/a-0 on h1 is Unsupported: no quota',
    ]);
  });

  it('are not told of what was asked for before, or is not asked for', () => {
    const all = [seen('cgroup/a-0', '/high', 'no file'), seen('cgroup/a-0', '/swappiness', 'no file')];
    assert.deepEqual(lacksOf('h1', { before: after, after, seen: all }), []);
    assert.deepEqual(lacksOf('h1', { before: after, after: before, seen: all }), []);
  });
});

describe('rules by which memory is given back', () => {
  const rule = { above: 2 ** 29, window: 120_000, coolDown: 1_800_000 };
  const one = told(
    ['container/a-0', {}],
    ['memory/a-0', { ...rule, slot: { index: 0, of: 4 } }],
    ['memory/host', rule],
  );
  const none = told(['container/a-0', {}]);
  const lines = (changes: ReturnType<typeof ruleChanges>): readonly string[] =>
    changes.flatMap(({ ref, fields }) =>
      fields.map(({ path, have, want }) => `${ref} ${path} ${formatValue(path, have)} -> ${formatValue(path, want)}`),
    );

  it('are in the plan where they come, change and go', () => {
    assert.deepEqual(lines(ruleChanges(none, one)), [
      'memory/a-0 /above (none) -> 512Mi',
      'memory/a-0 /window (none) -> 2m',
      'memory/a-0 /coolDown (none) -> 30m',
      'memory/host /above (none) -> 512Mi',
      'memory/host /window (none) -> 2m',
      'memory/host /coolDown (none) -> 30m',
    ]);
    const other = told(['container/a-0', {}], ['memory/a-0', { ...rule, above: '50%' }], ['memory/host', rule]);
    assert.deepEqual(lines(ruleChanges(one, other)), ['memory/a-0 /above 512Mi -> 50%']);
    assert.deepEqual(lines(ruleChanges(other, none)).slice(0, 1), ['memory/a-0 /above 50% -> (none)']);
  });

  it('are not where they are the same, whatever the slot, or come and go with their replica', () => {
    assert.deepEqual(ruleChanges(one, told(['container/a-0', {}], ['memory/a-0', rule], ['memory/host', rule])), []);
    assert.deepEqual(ruleChanges(told(), told(['container/a-0', {}], ['memory/a-0', rule])), []);
  });
});
