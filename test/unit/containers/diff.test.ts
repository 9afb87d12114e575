import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Known, Observed } from '../../../reconciler/model/change.ts';
import { canonical, fingerprint } from '../../../reconciler/model/fingerprint.ts';
import type { ContainerSpec, ContainerState, SandboxState } from '../../../reconciler/model/resources.ts';
import { diff } from '../../../providers/containers/diff.ts';
import { fixedPart, fixedSandboxPart } from '../../../providers/containers/spec.ts';
import type { State } from '../../../providers/containers/state.ts';
import { wantContainer, wantImage, wantSandbox } from '../../support/containers.ts';

const sandbox = wantSandbox('web-0');
const container = wantContainer('web-0');

function seenSandbox(change: Partial<SandboxState> = {}): Known<State> {
  const fixed = fixedSandboxPart(sandbox.spec);
  const state = {
    id: 's1',
    running: true,
    status: 'running',
    fingerprint: fingerprint(fixed),
    made: canonical(fixed),
    ...change,
  };
  return { known: true, ref: sandbox.ref, state, owned: true, version: state.id };
}

function seenContainer(change: Partial<ContainerState> = {}): Known<State> {
  const fixed = fixedPart(container.spec);
  const state = {
    id: 'c1',
    status: 'running',
    image: 'sha256:1',
    sandbox: 's1',
    fingerprint: fingerprint(fixed),
    made: canonical(fixed),
    ...change,
  };
  return { known: true, ref: container.ref, state, owned: true, version: state.id };
}

const cases: readonly { name: string; have: readonly Observed<State>[]; changes: readonly string[] }[] = [
  { name: 'all as wanted', have: [seenSandbox(), seenContainer()], changes: [] },
  { name: 'nothing there', have: [], changes: ['create sandbox new none', 'create container new none'] },
  { name: 'container missing', have: [seenSandbox()], changes: ['create container new none'] },
  {
    name: 'exited',
    have: [seenSandbox(), seenContainer({ status: 'exited', exitCode: 1 })],
    changes: ['update container exited restart'],
  },
  {
    name: 'created, never started',
    have: [seenSandbox(), seenContainer({ status: 'created' })],
    changes: ['update container exited restart'],
  },
  {
    name: 'dead',
    have: [seenSandbox(), seenContainer({ status: 'dead' })],
    changes: ['replace container exited recreate'],
  },
  {
    name: 'paused',
    have: [seenSandbox(), seenContainer({ status: 'paused' })],
    changes: ['update container drift none'],
  },
  {
    name: 'another spec',
    have: [seenSandbox(), seenContainer({ fingerprint: 'x' })],
    changes: ['replace container spec changed recreate'],
  },
  {
    name: 'another spec, exited',
    have: [seenSandbox(), seenContainer({ fingerprint: 'x', status: 'exited' })],
    changes: ['replace container spec changed recreate'],
  },
  {
    name: 'cut off',
    have: [seenSandbox(), seenContainer({ sandbox: '' })],
    changes: ['replace container drift recreate'],
  },
  {
    name: 'sandbox dead',
    have: [seenSandbox({ status: 'exited', running: false }), seenContainer({ sandbox: '' })],
    changes: ['replace sandbox exited recreate', 'replace container drift recreate'],
  },
  {
    name: 'sandbox paused',
    have: [seenSandbox({ status: 'paused' }), seenContainer()],
    changes: ['update sandbox drift none'],
  },
  {
    name: 'another sandbox spec',
    have: [seenSandbox({ fingerprint: 'x' }), seenContainer()],
    changes: ['replace sandbox spec changed recreate', 'replace container spec changed recreate'],
  },
  {
    name: 'another sandbox spec, container exited',
    have: [seenContainer({ status: 'exited' }), seenSandbox({ fingerprint: 'x' })],
    changes: ['replace sandbox spec changed recreate', 'replace container spec changed recreate'],
  },
  {
    name: 'another sandbox spec, no container',
    have: [seenSandbox({ fingerprint: 'x' })],
    changes: ['replace sandbox spec changed recreate', 'create container new none'],
  },
  {
    name: 'a stranger has the name',
    have: [seenSandbox(), { ...seenContainer({ fingerprint: '' }), owned: false }],
    changes: [],
  },
  {
    name: 'container unknown',
    have: [seenSandbox({ fingerprint: 'x' }), { known: false, ref: container.ref, why: 'no answer' }],
    changes: ['replace sandbox spec changed recreate'],
  },
];

