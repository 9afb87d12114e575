import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptOf, versionOf } from '../../../reconciler/model/release.ts';
import type { RolloutRecord } from '../../../reconciler/model/release.ts';
import type { Assignment, Placement, Report } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { expand } from '../../../reconciler/plan/expand.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';

function placementsOf(...at: readonly string[]): ReadonlyMap<string, Placement> {
  return new Map(
    at.map((text, i) => {
      const [replica = '', host = ''] = text.split('@');
      const { cpu, memory, pids } = resources(100);
      const app = replica.slice(0, replica.lastIndexOf('-'));
      const address = `10.1.0.${String(10 + i)}`;
      const demand = { cpu, memory, pids };
      return [replica, { replica, app, zone: 'main', host, network: 'net', address, demand, epoch: 1 }];
    }),
  );
}

type Assignments = ReadonlyMap<string, Assignment>;

function step(
  sketch: Sketch,
  placements: ReadonlyMap<string, Placement>,
  previous: Assignments = new Map(),
  reports: readonly Report[] = [],
): Assignments {
  const catalog = catalogOf(sketch);
  const { assignments } = project({ catalog, author: 'Ann', placements, previous, reports, now: 0 });
  return new Map(assignments.map((assignment) => [assignment.host, assignment]));
}

/** All that a host was assigned serves. */
function ready({ host, generation, replicas }: Assignment): Report {
  const serving = replicas.map((replica) => ({
    id: replica.id,
    phase: 'Ready' as const,
    ready: true,
    restarts: 0,
    fingerprint: 'f',
    incarnation: incarnationOf(replica),
  }));
  return reportOf(host, {}, { generation, replicas: serving });
}

const ids = (assignment: Assignment | undefined): readonly string[] | undefined =>
  assignment?.replicas.map(({ id }) => id);

