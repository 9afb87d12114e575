import assert from 'node:assert/strict';
import { it } from 'node:test';
import { preview } from '../../../../reconciler/loop/controller/preview.ts';
import type { Observed } from '../../../../reconciler/model/change.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';
import { project } from '../../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf } from '../../../support/catalog.ts';

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
