import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { AppSpec } from '../../../reconciler/model/catalog.ts';
import { formOf, plugOf } from '../../../reconciler/model/form.ts';
import { replicaId } from '../../../reconciler/model/replica.ts';
import type { AssignedReplica, Placement, ReplicaReport } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { rollout } from '../../../reconciler/plan/rollout.ts';
import type { Rollout } from '../../../reconciler/plan/rollout.ts';
import { UNLIMITED } from '../../support/budget.ts';
import { appSpec, catalogOf, resources } from '../../support/catalog.ts';

function placementOf(ordinal: number, change: Partial<Placement> = {}): Placement {
  const { cpu, memory, pids } = resources(1000, 1024, 100);
  return {
    replica: replicaId('web', ordinal),
    app: 'web',
    zone: 'main',
    host: 'h1',
    network: 'net',
    address: `10.1.0.${String(10 + ordinal)}`,
    demand: { cpu, memory, pids },
    epoch: 1,
    ...change,
  };
}

/**
 * One letter a replica: r ready as assigned, n not ready and failing, s starting, g without a container, o ready but still
 * the incarnation before, d ready as it is to be, i the same but not yet held to it, j the same but failing, u ready in an incarnation that is not known, w ready but not held to what it was last told, l held to it but ready for too short, b ready with more than the others, q not reported, x never assigned, - unplaced.
 */
function run(
  standing: string,
  before: Partial<AppSpec>,
  after: Partial<AppSpec>,
  moved: Partial<Placement> = {},
): Rollout {
  const replicas = standing.length;
  const app = catalogOf({ apps: { web: { replicas, ...after } }, revision: 'new' }).apps.get('web');
  assert.ok(app);
  const network = (name: string): ReturnType<Parameters<typeof rollout>[0]['network']> =>
    catalogOf({ networks: { net: { egress: 5_000_000 } } }).networks.get(name)?.spec;
  const placements = new Map<string, Placement>();
  const current = new Map<string, AssignedReplica>();
  const reports = new Map<string, ReplicaReport>();
  [...standing].forEach((letter, ordinal) => {
    const id = replicaId('web', ordinal);
    if (letter === '-') return;
    placements.set(id, placementOf(ordinal, moved));
    if (letter === 'x') return;
    const origin = { revision: 'old', file: 'web.yaml', line: 1, column: 1 };
    const fields = { '/spec/image': { ...origin, line: 7 }, '/spec/level': { ...origin, line: 8 } };
    const done = 'dij'.includes(letter) ? after : {};
    const refused = letter === 'w' ? { resources: resources(250) } : {};
    const big = letter === 'b' ? { resources: resources(900, 256, 64) } : {};
    const spec = appSpec({ replicas, egress: 5_000_000, ...before, ...done, ...refused, ...big });
    const wired = network('net') ?? assert.fail();
    const placement = placementOf(ordinal);
    const assigned = { id, app: 'web', owner: 'team', spec, placement, origin, fields, plug: plugOf(wired) };
    current.set(id, assigned);
    if (letter === 'q') return;
    const ready = 'roudiewlb'.includes(letter);
    const incarnation = letter === 'o' ? 'another' : incarnationOf(assigned);
    reports.set(id, {
      id,
      phase: ready ? 'Ready' : 'Starting',
      ready,
      restarts: 0,
      ...(letter === 'u' ? {} : { incarnation }),
      ...(letter === 'g' ? {} : { fingerprint: 'f' }),
      ...('dij'.includes(letter) ? { form: letter === 'i' ? 'another' : formOf(assigned) } : {}),
      ...(letter === 'l' ? { form: formOf(assigned), settlesAt: 9 } : {}),
      ...(letter === 'e' ? { form: '' } : letter === 'w' ? { form: 'another' } : {}),
      ...('nj'.includes(letter) ? { reason: 'ProbeFailed' } : {}),
    });
  });
  return rollout({
    app,
    placements,
    current,
    reports,
    late: new Set(),
    network,
    told: () => undefined,
    mayPlug: () => true,
    disruption: UNLIMITED,
    record: undefined,
    revision: 'new',
    now: 0,
    ahead: () => undefined,
  });
}

/** Ordinals that have the new image now. */
function updated({ replicas }: Rollout, image = 'new'): readonly number[] {
  return replicas.flatMap(({ spec, id }) => (spec.image === image ? [Number(id.slice(4))] : []));
}

interface Case {
  readonly name: string;
  readonly standing: string;
  readonly maxUnavailable?: number;
  readonly updated: readonly number[];
}