describe('project', () => {
  const hosts = hostsOf(2);
  const apps = { web: { replicas: 12 }, api: {} };
  const placements = placementsOf('web-10@h1', 'web-2@h1', 'api-0@h1', 'web-1@h2');

  it('tells all replicas of an App at once to stand still, whoever serves, and to go on', () => {
    const told = (assignments: Assignments): readonly unknown[] =>
      [...assignments.values()].flatMap((one) =>
        expand(one)
          .filter(({ ref }) => /^(container|cgroup)\/web/.test(ref))
          .map(({ spec }) => (spec as { frozen?: true }).frozen),
      );
    const before = step({ hosts, apps }, placements);
    assert.deepEqual(told(before), Array(6).fill(undefined));
    const frozen = { ...apps, web: { ...apps.web, frozen: true as const, maxUnavailable: 1 } };
    const after = step({ hosts, apps: frozen }, placements, before, []);
    assert.deepEqual(told(after), Array(6).fill(true));
    assert.deepEqual(told(step({ hosts, apps }, placements, after, [])), Array(6).fill(undefined));
  });

  it('gives each host its replicas and the Networks that they need, in order', () => {
    const networks = { net: {}, unused: { vlan: 20 } };
    const made = step({ hosts, apps, networks }, placements);
    assert.deepEqual(ids(made.get('h1')), ['api-0', 'web-2', 'web-10']);
    assert.deepEqual(ids(made.get('h2')), ['web-1']);
    assert.deepEqual(
      made.get('h2')?.networks.map(({ name }) => name),
      ['net'],
    );
    assert.equal(made.get('h1')?.generation, 1);
  });

  it('does not depend on the order of what it is given', () => {
    const backwards = new Map([...placements].reverse());
    assert.deepEqual(step({ hosts, apps }, backwards), step({ hosts, apps }, placements));
  });

  it('gives a replica that has moved to its new host only when the old one has let it go', () => {
    const first = step({ hosts, apps }, placements);
    const moved = new Map(placements);
    const web1 = placements.get('web-2');
    assert.ok(web1);
    moved.set('web-2', { ...web1, host: 'h2', epoch: 2, from: 'h1' });
    const second = step({ hosts, apps }, moved, first);
    assert.deepEqual([ids(second.get('h1')), ids(second.get('h2'))], [['api-0', 'web-10'], ['web-1']]);
    const again = (reports: readonly Report[], previous = second): readonly string[] | undefined => {
      const catalog = catalogOf({ hosts, apps });
      const { assignments } = project({ catalog, author: 'Ann', placements: moved, previous, reports, now: 0 });
      return ids(assignments.find(({ host }) => host === 'h2'));
    };
    assert.deepEqual(again([reportOf('h1', {}, { generation: 1 })]), ['web-1'], 'it has not heard');
    assert.deepEqual(again([reportOf('h1', {}, { generation: 2 })]), ['web-1', 'web-2']);
    const third = new Map(second);
    for (const one of project({
      catalog: catalogOf({ hosts, apps }),
      author: 'Ann',
      placements: moved,
      previous: second,
      reports: [reportOf('h1', {}, { generation: 2 })],
      now: 0,
    }).assignments)
      third.set(one.host, one);
    assert.deepEqual(again([], third), ['web-1', 'web-2'], 'what was let in stays in');
  });

  it('keeps the very Assignment while its content stays, whatever the revision', () => {
    const first = step({ hosts, apps }, placements);
    const second = step({ hosts, apps: { ...apps, api: { level: 1 } }, revision: 'rev2' }, placements, first);
    assert.equal(second.get('h2'), first.get('h2'));
    assert.equal(second.get('h1')?.generation, 2);
    assert.equal(second.get('h1')?.revision, 'rev2');
  });

  it('drops what nobody wants', () => {
    const first = step({ hosts, apps }, placements);
    assert.deepEqual(ids(step({ hosts, apps: { web: { replicas: 3 } } }, placements, first).get('h1')), ['web-2']);
  });

  it('keeps the entry of an App that has errors as it was', () => {
    const first = step({ hosts, apps }, placements);
    const second = step({ hosts, apps: { api: { image: 'new' } }, heldObjects: ['App/web'] }, placements, first);
    assert.deepEqual(ids(second.get('h1')), ['api-0', 'web-2', 'web-10']);
    assert.equal(second.get('h1')?.replicas[1]?.spec, first.get('h1')?.replicas[1]?.spec);
    assert.deepEqual(second.get('h1')?.keep, { apps: ['web'], owners: [] });
  });

  it('keeps replicas, Networks and knobs that went missing while a file of an owner has errors', () => {
    const tunings = { t: { sysctls: { 'vm.swappiness': '10' } } };
    const first = step({ hosts, apps, tunings }, placements);
    const second = step({ apps: {}, hosts: {}, networks: {}, heldOwners: ['team'] }, placements, first);
    assert.deepEqual(ids(second.get('h1')), ids(first.get('h1')));
    assert.deepEqual(second.get('h1')?.networks, first.get('h1')?.networks);
    assert.deepEqual(second.get('h1')?.tuning, first.get('h1')?.tuning);
    assert.deepEqual(second.get('h1')?.keep.owners, ['team']);
  });

  it('goes on behind the number that a host says it has, where the store knows of an earlier one', () => {
    const first = step({ hosts, apps }, placements);
    const numbers = (generation: number): readonly (number | undefined)[] => {
      const next = step({ hosts, apps }, placements, first, [reportOf('h1', {}, { generation })]);
      return ['h1', 'h2'].map((host) => next.get(host)?.generation);
    };
    assert.deepEqual(numbers(1), [1, 1]);
    assert.deepEqual(numbers(4), [5, 1]);
  });

  it('empties the Assignment of a host that has left the catalog', () => {
    const tunings = { t: { sysctls: { 'vm.swappiness': '10' } } };
    const first = step({ hosts, tunings }, new Map());
    const second = step({ hosts: hostsOf(1), tunings }, new Map(), first);
    assert.deepEqual([second.get('h2')?.tuning, second.get('h2')?.generation], [[], 2]);
    assert.equal(second.get('h1'), first.get('h1'));
  });

  it('gives a host the knobs of the Tunings that select it, with their lines', () => {
    const tunings = {
      b: { sysctls: { 'vm.swappiness': '10', 'net.core.somaxconn': '1024' }, ovsOtherConfig: { 'max-idle': '1000' } },
      a: { hosts: { matchLabels: { disk: 'ssd' } }, sysctls: { 'vm.swappiness': '10' } },
      // of a higher priority: what it says wins, of what it says nothing the others do
      z: { priority: 1, sysctls: { 'net.core.somaxconn': '4096' } },
    };
    const made = step({ hosts: { h1: { labels: { disk: 'ssd' } }, h2: {} }, tunings }, new Map());
    const told = (host: string): readonly (readonly string[])[] | undefined =>
      made.get(host)?.tuning.map(({ kind, key, value, origin }) => [kind, key, value, origin.file]);
    assert.deepEqual(told('h1'), [
      ['ovs-config', 'max-idle', '1000', 'tuning-b.yaml'],
      ['sysctl', 'net.core.somaxconn', '4096', 'tuning-z.yaml'],
      ['sysctl', 'vm.swappiness', '10', 'tuning-a.yaml'],
    ]);
    assert.deepEqual(told('h2')?.[2], ['sysctl', 'vm.swappiness', '10', 'tuning-b.yaml']);
  });

  it('lets Apps of one Zone that change with one revision go in order of level, and the others go', () => {
    const rollout = { minReady: 0, autoRevert: false };
    const app = (level: number, change = {}): object => ({ level, rollout, ...change });
    const apps = { a: app(0), b: app(3), c: app(3), plain: { level: 0 }, other: app(0, { zone: 'far' }) };
    const zones = { main: {}, far: {} };
    const all = placementsOf('a-0@h1', 'b-0@h1', 'c-0@h2', 'plain-0@h1', 'other-0@h1');
    const sketch = (image: string, change = {}): Sketch => ({
      hosts,
      zones,
      apps: Object.fromEntries(
        Object.entries({ ...apps, ...change }).map(([name, spec]) => [name, { ...spec, image }]),
      ),
    });
    const first = step(sketch('v1'), all);
    const reports = [...first.values()].map(ready);
    const previous = new Map([...first]);
    const given = (records: readonly RolloutRecord[], change: Sketch): readonly string[] => {
      const input = { catalog: catalogOf(change), author: 'Ann', placements: all, previous, reports, records, now: 0 };
      const next = project(input);
      const news = next.assignments.flatMap(({ replicas }) => replicas.filter(({ spec }) => spec.image === 'v2'));
      known = next.records;
      return news.map(({ app }) => app).sort();
    };
    let known: readonly RolloutRecord[] = [];
    assert.deepEqual(given([], sketch('v2')), ['b', 'c', 'other', 'plain']);
    assert.deepEqual(
      known.map(({ app, stage }) => `${app} ${stage}`),
      ['a queued', 'b rolling', 'c rolling', 'other rolling'],
    );
    assert.match(known[0]?.message ?? '', /waits until b is done/);
    // one that changes by itself waits for nobody
    const alone = known.map((record) => (record.app === 'a' ? { ...record, revision: 'rev0' } : record));
    assert.deepEqual(given(alone, sketch('v2')), ['a', 'b', 'c', 'other', 'plain']);
    // once the others are done it goes
    const done = known.filter(({ app }) => app === 'a');
    assert.deepEqual(given(done, sketch('v2', { b: { level: 3 }, c: { level: 3 } })), [
      'a',
      'b',
      'c',
      'other',
      'plain',
    ]);
  });

  it('remembers the change of an App that cannot be read, and forgets that of one that is gone', () => {
    const rollout = { minReady: 0, autoRevert: false };
    const apps = { api: { rollout } };
    const all = placementsOf('api-0@h1');
    const previous = step({ hosts, apps }, all);
    const base = { author: 'Ann', placements: all, previous, reports: [...previous.values()].map(ready), now: 0 };
    const changed = { hosts, apps: { api: { rollout, image: 'v2' } } };
    const { records } = project({ ...base, catalog: catalogOf(changed) });
    assert.equal(records.length, 1);
    const held = catalogOf({ hosts, heldObjects: ['App/api'] });
    assert.deepEqual(project({ ...base, catalog: held, records }).records, records);
    assert.deepEqual(project({ ...base, catalog: catalogOf({ hosts }), records }).records, []);
  });

  for (const rollout of [undefined, { minReady: 0, autoRevert: false }])
    it(`counts for nothing what a lost host said, and one before it was last told something${rollout ? ', for a careful App too' : ''}`, () => {
      const all = placementsOf('api-0@h1', 'api-1@h2');
      const spec = { replicas: 2, ...(rollout ? { rollout } : {}) };
      const previous = step({ hosts, apps: { api: spec } }, all);
      const reports = [...previous.values()].map(ready);
      const catalog = catalogOf({ hosts, apps: { api: { ...spec, image: 'v2' } } });
      const given = (lost: readonly string[], said = reports): number => {
        const seen = { previous, reports: said, lost: new Set(lost), now: 0 };
        const { assignments } = project({ catalog, author: 'Ann', placements: all, ...seen });
        return assignments.flatMap(({ replicas }) => replicas).filter(({ spec: { image } }) => image === 'v2').length;
      };
      const before = reports.map((one) => (one.host === 'h2' ? { ...one, generation: one.generation - 1 } : one));
      assert.deepEqual([given([]), given(['h2']), given([], before)], [1, 0, 0]);
    });

  it('takes a change for over although a lost host has not taken it up', () => {
    const placements = placementsOf('api-0@h1', 'api-1@h2');
    const sketch = { hosts, apps: { api: { replicas: 2, rollout: { minReady: 0, autoRevert: false } } } };
    const previous = step(sketch, placements);
    const said = [...previous.values()].map(ready);
    const reports = said.map((one) => (one.host === 'h2' ? { ...one, generation: 0 } : one));
    const [good] = previous.get('h1')?.replicas ?? [];
    assert.ok(good);
    const common = { app: 'api', version: versionOf(good), attempt: attemptOf(good.spec), revision: 'r', good };
    const record: RolloutRecord = { ...common, given: 2, served: 1, stage: 'rolling', message: '' };
    const seen = {
      catalog: catalogOf(sketch),
      author: 'Ann',
      placements,
      previous,
      reports,
      records: [record],
      now: 0,
    };
    const left = (...lost: string[]): number => project({ ...seen, lost: new Set(lost) }).records.length;
    assert.deepEqual([left(), left('h2')], [1, 0]);
  });

  it('sends a moved replica to its new host with the spec that it had', () => {
    const first = step({ hosts, apps: { web: { replicas: 2 } } }, placementsOf('web-0@h1', 'web-1@h2'));
    const second = step({ hosts, apps: { web: { replicas: 2 } } }, placementsOf('web-0@h2', 'web-1@h2'), first);
    assert.deepEqual([ids(second.get('h1')), ids(second.get('h2'))], [[], ['web-0', 'web-1']]);
  });
});