/** Of a container that is to stand still. */
const still: typeof cases = [
  {
    name: 'somebody ends it',
    have: [seenSandbox(), seenContainer({ status: 'running', stopping: true })],
    changes: [],
  },
  {
    name: 'somebody ends it, and it was frozen since',
    have: [seenSandbox(), seenContainer({ status: 'paused', stopping: true })],
    changes: ['update container drift none'],
  },
  { name: 'it does', have: [seenSandbox(), seenContainer({ status: 'paused' })], changes: [] },
  { name: 'it runs', have: [seenSandbox(), seenContainer()], changes: ['update container drift none'] },
  {
    name: 'it has ended',
    have: [seenSandbox(), seenContainer({ status: 'exited' })],
    changes: ['update container exited restart'],
  },
  {
    name: 'it is of another spec',
    have: [seenSandbox(), seenContainer({ status: 'paused', fingerprint: 'x' })],
    changes: ['replace container spec changed recreate'],
  },
];

function words(changes: ReturnType<typeof diff>): readonly string[] {
  return changes.map(
    (change) => `${change.verb} ${change.ref.replace('/web-0', '')} ${change.because} ${change.disruption}`,
  );
}

describe('the diff of a sandbox and its container', () => {
  for (const { name, have, changes } of cases)
    it(name, () => {
      assert.deepEqual(words(diff([sandbox, container], have)), changes);
    });

  for (const { name, have, changes } of still)
    it(`that is to stand still: ${name}`, () => {
      assert.deepEqual(words(diff([sandbox, wantContainer('web-0', { frozen: true })], have)), changes);
    });

  it('removes what is ours and no longer wanted, with what was seen as guard', () => {
    const [first, second, ...rest] = diff([], [seenSandbox(), seenContainer()]);
    assert.deepEqual(
      [first?.verb, first?.guard, second?.verb, second?.guard, rest],
      ['delete', 's1', 'delete', 'c1', []],
    );
    assert.deepEqual(diff([], [{ ...seenContainer(), owned: false }]), []);
  });

  it('names the fields that differ, or the fingerprints where it is not known what it was made from', () => {
    const other = wantContainer('web-0', { env: { A: '1' }, user: '7' });
    assert.deepEqual(diff([other], [seenContainer()])[0]?.fields, [
      { path: '/env', have: {}, want: { A: '1' } },
      { path: '/user', have: undefined, want: '7' },
    ]);
    for (const made of [undefined, '{', 'null'])
      assert.deepEqual(
        diff([other], [seenContainer(made === undefined ? { made: '' } : { made })])[0]?.fields.map(
          (field) => field.path,
        ),
        ['/fingerprint'],
      );
  });

  it('makes a missing image present, and leaves the others', () => {
    const image = wantImage('busybox:1');
    const seen = { known: true, ref: image.ref, state: { id: 'sha256:1' }, owned: false } as const;
    assert.deepEqual(
      diff([image], []).map((change) => change.verb),
      ['create'],
    );
    assert.deepEqual(diff([image], [seen]), []);
    assert.deepEqual(diff([], [seen]), []);
  });
});

describe('the fingerprint of a container', () => {
  const base = container.spec;
  const mark = (spec: ContainerSpec): string => fingerprint(fixedPart(spec));
  const differ: Partial<ContainerSpec>[] = [
    { image: 'other' },
    { command: ['x'] },
    { args: [] },
    { env: { A: '' } },
    { user: 'nobody' },
    { workdir: '/' },
    { openFiles: 1 },
    { ulimits: { core: { soft: 0, hard: 0 } } },
    { volumes: [{ path: '/t', tmpfs: 1 }] },
  ];
  for (const change of differ)
    it(`changes with ${Object.keys(change).join()}`, () => {
      assert.notEqual(mark({ ...base, ...change }), mark(base));
    });
  it('does not change with limits and stop, which are changed in place', () => {
    const resources = { cpu: 1, shares: 2, memory: 3, swap: 4, pids: 5 };
    assert.equal(mark({ ...base, resources, stop: { signal: 'SIGHUP', grace: 1 } }), mark(base));
  });
});