const cases: readonly Case[] = [
  { name: 'one at a time', standing: 'rrr', updated: [0] },
  { name: 'two at a time', standing: 'rrr', maxUnavailable: 2, updated: [0, 1] },
  { name: 'all at a time', standing: 'rrr', maxUnavailable: 9, updated: [0, 1, 2] },
  { name: 'what does not serve goes first', standing: 'rrn', updated: [2] },
  { name: 'all that do not serve go freely', standing: 'rnn', updated: [1, 2] },
  { name: 'what has no container goes freely', standing: 'rgr', updated: [1] },
  { name: 'one that only starts is away but not free to go', standing: 'rsr', updated: [] },
  { name: 'one in an unknown incarnation is away but not free to go', standing: 'uuu', maxUnavailable: 2, updated: [] },
  { name: 'one without a report is away but not free to go', standing: 'qqr', maxUnavailable: 2, updated: [] },
  { name: 'one away leaves room for one more of two', standing: 'rrn', maxUnavailable: 2, updated: [0, 2] },
  { name: 'ready, but not yet in the incarnation that was assigned, is away', standing: 'ror', updated: [1] },
  { name: 'a replica that was never assigned starts with the new and counts as away', standing: 'rrx', updated: [2] },
  { name: 'one without a host counts as away', standing: 'rr-', updated: [] },
  { name: 'nothing to wait for', standing: '---', updated: [] },
];

