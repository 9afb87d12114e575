import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inPool, outdatedIn, rangesOf } from '../../../reconciler/model/pool.ts';
import type { Placement } from '../../../reconciler/model/replica.ts';
import { catalogOf } from '../../support/catalog.ts';

const POOL = [
  ['10.1.0.30', '10.1.0.31'],
  ['10.1.0.10', '10.1.0.12'],
] as const;
const catalog = catalogOf({
  zones: { main: {}, aux: {} },
  networks: { net: { pool: POOL }, other: { vlan: 20 } },
  apps: { web: { zone: 'main', network: 'net' } },
});
const net = catalog.networks.get('net')?.spec ?? assert.fail();
const web = catalog.apps.get('web')?.spec ?? assert.fail();
const HOME: Placement = {
  ...{ replica: 'web-0', app: 'web', zone: 'main', host: 'h1', network: 'net', address: '10.1.0.11', epoch: 1 },
  demand: { cpu: 1, memory: 1, pids: 1 },
};

describe('the pool of a Network', () => {
  it('is read from its lowest range on', () => {
    assert.deepEqual(
      rangesOf(net).map(([first, last]) => last - first),
      [2, 1],
    );
  });

  it('has both ends of each range, and nothing between ranges', () => {
    const all = ['10.1.0.9', '10.1.0.10', '10.1.0.12', '10.1.0.13', '10.1.0.29', '10.1.0.30', '10.1.0.31', '10.1.0.32'];
    const given = all.filter((address) => inPool(net, address));
    assert.deepEqual(given, ['10.1.0.10', '10.1.0.12', '10.1.0.30', '10.1.0.31']);
  });
});

describe('a placement is to be given up for a new one', () => {
  const table: readonly [string, Partial<Placement>, boolean][] = [
    ['not where all is as Git says', {}, false],
    ['in another Zone', { zone: 'aux' }, true],
    ['in another Network', { network: 'other' }, true],
    ['with an address that the Network no longer gives out', { address: '10.1.0.20' }, true],
    ['not on another host', { host: 'h9' }, false],
  ];
  for (const [name, change, expected] of table)
    it(name, () => {
      assert.equal(outdatedIn(catalog, web)({ ...HOME, ...change }), expected);
    });

  it('not where its Zone or its Network cannot be read', () => {
    const away = { ...HOME, zone: 'aux' };
    assert.equal(outdatedIn({ ...catalog, zones: new Map() }, web)(away), false);
    assert.equal(outdatedIn({ ...catalog, networks: new Map() }, web)(away), false);
  });
});
