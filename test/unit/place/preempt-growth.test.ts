import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostsOf, resources } from '../../support/catalog.ts';
import { scene, told } from '../../support/crowded.ts';
import type { Apps } from '../../support/crowded.ts';

describe('a replica that grows', () => {
  const apps = (cores: number): Apps => ({
    low: { replicas: 1, level: 3, resources: resources(2000) },
    db: { level: 0, resources: resources(cores) },
  });
  for (const [name, change, yields] of [
    ['has others make room on its host', {}, ['yield low-0 db-0']],
    ['has nobody make room on a host that it is to leave', { drain: true }, []],
    ['has nobody make room on a host that takes nothing more', { schedulable: false }, []],
  ] as const)
    it(name, () => {
      const { fleet, catalog } = scene(apps(2000), 1);
      const hosts = Object.fromEntries(
        Object.entries(hostsOf(1)).map(([host, spec]) => [host, { ...spec, ...change }]),
      );
      assert.deepEqual(told(fleet.pass(catalog(apps(3000), { hosts }))), yields);
    });
});
