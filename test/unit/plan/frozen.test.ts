import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import type { RolloutRecord, Stage } from '../../../reconciler/model/release.ts';
import type { Assignment, Placement, Report } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import { IMAGES, run, type Scene } from '../../support/scene.ts';

const CANARY = { canary: { replicas: 1, pause: 500 } };
const DEADLINE = { progressDeadline: 600 };
const FAILED = { at: 1, why: 'w', back: false };

interface Case extends Scene {
  readonly name: string;
  /** A letter a replica: the image that each is given. */
  readonly gives: string;
  /** Absent when there is nothing to remember. */
  readonly stage?: Stage;
  /** It is remembered that none has served. */
  readonly untried?: true;
}

/** Those with `frozen` stand still by what Git says; a star was told to, and may be told only now to go on. */
const cases: readonly Case[] = [
  { name: 'what changes waits', standing: 'o* o*', frozen: true, gives: 'oo', stage: 'frozen' },
  { name: 'also with the same commit', standing: 'o+ o+', frozen: true, gives: 'oo', stage: 'frozen' },
  {
    name: 'a canary that stands still proves nothing',
    standing: 'n* o* o*',
    how: CANARY,
    frozen: true,
    record: { given: 1, canaryAt: 0 },
    gives: 'noo',
    stage: 'frozen',
  },
  {
    name: 'nor does it when all are told to go on, and none has yet',
    standing: 'n* o* o*',
    how: CANARY,
    record: { given: 1, canaryAt: 0 },
    gives: 'noo',
    stage: 'frozen',
  },
  {
    name: 'then its pause begins anew',
    standing: 'n+ o+ o+',
    how: CANARY,
    record: { given: 1 },
    gives: 'noo',
    stage: 'paused',
  },
  { name: 'no change is over by it', standing: 'n* n*', frozen: true, record: {}, gives: 'nn', stage: 'frozen' },
  { name: 'nor when they are told to go on', standing: 'n* n*', record: {}, gives: 'nn', stage: 'frozen' },
  {
    name: 'no patience ends meanwhile',
    standing: 'n- o+',
    how: DEADLINE,
    frozen: true,
    record: { given: 1, stuckSince: 0 },
    gives: 'no',
    stage: 'frozen',
  },
  {
    name: 'nobody goes back meanwhile',
    standing: 'n* n* o*',
    how: DEADLINE,
    frozen: true,
    record: { given: 2, failed: FAILED },
    gives: 'nno',
    stage: 'reverting',
  },
  {
    name: 'nor has gone back by it',
    standing: 'o* o*',
    how: DEADLINE,
    frozen: true,
    record: { given: 2, failed: FAILED },
    gives: 'oo',
    stage: 'reverting',
  },
  {
    name: 'its revert, before anybody has it, ends it',
    standing: 'o* o*',
    image: 'old',
    frozen: true,
    record: { version: 'v' },
    gives: 'oo',
  },
  {
    name: 'its revert, where one has it, waits as well',
    standing: 'o* x* o*',
    image: 'old',
    frozen: true,
    record: { version: 'v' },
    gives: 'oxo',
    stage: 'frozen',
  },
  {
    name: 'what comes new is what the others are',
    standing: 'o* --',
    frozen: true,
    record: {},
    gives: 'oo',
    stage: 'frozen',
  },
  { name: 'what has come up nowhere is mended all the same', standing: 'o- o-', frozen: true, gives: 'nn' },
  {
    name: 'that is seen later where one was only starting',
    standing: 'o. o-',
    frozen: true,
    gives: 'oo',
    stage: 'frozen',
    untried: true,
  },
  { name: 'and mended then', standing: 'o- o-', frozen: true, record: { untried: true }, gives: 'nn' },
  {
    name: 'not where one came up meanwhile',
    standing: 'o* o-',
    frozen: true,
    record: { untried: true },
    gives: 'oo',
    stage: 'frozen',
  },
  {
    name: 'nor what was given up',
    standing: 'o- o-',
    frozen: true,
    record: { untried: true, failed: FAILED },
    gives: 'oo',
    stage: 'stopped',
    untried: true,
  },
  {
    name: 'nor where one did before, though none serves now',
    standing: 'o- o-',
    frozen: true,
    record: {},
    gives: 'oo',
    stage: 'frozen',
  },
  {
    name: 'not so where something serves',
    standing: 'o- o*',
    frozen: true,
    gives: 'oo',
    stage: 'frozen',
  },
  { name: 'where it leads is seen', standing: 'o* o*', frozen: true, whole: true, gives: 'nn' },
  // without a block
  {
    name: 'no container is replaced, block or none',
    standing: 'o* o+',
    how: 'none',
    frozen: true,
    gives: 'oo',
    stage: 'frozen',
  },
  {
    name: 'nor before those have gone on that are told to',
    standing: 'o* o+',
    how: 'none',
    gives: 'oo',
    stage: 'frozen',
  },
  {
    name: 'but those that serve nobody',
    standing: 'o* o-',
    how: 'none',
    frozen: true,
    gives: 'on',
    stage: 'frozen',
  },
  {
    name: 'what moves or comes new is what the others are',
    standing: 'n* o* --',
    how: 'none',
    frozen: true,
    gives: 'noo',
    stage: 'frozen',
  },
  {
    name: 'or were, where all are on their way',
    standing: '-- --',
    how: 'none',
    frozen: true,
    record: {},
    gives: 'oo',
    stage: 'frozen',
  },
  { name: 'where nothing waits nothing is remembered', standing: 'n* --', how: 'none', frozen: true, gives: 'nn' },
  { name: 'nor of what waits for a turn', standing: 'o+ --', how: 'none', record: {}, gives: 'on' },
  { name: 'after it they have their turns', standing: 'o+ o+', how: 'none', gives: 'no' },
];

