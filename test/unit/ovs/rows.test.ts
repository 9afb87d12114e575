import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyUpdates, emptyTables, type Tables } from '../../../providers/ovs/rows.ts';

const PORT = 'c4d46c81-c53b-489c-901d-aa71fa04bc53';
const BRIDGE = '2c9c65cc-c12d-4a73-88f1-3c09f8c5b823';

// what ovsdb-server 3.1 sent while ovs-vsctl made and changed a bridge
const DUMP = {
  Open_vSwitch: {
    'c611c355-e096-4312-a5f4-0d2fec2e601c': {
      initial: { cur_cfg: 895, external_ids: ['map', [['system-id', 'h1']]], next_cfg: 895 },
    },
  },
};
const INSERTED = {
  Bridge: { [BRIDGE]: { insert: { name: 'br-rec', ports: ['uuid', PORT] } } },
  Interface: { '84af4b8a-c12b-47d1-b1d8-790c8a43a86e': { insert: { name: 'br-rec', type: 'internal' } } },
  Port: { [PORT]: { insert: { interfaces: ['uuid', '84af4b8a-c12b-47d1-b1d8-790c8a43a86e'], name: 'br-rec' } } },
};

function replay(...updates: unknown[]): Tables {
  const tables = emptyTables();
  for (const update of [DUMP, INSERTED, ...updates]) applyUpdates(tables, update);
  return tables;
}
const port = (row: unknown): unknown => ({ Port: { [PORT]: { modify: row } } });
const ids = (pairs: unknown): unknown => ({ Bridge: { [BRIDGE]: { modify: { external_ids: ['map', pairs] } } } });

describe('the replica', () => {
  it('fills in what a dump leaves out', () => {
    const row = replay().Port.get(PORT);
    assert.deepEqual(row, {
      name: 'br-rec',
      tag: undefined,
      trunks: [],
      vlan_mode: undefined,
      interfaces: ['84af4b8a-c12b-47d1-b1d8-790c8a43a86e'],
      qos: undefined,
      external_ids: {},
    });
  });

  it('takes the change of a set as what differs', () => {
    const tables = replay(port({ trunks: ['set', [1, 2, 3]] }), port({ trunks: ['set', [1, 4]] }));
    assert.deepEqual(tables.Port.get(PORT)?.trunks, [2, 3, 4]);
    assert.deepEqual(replay(port({ trunks: 5 }), port({ trunks: 5 })).Port.get(PORT)?.trunks, []);
  });

  it('takes the change of a map as what differs', () => {
    const both = [
      ['a', '1'],
      ['b', '2'],
    ];
    const changed = [
      ['a', '9'],
      ['b', '2'],
    ];
    assert.deepEqual(replay(ids(both), ids(changed)).Bridge.get(BRIDGE)?.external_ids, { a: '9' });
  });

  it('takes an optional value as it is, and none from an empty set', () => {
    assert.equal(replay(port({ tag: 7 })).Port.get(PORT)?.tag, 7);
    assert.equal(replay(port({ tag: 7 }), port({ tag: 8 })).Port.get(PORT)?.tag, 8);
    assert.equal(replay(port({ tag: 7 }), port({ tag: ['set', []] })).Port.get(PORT)?.tag, undefined);
  });

  it('forgets deleted rows and tells before and after', () => {
    const tables = replay();
    const changes = applyUpdates(tables, { Port: { [PORT]: { delete: null } } });
    assert.equal(tables.Port.size, 0);
    assert.deepEqual(
      changes.map(({ table, before, after }) => [table, before?.['name'], after]),
      [['Port', 'br-rec', undefined]],
    );
  });

  it('refuses what is not a row update', () => {
    assert.throws(() => replay('nonsense'), TypeError);
    assert.throws(() => replay({ Port: { other: { modify: { tag: 1 } } } }), TypeError);
    assert.throws(() => replay({ Port: { [PORT]: { modify: { external_ids: ['map', 3] } } } }), TypeError);
  });
});
