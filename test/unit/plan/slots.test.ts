import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RECLAIM_KEY } from '../../../reconciler/model/memory.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import { meet } from '../../../reconciler/model/slots.ts';
import { expand } from '../../../reconciler/plan/expand.ts';
import { slotGiver } from '../../../reconciler/plan/slots.ts';
import { catalogOf, hostsOf } from '../../support/catalog.ts';
import { ORIGIN } from '../../support/changes.ts';

const knob = { kind: 'knob', key: RECLAIM_KEY, value: 'above 20% for 5m, once in 1h', origin: ORIGIN } as const;

/** Has hosts given slots one after the other, as passes do. */
function given(hosts: number, before: ReadonlyMap<string, Assignment> = new Map()): ReadonlyMap<string, Assignment> {
  const catalog = catalogOf({ hosts: hostsOf(hosts) });
  const slotOf = slotGiver(catalog, { assignments: before });
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
    const slotOf = slotGiver(catalog, { assignments: few });
    const [[name, first] = ['', undefined]] = [...few];
    assert.deepEqual(slotOf('unheard-of', [], []), {});
    // it may be cut off, and go on by the rule that it knows
    assert.deepEqual(slotOf(name, [], []), { slot: first?.slot });
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
