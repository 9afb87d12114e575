import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resources } from '../../support/catalog.ts';
import { scene, told } from '../../support/crowded.ts';
import type { Apps } from '../../support/crowded.ts';
import type { Fleet } from '../../support/fleet.ts';

const on = (host: string) => ({ matchLabels: { on: host } });
const labelled = Object.fromEntries(['h1', 'h2', 'h3'].map((name) => [name, { labels: { on: name } }]));
const db: Apps = { db: { level: 0, resources: resources(4000) } };

/** It runs, and serves nobody. */
function fail(fleet: Fleet, host: string, ...replicas: readonly string[]): void {
  const live = fleet.machines.get(host)?.live ?? assert.fail();
  for (const id of replicas) Object.assign(live.get(id) ?? assert.fail(), { ready: false, reason: 'CrashLoop' });
  fleet.report(host);
}

describe('of the hosts on which room can be made', () => {
  const low: Apps = {
    one: { replicas: 1, level: 3, resources: resources(4000), hosts: on('h2') },
    two: { replicas: 2, level: 3, maxUnavailable: 2, resources: resources(2000), hosts: on('h1') },
  };
  const cases: readonly {
    readonly name: string;
    readonly apps?: Apps;
    readonly failing?: Readonly<Record<string, readonly string[]>>;
    readonly yields: readonly string[];
  }[] = [
    { name: 'the one with the fewest to go', yields: ['one-0'] },
    {
      name: 'one where two go that serve nobody before one where one goes that serves',
      failing: { h1: ['two-0', 'two-1'] },
      yields: ['two-0', 'two-1'],
    },
    {
      name: 'the one with the fewest, where nobody serves',
      failing: { h2: ['one-0'], h1: ['two-0', 'two-1'] },
      yields: ['one-0'],
    },
    {
      name: 'one where those who go are less critical, how many ever they are',
      apps: { one: { ...low['one'], level: 2 } },
      failing: { h2: ['one-0'] },
      yields: ['two-0', 'two-1'],
    },
  ];
  for (const { name, apps = {}, failing = {}, yields } of cases)
    it(`is taken ${name}`, () => {
      const { fleet, catalog } = scene({ ...low, ...apps }, 2, { hosts: labelled });
      for (const [host, replicas] of Object.entries(failing)) fail(fleet, host, ...replicas);
      const result = fleet.pass(catalog({ ...low, ...apps, ...db }));
      assert.deepEqual(
        told(result),
        yields.map((replica) => `yield ${replica} db-0`),
      );
    });
});

describe('one that makes room', () => {
  it('takes nothing of what the Zone lets be away where it serves nobody', () => {
    const low: Apps = { low: { replicas: 2, level: 3, maxUnavailable: 2, resources: resources(4000) } };
    const zones = { main: { disruption: { maxUnavailable: { count: 2 } } } };
    const { fleet, catalog } = scene(low, 2, { zones });
    fail(fleet, 'h1', 'low-0');
    const result = fleet.pass(catalog({ ...low, ...db, eb: { level: 0, resources: resources(4000) } }));
    assert.deepEqual(told(result), ['yield low-0 db-0', 'yield low-1 eb-0']);
  });
});