describe('while an App stands still', () => {
  for (const { name, gives, stage, untried, ...scene } of cases)
    it(name, () => {
      const { replicas, record } = run(scene);
      const letters = replicas.map(({ spec }) => Object.keys(IMAGES).find((letter) => IMAGES[letter] === spec.image));
      assert.deepEqual([letters.join(''), record?.stage, record?.untried], [gives, stage, untried]);
      for (const { spec } of replicas) assert.equal(spec.frozen, scene.frozen, 'that itself takes no turn');
      if (stage === 'frozen')
        assert.deepEqual([record?.until, record?.canaryAt, record?.stuckSince], [undefined, undefined, undefined]);
    });

  it('a change says what it waits for', () => {
    const said = (scene: Scene): string | undefined => run({ ...scene, frozen: true }).record?.message;
    assert.equal(
      said({ standing: 'n* o*', record: {} }),
      'web: 1 of 2 replicas have r1 (new); what is left of the change waits until web goes on (spec.frozen)',
    );
    assert.match(
      said({ standing: 'n* o*', how: DEADLINE, record: { failed: FAILED } }) ?? '',
      /go back to r0 \(old\), once web goes on \(spec\.frozen\)$/,
    );
    const { progress, record } = run({ standing: 'o* o* o*', how: 'none', frozen: true, full: true });
    assert.deepEqual([progress.full, progress.waiting.length], [undefined, 3]);
    assert.equal(
      record?.message,
      'web: 0 of 3 replicas have r1 (new); what is left of the change waits until web goes on (spec.frozen)',
    );
  });

  for (const rollout of [undefined, { minReady: 0, autoRevert: false }])
    it(`one that moves keeps what it was, ${rollout ? 'with' : 'without'} a block, also while no host is told it`, () => {
      const catalog = (image: string, frozen?: true): Catalog =>
        catalogOf({
          hosts: hostsOf(2),
          apps: { web: { image, ...(rollout ? { rollout } : {}), ...(frozen ? { frozen } : {}) } },
        });
      const { cpu, memory, pids } = resources(100);
      const home = { zone: 'main', host: 'h1', network: 'net', address: '10.1.0.10' };
      const placed: Placement = { app: 'web', replica: 'web-0', ...home, demand: { cpu, memory, pids }, epoch: 1 };
      let previous: ReadonlyMap<string, Assignment> = new Map();
      let records: readonly RolloutRecord[] = [];
      let reports: readonly Report[] = [];
      const pass = (wish: Catalog, placement: Placement): readonly string[] => {
        const placements = new Map([['web-0', placement]]);
        const next = project({ author: 'Ann', placements, now: 0, catalog: wish, previous, reports, records });
        records = next.records;
        previous = new Map(next.assignments.map((one) => [one.host, one]));
        return next.assignments.flatMap(({ host, replicas }) => replicas.map(({ spec }) => `${host} ${spec.image}`));
      };
      const stands = { phase: 'Frozen', ready: true, restarts: 0, fingerprint: 'f' } as const;
      assert.deepEqual(pass(catalog('v1', true), placed), ['h1 v1']);
      const incarnation = incarnationOf(previous.get('h1')?.replicas[0] ?? assert.fail());
      reports = [reportOf('h1', {}, { generation: 1, replicas: [{ id: 'web-0', ...stands, incarnation }] })];
      assert.deepEqual(pass(catalog('v2', true), placed), ['h1 v1']);
      const moved = { ...placed, host: 'h2', epoch: 2, from: 'h1' };
      assert.deepEqual(pass(catalog('v2', true), moved), [], 'its old host has yet to let it go');
      const there = previous.get('h1')?.generation ?? 0;
      reports = [reportOf('h1', {}, { generation: there }), reportOf('h2', {}, { generation: 1 })];
      assert.deepEqual(pass(catalog('v2', true), moved), ['h2 v1']);
    });

  it('nobody waits for it who changes with the same revision', () => {
    const rollout = { minReady: 0, autoRevert: false };
    const apps = { a: { level: 0, rollout }, b: { level: 3, rollout } };
    const { cpu, memory, pids } = resources(100);
    const placements = new Map(
      Object.keys(apps).map((app, at) => {
        const where = { zone: 'main', host: 'h1', network: 'net', address: `10.1.0.${String(10 + at)}` };
        return [`${app}-0`, { app, replica: `${app}-0`, ...where, demand: { cpu, memory, pids }, epoch: 1 }];
      }),
    );
    const sketch = (image: string, frozen?: true) => ({
      hosts: hostsOf(1),
      apps: { a: { ...apps.a, image }, b: { ...apps.b, image, ...(frozen ? { frozen } : {}) } },
    });
    const base = { author: 'Ann', placements, now: 0 };
    const first = project({ ...base, catalog: catalogOf(sketch('v1')), previous: new Map(), reports: [] });
    const previous = new Map(first.assignments.map((one) => [one.host, one]));
    const reports = [reportOf('h1', {}, { generation: 1 })];
    const stages = (frozen?: true): readonly string[] =>
      project({ ...base, catalog: catalogOf(sketch('v2', frozen)), previous, reports }).records.map(
        ({ app, stage }) => `${app} ${stage}`,
      );
    assert.deepEqual(stages(), ['a queued', 'b rolling']);
    assert.deepEqual(stages(true), ['a rolling', 'b frozen']);
  });
});
