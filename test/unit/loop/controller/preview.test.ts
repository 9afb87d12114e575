import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { preview } from '../../../../reconciler/loop/controller/preview.ts';
import type { Observed } from '../../../../reconciler/model/change.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';
import { project } from '../../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../../support/catalog.ts';
import type { Sketch } from '../../../support/catalog.ts';
import { plannedFrom } from '../../../support/planned.ts';

const disruption = { maxUnavailable: { count: 1 }, repairs: { perHost: 1, perZone: 1 } };

const knobs = (value: string) => ({
  hosts: hostsOf(1),
  zones: { main: { disruption } },
  tunings: { t: { sysctls: { 'vm.swappiness': value } } },
});

/** The values that a plan for a revision sets on a host that was told 10, and says so much of itself. */
async function planned(value: string, said: Partial<Report>, seen: string): Promise<readonly unknown[]> {
  const facts = reportOf('h1', {});
  const told = { author: '', placements: new Map(), previous: new Map(), reports: [facts], now: 0 };
  const { assignments } = project({ ...told, catalog: catalogOf(knobs('10')) });
  const observed: readonly Observed[] = [
    { known: true, ref: 'sysctl/vm.swappiness', owned: true, state: { value: seen } },
  ];
  const report: Report = { ...facts, generation: 1, observed, ...said };
  const { hosts } = await preview({
    catalog: catalogOf(knobs(value)),
    known: {
      snapshot: { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() },
      assignments,
      reports: [report],
      hidden: [],
    },
    reports: () => Promise.resolve([report]),
    differs: [
      {
        name: 'sysctl',
        kinds: ['sysctl'],
        diff: (desired) =>
          desired.flatMap(({ ref, spec }) =>
            (spec as { value: string }).value === seen
              ? []
              : [
                  {
                    ref,
                    provider: 'sysctl',
                    verb: 'update',
                    want: spec,
                    fields: [],
                    disruption: 'none',
                    because: 'drift',
                  },
                ],
          ),
      },
    ],
    allowDeletions: false,
    now: 0,
  });
  return hosts.flatMap(({ plan }) => plan.waves.flat().map(({ want, because }) => [want, because]));
}

it('a host that says that all is as it was told, and is told nothing else, has nothing to do', async () => {
  const of = { reason: '', message: '', observedGeneration: 1 };
  const well: Partial<Report> = { conditions: [{ type: 'Ready', status: true, ...of }] };
  const put = [[{ key: 'vm.swappiness', value: '10' }, 'drift']];
  assert.deepEqual(await planned('10', {}, '60'), put);
  assert.deepEqual(await planned('10', { conditions: [{ type: 'Ready', status: false, ...of }] }, '60'), put);
  assert.deepEqual(await planned('10', { ...well, generation: 0 }, '60'), put, 'it has yet to hear of it');
  assert.deepEqual(await planned('10', well, '60'), [], 'it says that it is not so');
  assert.deepEqual(await planned('20', well, '10'), [[{ key: 'vm.swappiness', value: '20' }, 'spec changed']]);
});

it('plans nothing for a host of which nothing comes when it is asked for what it observes', async () => {
  const hosts = hostsOf(2);
  const facts = Object.keys(hosts).map((host) => reportOf(host, {}));
  const catalog = catalogOf({ hosts, tunings: { t: { sysctls: { 'vm.swappiness': '10' } } } });
  const told = { author: '', placements: new Map(), previous: new Map(), now: 0 };
  const { assignments } = project({ ...told, reports: facts, catalog });
  const plan = await preview({
    ...{ catalog, differs: [], allowDeletions: false, now: 0 },
    known: {
      snapshot: { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() },
      ...{ assignments, reports: facts, hidden: [] },
    },
    reports: () => Promise.resolve(facts.slice(0, 1)),
  });
  assert.deepEqual(
    plan.hosts.map(({ host }) => host),
    ['h1'],
  );
  assert.deepEqual(plan.unknown, [{ host: 'h2', why: 'what it observes could not be read' }]);
});

