import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Assignment, Placement, Report } from '../../../reconciler/model/replica.ts';
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
): Assignments {
  const catalog = catalogOf(sketch);
  const { assignments } = project({ catalog, author: 'Ann', placements, previous, reports: [] });
  return new Map(assignments.map((assignment) => [assignment.host, assignment]));
}

const ids = (assignment: Assignment | undefined): readonly string[] | undefined =>
  assignment?.replicas.map(({ id }) => id);

describe('project', () => {
  const hosts = hostsOf(2);
  const apps = { web: { replicas: 12 }, api: {} };
  const placements = placementsOf('web-10@h1', 'web-2@h1', 'api-0@h1', 'web-1@h2');

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
      const { assignments } = project({ catalog, author: 'Ann', placements: moved, previous, reports });
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
    };
    const made = step({ hosts: { h1: { labels: { disk: 'ssd' } }, h2: {} }, tunings }, new Map());
    const told = (host: string): readonly (readonly string[])[] | undefined =>
      made.get(host)?.tuning.map(({ kind, key, value, origin }) => [kind, key, value, origin.file]);
    assert.deepEqual(told('h1'), [
      ['ovs-config', 'max-idle', '1000', 'tuning-b.yaml'],
      ['sysctl', 'net.core.somaxconn', '1024', 'tuning-b.yaml'],
      ['sysctl', 'vm.swappiness', '10', 'tuning-a.yaml'],
    ]);
    assert.deepEqual(told('h2')?.[2], ['sysctl', 'vm.swappiness', '10', 'tuning-b.yaml']);
  });

  it('sends a moved replica to its new host with the spec that it had', () => {
    const first = step({ hosts, apps: { web: { replicas: 2 } } }, placementsOf('web-0@h1', 'web-1@h2'));
    const second = step({ hosts, apps: { web: { replicas: 2 } } }, placementsOf('web-0@h2', 'web-1@h2'), first);
    assert.deepEqual([ids(second.get('h1')), ids(second.get('h2'))], [[], ['web-0', 'web-1']]);
  });
});
