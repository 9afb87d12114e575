import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AppSpec } from '../../reconciler/model/catalog.ts';
import { createBook } from '../../reconciler/model/book.ts';
import { explain } from '../../reconciler/place/explain.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import { place } from '../../reconciler/place/place.ts';
import { catalogOf, reportOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';

const machine = fc.record({ rack: fc.nat(2), behind: fc.nat(1), cpu: fc.constantFrom(4000, 8000) });
const size = fc.constantFrom(resources(500, 256), resources(500, 256), resources(1500, 64));
const app = fc.record({
  replicas: fc.nat(4),
  resources: size,
  spread: fc.constantFrom({}, {}, { host: 1 }, { rack: 1 }),
  network: fc.constantFrom('net', 'other'),
});

/** Fleets of a few machines, and Apps that mostly ask for the same: what is best for one is remembered for the next. */
const fleet = fc
  .record({ machines: fc.array(machine, { minLength: 2, maxLength: 10 }), apps: fc.array(app, { maxLength: 12 }) })
  .map(({ machines, apps }): Sketch => ({
    hosts: Object.fromEntries(
      machines.map(({ rack, behind, cpu }, i) => [
        `h${String(i)}`,
        { topology: { rack: `r${String(rack)}`, switch: `s${String(behind)}` }, capacity: { cpu } },
      ]),
    ),
    networks: { net: {}, other: { vlan: 20 } },
    apps: Object.fromEntries(apps.map((spec, i): [string, Partial<AppSpec>] => [`a${String(i)}`, spec])),
  }));

describe('Apps of few sizes', () => {
  it('go where each would go if nothing were remembered from one for the next', () => {
    fc.assert(
      fc.property(fleet, (drawn) => {
        const catalog = catalogOf(drawn);
        const reports = [...catalog.hosts.keys()].map((name) => reportOf(name));
        const snapshot = createBook();
        const hosts = hostViews(catalog, reports, snapshot);
        const input = { catalog, snapshot, hosts, reports, assignments: [], now: 0 };
        const result = place(input);
        for (const [replica, { host }] of result.placements)
          assert.equal(explain(input, replica)?.candidates[0]?.host, host, replica);
      }),
      { numRuns: 200 },
    );
  });
});
