import assert from 'node:assert/strict';
import { it } from 'node:test';
import { mailOf } from '../../../reconciler/loop/mail.ts';
import type { Observed } from '../../../reconciler/model/change.ts';
import type { Assignment, Report } from '../../../reconciler/model/replica.ts';
import type { Mailbox } from '../../../reconciler/model/store.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';

const HOSTS = 60;
const catalog = catalogOf({ hosts: hostsOf(HOSTS), tunings: { t: { sysctls: { 'vm.swappiness': '10' } } } });
const placements = new Map();
const names = [...catalog.hosts.keys()].sort();
const { assignments } = project({
  ...{ catalog, author: '', placements, previous: new Map(), now: 0 },
  reports: names.map((host) => reportOf(host, {})),
});

/** A mailbox as a store has it: nothing of what it gives is shared. */
function mailboxOf(reports: readonly Report[], most: (hosts: number) => void): Mailbox {
  const anew = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
  const some: Pick<Mailbox, 'reporting' | 'reports' | 'assignments'> = {
    reporting: () => Promise.resolve(reports.map(({ host }) => host)),
    reports: (hosts) => {
      most(hosts.length);
      return Promise.resolve(anew(reports.filter(({ host }) => hosts.includes(host))));
    },
    assignments: (known) => Promise.resolve(anew(assignments.filter(({ host }) => known.has(host)))),
  };
  return some as Mailbox;
}

it('reads what a fleet said and was told in lots, shares what is the same, and counts what cannot be seen', async () => {
  const ready = { type: 'Ready', status: true, reason: '', message: '', observedGeneration: 1 } as const;
  const observed: readonly Observed[] = [
    { known: true, ref: 'sysctl/vm.swappiness', owned: true, state: { value: '10' } },
    { known: false, ref: 'sysctl/vm.x', why: 'cannot be read' },
    { known: false, ref: 'sysctl/vm.y', why: 'nor this' },
  ];
  const said = names.map((host, at) =>
    reportOf(host, {}, { conditions: [ready], observed: at === 3 ? observed : observed.slice(0, 1) }),
  );
  let most = 0;
  const { whereabouts, hidden } = await mailOf(
    mailboxOf(said, (hosts) => {
      most = Math.max(most, hosts);
    }),
    { cursor: 0, hosts: new Map(), placements, addresses: new Map() },
  );
  const all: readonly Assignment[] = [...whereabouts.assignments.values()];
  assert.deepEqual(all, assignments);
  assert.equal(new Set(all.map(({ tuning }) => tuning[0])).size, 1);
  assert.equal(whereabouts.reports.size, HOSTS);
  assert.deepEqual(new Set([...whereabouts.reports.values()].map((report) => report.observed.length)), new Set([0]));
  assert.deepEqual(hidden, [{ host: names[3] ?? '', why: 'cannot be read', unseen: 2 }]);
  assert.ok(most < HOSTS / 2, `${String(most)} hosts at a time`);
});
