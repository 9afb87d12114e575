import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RECLAIM_KEY } from '../../../reconciler/model/memory.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import { meet } from '../../../reconciler/model/slots.ts';
import { expand } from '../../../reconciler/plan/expand.ts';
import { slotGiver } from '../../../reconciler/plan/slots.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';
import { ORIGIN } from '../../support/changes.ts';

const knob = { kind: 'knob', key: RECLAIM_KEY, value: 'above 20% for 5m, once in 1h', origin: ORIGIN } as const;

/** Has hosts given slots one after the other, as passes do. */
function given(hosts: number, before: ReadonlyMap<string, Assignment> = new Map()): ReadonlyMap<string, Assignment> {
  const catalog = catalogOf({ hosts: hostsOf(hosts) });
  const slotOf = slotGiver(catalog, { assignments: before, reports: new Map() });
  const base = { fleet: 'f', generation: 1, revision: 'r', author: '', resync: 1, replicas: [], networks: [] };
  return new Map(
    [...catalog.hosts.keys()].map((host) => [
      host,
      { ...base, host, tuning: [knob], keep: { apps: [], owners: [] }, ...slotOf(host, [knob], []) },
    ]),
  );
}

describe('slots of hosts', () => {
  it('are disjoint, stay as they were when others come, and are none where nothing asks', () => {
    const few = given(3);
    const more = given(30, few);
    for (const [host, { slot }] of few) assert.deepEqual(more.get(host)?.slot, slot, host);
    const slots = [...more.values()].flatMap(({ slot }) => slot ?? []);
    assert.equal(slots.length, 30);
    for (const [at, one] of slots.entries()) for (const other of slots.slice(at + 1)) assert.ok(!meet(one, other));
    const catalog = catalogOf({ hosts: hostsOf(1) });
    const slotOf = slotGiver(catalog, { assignments: few, reports: new Map() });
    const [[name, first] = ['', undefined]] = [...few];
    assert.deepEqual(slotOf('unheard-of', [], []), {});
    // it may be cut off, and go on by the rule that it knows
    assert.deepEqual(slotOf(name, [], []), { slot: first?.slot });
  });

  it('of a host that changes its Zone are kept from the others of the old one until it has heard of that', () => {
    const labels = (pool: string) => ({ labels: { pool } });
    const zones = {
      main: { hosts: { matchLabels: { pool: 'main' } } },
      far: { hosts: { matchLabels: { pool: 'far' } } },
    };
    const passed = (pool: string, hosts: readonly string[], before: ReadonlyMap<string, Assignment>, heard: number) => {
      const all = Object.fromEntries([['h1', labels(pool)], ...hosts.map((host) => [host, labels('main')] as const)]);
      const reports = new Map([['h1', reportOf('h1', {}, { generation: heard })]]);
      const slotOf = slotGiver(catalogOf({ zones, hosts: all }), { assignments: before, reports });
      const base = { fleet: 'f', revision: 'r', author: '', resync: 1, replicas: [], networks: [], tuning: [knob] };
      return new Map(
        Object.keys(all).map((host): [string, Assignment] => {
          const generation = (before.get(host)?.generation ?? 0) + 1;
          return [host, { ...base, host, generation, keep: { apps: [], owners: [] }, ...slotOf(host, [knob], []) }];
        }),
      );
    };
    const first = passed('main', [], new Map(), 0);
    const old = first.get('h1')?.slot;
    assert.ok(old);
    const moved = passed('far', ['h2'], first, 1);
    assert.deepEqual(moved.get('h1')?.slot, { zone: 'far', index: 0, of: 4, left: [old] });
    const late = passed('far', ['h2', 'h3'], moved, 1);
    for (const host of ['h2', 'h3']) assert.ok(!meet(old, late.get(host)?.slot ?? old), host);
    assert.deepEqual(late.get('h1')?.slot?.left, [old]);
    const heard = passed('far', ['h2', 'h3'], late, 3);
    assert.deepEqual(heard.get('h1')?.slot, { zone: 'far', index: 0, of: 4 });
    const free = passed('far', ['h2', 'h3', 'h4'], heard, 4);
    assert.equal(meet(old, free.get('h4')?.slot ?? old), true, 'given to another');
  });

  it('come with the rule to the host', () => {
    const [assignment] = [...given(1).values()];
    assert.ok(assignment);
    const memory = expand(assignment);
    assert.deepEqual(
      memory.map(({ ref, spec }) => [ref, spec]),
      [['memory/host', { above: '20%', window: 300_000, coolDown: 3_600_000, slot: { index: 0, of: 4 }, first: [] }]],
    );
  });
});