describe('rollout', () => {
  for (const { name, standing, maxUnavailable = 1, updated: expected } of cases)
    it(name, () => {
      const result = run(standing, { image: 'old' }, { image: 'new', maxUnavailable });
      assert.deepEqual(updated(result), expected);
      const placed = [...standing].filter((letter) => letter !== '-').length;
      assert.equal(result.progress.updated, expected.length);
      assert.equal(result.progress.waiting.length, placed - expected.length);
    });

  it('says what it waits for', () => {
    const { progress } = run('rrn', { image: 'old' }, { image: 'new' });
    assert.deepEqual(progress, {
      app: 'web',
      updated: 1,
      total: 3,
      waiting: ['web-0', 'web-1'],
      waitingFor: ['web-2'],
    });
    assert.deepEqual(run('rrn', {}, {}).progress, { app: 'web', updated: 3, total: 3, waiting: [], waitingFor: [] });
  });

  const check = { type: 'tcp', port: 80 } as const;
  const probes = { readiness: { check, period: 1000, timeout: 1000, failures: 1, successes: 1 } };
  const waving: readonly (readonly [string, Partial<AppSpec>])[] = [
    ['image', { image: 'new' }],
    ['command', { command: ['sh'] }],
    ['args', { args: ['-c'] }],
    ['env', { env: { A: '1' } }],
    ['user', { user: 'nobody' }],
    ['workdir', { workdir: '/' }],
    ['openFiles', { openFiles: 1024 }],
    ['ulimits', { ulimits: { core: { soft: 0, hard: 0 } } }],
    ['sysctls', { sysctls: { 'net.core.somaxconn': '1024' } }],
    ['volumes', { volumes: [{ path: '/tmp', tmpfs: 4096 }] }],
    ['probes', { probes }],
    ['resources, more of one and less of another,', { resources: { ...resources(50), shares: 1 } }],
  ];
  for (const [field, change] of waving)
    it(`${field} reaches one at a time, also when it is taken away again`, () => {
      assert.deepEqual(run('rrr', {}, change).progress.waiting, ['web-1', 'web-2']);
      const back = run('rrr', change, {});
      assert.deepEqual(back.progress.waiting, ['web-1', 'web-2']);
      assert.deepEqual(back.replicas[0]?.spec, appSpec({ replicas: 3, egress: 5_000_000 }));
      assert.deepEqual(back.replicas[1]?.spec, appSpec({ replicas: 3, egress: 5_000_000, ...change }));
    });

  const inPlace: readonly (readonly [string, Partial<AppSpec>])[] = [
    ['level', { level: 0 }],
    ['spread', { spread: { host: 1 } }],
    ['hosts', { hosts: { matchLabels: { a: 'b' } } }],
    ['restart', { restart: { backoff: 1, maxBackoff: 2, resetAfter: 3 } }],
    ['stop', { stop: { signal: 'SIGINT', grace: 1 } }],
    ['maxUnavailable', { maxUnavailable: 3 }],
  ];
  for (const [field, change] of inPlace)
    it(`${field} reaches all at once`, () => {
      const { replicas, progress } = run('rrr', {}, change);
      assert.deepEqual(progress.waiting, []);
      for (const { spec } of replicas) assert.deepEqual(spec, { ...spec, ...change });
    });

  it('gives those that wait what takes no turn, but not the limits, probes and stop signal that go with the new image', () => {
    const stop = { signal: 'SIGINT', grace: 1 };
    const after = { image: 'new', probes, stop, resources: resources(200), level: 0 };
    const { replicas } = run('rr', { image: 'old' }, after);
    const [first, second] = replicas;
    assert.deepEqual(first?.spec, { ...first?.spec, ...after });
    assert.deepEqual(second?.spec, appSpec({ replicas: 2, image: 'old', egress: 5_000_000, level: 0 }));
    assert.equal(second.fields['/spec/image']?.revision, 'old');
    assert.equal(second.fields['/spec/level'], undefined);
  });

  const less = { resources: resources(200) };
  const more = { resources: { ...resources(300), quota: 900 } };
  const most = { resources: resources(400, 128, 32) };
  const forms: readonly (readonly [string, string, Partial<AppSpec>, Partial<AppSpec>, readonly number[]])[] = [
    ['less goes one at a time', 'rrrr', more, less, [0]],
    ['no more of it while one is not yet held to it', 'irrr', more, less, [0]],
    ['nor while it is not known what one is held to', 'errr', more, less, []],
    ['what is not held to anything wanted is told that first', 'wrrr', more, less, [0]],
    ['and so is what is to have more', 'rwrr', less, more, [1]],
    ['also with another image', 'wrrr', more, { ...less, image: 'new' }, [0]],
    ['but not what has yet to prove itself', 'lrrr', more, less, []],
    ['no more of them than may be away', 'wwrr', more, less, []],
    ['less goes on one at a time', 'drrr', more, less, [0, 1]],
    ['more goes to one first', 'rrrr', more, most, [0]],
    ['and no further while that one is not held to it', 'irrr', more, most, [0]],
    ['nor while that is not known of one', 'errr', more, most, []],
    ['or does not serve with it', 'jrrr', more, most, [0]],
    ['then to all others at once', 'drrr', more, most, [0, 1, 2, 3]],
    ['a higher rate is more', 'drrr', {}, { egress: 9_000_000 }, [0, 1, 2, 3]],
    ['a lower one is less', 'drrr', {}, { egress: 1_000_000 }, [0, 1]],
    ['more of one and less of another is less', 'drrr', less, { resources: { ...resources(300), shares: 1 } }, [0, 1]],
    ['more for some and less for others, after a push in its middle, is less', 'drbb', less, most, [0, 1]],
    ['more with another image is no mere growth', 'drrr', less, { ...most, image: 'new' }, [0, 1]],
  ];
  for (const [name, standing, before, after, have] of forms)
    it(`in place: ${name}`, () => {
      const { replicas, progress } = run(standing, before, after);
      const want = { ...appSpec({ egress: 5_000_000 }), ...after };
      const held = replicas.filter(
        ({ spec }) =>
          spec.egress === want.egress && spec.image === want.image && isDeepStrictEqual(spec.resources, want.resources),
      );
      assert.deepEqual(
        held.map(({ id }) => Number(id.slice(4))),
        have,
      );
      assert.equal(progress.waiting.length, standing.length - have.length);
    });

  it('takes rates from the Network unless the App has its own', () => {
    assert.equal(run('r', {}, {}).replicas[0]?.spec.egress, 5_000_000);
    assert.equal(run('r', {}, { egress: 7 }).replicas[0]?.spec.egress, 7);
  });

  it('follows a new placement at once, and waits with a new Network for its placement', () => {
    const there = { network: 'other', address: '10.2.0.10' };
    const moved = run('rr', {}, { network: 'other' }, there);
    assert.deepEqual(
      moved.replicas.map(({ spec }) => spec.network),
      ['other', 'other'],
    );
    assert.deepEqual(moved.progress.waiting, []);
    const late = run('rr', {}, { network: 'other' });
    assert.deepEqual(
      late.replicas.map(({ spec }) => spec.network),
      ['net', 'net'],
    );
    assert.deepEqual(late.progress.waiting, ['web-0', 'web-1']);
  });

  it('lets no limit outgrow what is reserved', () => {
    const { replicas } = run('rx', { resources: resources(500) }, { resources: resources(3000) });
    assert.deepEqual(
      replicas.map(({ spec }) => spec.resources.cpu),
      [500, 1000],
    );
  });
});