it('asks for what is observed only of hosts that have something to do', async () => {
  const hosts = hostsOf(3);
  const facts = Object.keys(hosts).map((host) => reportOf(host, {}));
  const told = { author: '', placements: new Map(), previous: new Map(), now: 0 };
  const { assignments } = project({ ...told, reports: facts, catalog: catalogOf({ hosts }) });
  const ready = { type: 'Ready', status: true, reason: '', message: '', observedGeneration: 1 } as const;
  const well: Partial<Report> = { generation: 1, conditions: [ready] };
  const known = {
    snapshot: { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() },
    assignments,
    reports: facts.flatMap((report): readonly Report[] =>
      report.host === 'h2' ? [report] : report.host === 'h3' ? [] : [{ ...report, ...well }],
    ),
    hidden: [{ host: 'h1', why: 'no answer', unseen: 2 }],
  };
  const asked: string[] = [];
  const plan = await preview({
    catalog: catalogOf({ hosts }),
    known,
    reports: (some) => {
      asked.push(...some);
      return Promise.resolve(facts.filter(({ host }) => some.includes(host)));
    },
    differs: [],
    allowDeletions: false,
    now: 0,
  });
  assert.deepEqual(asked, ['h2'], 'h1 is as it was told, and h3 has said nothing yet');
  assert.deepEqual(
    plan.hosts.map(({ host }) => host),
    ['h1', 'h2'],
  );
  assert.deepEqual(plan.unknown, [
    { host: 'h1', why: 'no answer', unseen: 2 },
    { host: 'h3', why: 'it has not reported yet' },
  ]);
});

describe('a replica that keeps its place, as what Git asks for cannot be', () => {
  const web = (cpu: number, more = {}): NonNullable<Sketch['apps']> => ({
    web: { resources: resources(cpu), ...more },
  });
  const before: Sketch = { hosts: hostsOf(2), apps: web(3000) };
  const zones = { main: {}, other: { hosts: { matchLabels: { in: 'other' } } } };
  const drained = { h1: { drain: true }, h2: { schedulable: false } };
  const cases: readonly { readonly name: string; readonly after: Sketch; readonly why: RegExp }[] = [
    {
      name: 'with its old limits where there is no room for others',
      after: { ...before, apps: web(5000) },
      why: /^it keeps its old limits: h1 has no room for the new ones \(5 CPU wanted, 4 CPU there for it\)$/,
    },
    {
      name: 'in its old Zone',
      after: { ...before, zones, apps: web(3000, { zone: 'other' }) },
      why: /^App web finds no host among 2: 2 not in zone other/,
    },
    {
      name: 'on a host that is drained',
      after: { ...before, hosts: drained },
      why: /^App web finds no host among 2: 2 not schedulable/,
    },
  ];
  for (const { name, after, why } of cases)
    it(`is told as that, and not as one without a place: ${name}`, async () => {
      const { plan, text } = await plannedFrom(before, after);
      assert.deepEqual(plan.unplaceable, []);
      assert.deepEqual(
        plan.staying.map(({ replica, host }) => [replica, host]),
        [['web-0', 'h1']],
      );
      assert.match(plan.staying[0]?.why ?? '', why);
      assert.match(text, /\n {2}! web-0 {2}stays on h1: /);
    });

  it('is not told so where others make room for it, nor where it leaves', async () => {
    const batch = { level: 3, resources: resources(3000) };
    const apps = { web: { level: 0, resources: resources(3000) }, batch };
    const full = { hosts: hostsOf(2), apps };
    const { plan } = await plannedFrom(full, { ...full, hosts: { h1: { drain: true }, h2: {} } });
    assert.deepEqual([plan.staying, plan.preemptions.length], [[], 1]);
    const { plan: end } = await plannedFrom(before, { hosts: drained, apps: {} });
    assert.deepEqual([end.staying, end.outlook.released.length], [[], 1]);
  });
});
