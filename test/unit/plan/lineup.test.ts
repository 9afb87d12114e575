import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RolloutRecord } from '../../../reconciler/model/release.ts';
import type { Assignment, Placement, ReplicaReport, Report } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { lineup, type Lineup } from '../../../reconciler/plan/lineup.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources, type Sketch } from '../../support/catalog.ts';

type Web = NonNullable<NonNullable<Sketch['apps']>[string]>;

const { cpu, memory, pids } = resources(100);
const placements = new Map(
  [0, 1, 2, 3].map((n): [string, Placement] => {
    const replica = `web-${String(n)}`;
    const where = { zone: 'main', host: `h${String(n + 1)}`, network: 'net', address: `10.1.0.${String(n + 10)}` };
    return [replica, { replica, app: 'web', ...where, demand: { cpu, memory, pids }, epoch: 1 }];
  }),
);

/** A fleet with App web that runs image `old` everywhere. */
function fleet(): {
  /** One pass of a controller; gives what `explain` says after it. */
  readonly pass: (web: Web, now?: number, lost?: readonly string[]) => Lineup;
  /** All hosts say how they are: as they were told, but for those named. */
  readonly report: (but?: Readonly<Record<string, Partial<ReplicaReport>>>) => void;
} {
  let previous: ReadonlyMap<string, Assignment> = new Map();
  let reports: readonly Report[] = [];
  let records: readonly RolloutRecord[] = [];
  const report = (but: Readonly<Record<string, Partial<ReplicaReport>>> = {}): void => {
    reports = [...previous.values()].map(({ host, generation, replicas }) => {
      const said = replicas.map((one) => ({
        ...{ id: one.id, phase: 'Ready' as const, ready: true, restarts: 0, fingerprint: 'f' },
        incarnation: incarnationOf(one),
        ...but[one.id],
      }));
      return reportOf(host, {}, { generation, replicas: said });
    });
  };
  const pass = (web: Web, now = 1000, lost: readonly string[] = []): Lineup => {
    const catalog = catalogOf({ hosts: hostsOf(4), apps: { web: { replicas: 4, maxUnavailable: 1, ...web } } });
    const seen = { catalog, placements, reports, lost: new Set(lost), now };
    const next = project({ ...seen, author: '', previous, records });
    previous = new Map(next.assignments.map((one) => [one.host, one]));
    records = next.records;
    return lineup({ ...seen, previous, records }, 'web') ?? assert.fail();
  };
  pass({ image: 'old' });
  report();
  return { pass, report };
}

const told = ({ replicas }: Lineup): readonly string[] =>
  replicas.map(({ replica, image = '', step = '-', waits = '-' }) => `${replica} ${image} ${String(step)} ${waits}`);

const rollout = { minReady: 0, autoRevert: true };

