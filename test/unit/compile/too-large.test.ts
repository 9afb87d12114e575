import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tooLarge } from '../../../reconciler/compile/checks/apps.ts';
import { emptyTables, type Tables } from '../../../reconciler/compile/tables.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import { manifest, sourceFiles } from '../../support/manifests.ts';

/** Hosts of so many GiB each, and Apps that want so many, all in one Zone. */
function tablesOf(hosts: readonly number[], apps: readonly number[]): Tables {
  const zone = 'hosts:\n  matchLabels:\n    pool: main';
  const app = (memory: number): string =>
    `image: a:1\nzone: main\nnetwork:\n  name: net\nresources:\n  memory:\n    limit: ${String(memory)}Gi`;
  const files = {
    'fleet.yaml': manifest('Fleet', 'lab'),
    'zone.yaml': manifest('Zone', 'main', zone),
    'net.yaml': manifest('Network', 'net', 'vlan: 7\ncidr: 10.0.0.0/16\ngateway: 10.0.0.1'),
    ...Object.fromEntries(
      hosts.map((memory, at) => [
        `hosts/h${String(at)}.yaml`,
        manifest('Host', `h${String(at)}`, `capacity:\n  memory: ${String(memory)}Gi`, 'labels:\n  pool: main'),
      ]),
    ),
    // what they want comes below, so that none is held
    ...Object.fromEntries(
      apps.map((memory, at) => [
        `apps/a${String(at)}.yaml`,
        manifest('App', `a${String(at)}`, app(Math.min(memory, 1))),
      ]),
    ),
  };
  const catalog = compile(sourceFiles(files), 'r');
  assert.deepEqual(catalog.problems, []);
  const tables = emptyTables();
  for (const [name, resource] of catalog.zones) tables.Zone.set(name, resource);
  for (const [name, resource] of catalog.networks) tables.Network.set(name, resource);
  for (const [name, resource] of catalog.hosts) tables.Host.set(name, resource);
  for (const [name, resource] of catalog.apps) {
    const memory = (apps[Number(name.slice(1))] ?? 0) * 2 ** 30;
    const { spec } = resource;
    tables.App.set(name, { ...resource, spec: { ...spec, resources: { ...spec.resources, memory } } });
  }
  return tables;
}

describe('Apps that fit nowhere', () => {
  it('are told with the largest host, whatever was asked for before', () => {
    const clashes = tooLarge(tablesOf([4, 16, 8, 16, 2], [1, 5, 17, 16, 3, 20]));
    assert.deepEqual(
      clashes.map(({ holds, hint }) => [holds[0], hint]),
      ['App/a2', 'App/a5'].map((app) => [app, 'the largest is h1 with 16Gi after reserve and overcommit']),
    );
  });

  it('are told alike in whichever order they and the hosts were read', () => {
    const tables = tablesOf([4, 16, 8, 16, 2], [1, 5, 17, 16, 3, 20]);
    const turned: Tables = {
      ...tables,
      App: new Map([...tables.App].reverse()),
      Host: new Map([...tables.Host].reverse()),
    };
    assert.deepEqual(tooLarge(turned), tooLarge(tables));
  });

  it('are found without a look at more hosts than it takes', () => {
    const looked = (apps: readonly number[]): number => {
      const tables = tablesOf([4, 16, 8, 16, 2], apps);
      let count = 0;
      for (const [name, host] of tables.Host)
        tables.Host.set(name, {
          ...host,
          get labels() {
            count += 1;
            return host.labels;
          },
        });
      tooLarge(tables);
      return count;
    };
    // a Zone, an App and a Network ask for labels, of which only the Zone's has any; each host is looked at once at most
    const [few, all] = [looked([1, 2, 3, 4]), looked([1, 17, 18])];
    assert.equal(all, 5 * few);
  });
});