describe('what a replica waits for while its App changes', () => {
  it('is nothing where all serve as Git says', () => {
    const found = fleet().pass({ image: 'old' });
    assert.equal(found.message, 'web: 4 of 4 replicas serve as Git says');
    assert.equal(found.stage, undefined);
    assert.deepEqual(
      found.replicas.map(({ differs, serves, waits }) => [differs, serves, waits]),
      Array(4).fill([[], true, undefined]),
    );
  });

  it('is those before it, with its step and the fields that are not as Git says, also without a rollout block', () => {
    const { pass } = fleet();
    const found = pass({ image: 'new' });
    assert.equal(
      found.message,
      'web: 3 of 4 replicas are not yet told what Git says, 3 steps to go; web-0 must serve first',
    );
    assert.deepEqual(told(found), [
      'web-0 new - h1 has not said yet that it has done what it was told',
      'web-1 old 1 web-0 must serve first',
      'web-2 old 2 web-0 must serve first',
      'web-3 old 3 web-0 must serve first',
    ]);
    assert.deepEqual(found.replicas[1]?.differs, ['image']);
  });

  it('is what its host says of it, or that it is lost', () => {
    const { pass, report } = fleet();
    pass({ image: 'new' });
    report({ 'web-0': { ready: false, reason: 'ImageUnavailable', message: 'no such image' } });
    assert.equal(pass({ image: 'new' }).replicas[0]?.waits, 'ImageUnavailable: no such image');
    assert.equal(pass({ image: 'new' }, 1000, ['h1']).replicas[0]?.waits, 'h1 is lost');
  });

  it('is the canary, then the end of its pause', () => {
    const { pass, report } = fleet();
    const web: Web = { image: 'new', rollout: { ...rollout, canary: { replicas: 1, pause: 60_000 } } };
    pass(web);
    report({ 'web-0': { phase: 'Starting', ready: false } });
    const canary = pass(web);
    assert.match(canary.message, /goes to web-0 first; the others wait until that serves$/);
    assert.deepEqual(told(canary).slice(0, 2), ['web-0 new - Starting', 'web-1 old 1 web-0 must serve first']);
    report();
    const paused = pass(web);
    assert.deepEqual([paused.stage, paused.until], ['paused', 61_000]);
    assert.equal(told(paused)[2], 'web-2 old 2 the pause after the first ones is not over');
  });

  it('is told of a change that was given up, and what goes back', () => {
    const { pass, report } = fleet();
    const web: Web = { image: 'new', rollout: { ...rollout, progressDeadline: 10_000 } };
    pass(web);
    report({ 'web-0': { ready: false, reason: 'CrashLoop', message: 'exit 1' } });
    assert.equal(pass(web).until, 11_000);
    assert.match(pass(web, 11_000).message, /was given up, .* its replicas go back/);
    report();
    const back = pass(web, 12_000);
    assert.equal(back.stage, 'reverted');
    assert.deepEqual(told(back)[0], 'web-0 old - it is as before the change, which was given up');
  });

  it('is nothing more of one that stays given up', () => {
    const { pass, report } = fleet();
    const web: Web = { image: 'new', rollout: { ...rollout, autoRevert: false, progressDeadline: 10_000 } };
    pass(web);
    report({ 'web-0': { ready: false, reason: 'CrashLoop', message: 'exit 1' } });
    pass(web);
    const stopped = pass(web, 11_000);
    assert.equal(stopped.stage, 'stopped');
    assert.deepEqual(told(stopped).slice(0, 2), [
      'web-0 new - CrashLoop: exit 1',
      'web-1 old - no more get the change: it was given up',
    ]);
  });

  it('is its Zone, where another App of it goes first', () => {
    const apps = (image: string): Sketch => ({
      ...{ hosts: hostsOf(4), zones: { main: { disruption: { maxUnavailable: { count: 1 } } } } },
      apps: {
        web: { replicas: 4, maxUnavailable: 1, image, level: 0 },
        api: { replicas: 1, maxUnavailable: 1, image, level: 9 },
      },
    });
    const both = new Map(placements);
    const web = placements.get('web-0') ?? assert.fail();
    both.set('api-0', { ...web, replica: 'api-0', app: 'api', address: '10.1.0.19' });
    const seen = { placements: both, lost: new Set<string>(), records: [], now: 1000 };
    const first = project({
      ...{ ...seen, catalog: catalogOf(apps('old')), author: '', previous: new Map(), reports: [] },
    });
    const reports = first.assignments.map(({ host, generation, replicas }) => {
      const well = { phase: 'Ready' as const, ready: true, restarts: 0, fingerprint: 'f' };
      const said = replicas.map((one) => ({ id: one.id, ...well, incarnation: incarnationOf(one) }));
      return reportOf(host, {}, { generation, replicas: said });
    });
    const previous = new Map(first.assignments.map((one) => [one.host, one]));
    const wish = { ...seen, catalog: catalogOf(apps('new')), previous, reports };
    assert.equal(lineup(wish, 'api')?.replicas[0]?.waits, 'it is its turn');
    assert.match(lineup(wish, 'web')?.replicas[0]?.waits ?? '', /main/);
  });

  it('is that the App goes on where it stands still', () => {
    const { pass } = fleet();
    const found = pass({ image: 'new', frozen: true, rollout });
    assert.equal(found.replicas[0]?.waits, 'web stands still (spec.frozen)');
  });
});
