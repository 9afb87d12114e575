import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { whyCommand } from '../../../../cli/verbs/why.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';
import { project } from '../../../../reconciler/plan/project.ts';
import { assignedTo } from '../../../support/assigned.ts';
import { catalogOf, hostsOf, reportOf } from '../../../support/catalog.ts';
import { answering, speak } from '../../../support/verb.ts';

const HOSTS = 60;

describe('why', () => {
  const catalog = catalogOf({
    ...{ hosts: hostsOf(HOSTS), apps: { web: {} } },
    tunings: { t: { sysctls: { 'vm.swappiness': '10' } } },
  });
  const said = [...catalog.hosts.keys()].map((host): Report => {
    const state = { value: host === 'h60' ? '60' : '10' };
    return reportOf(host, {}, { observed: [{ known: true, ref: 'sysctl/vm.swappiness', owned: true, state }] });
  });
  const placements = new Map(assignedTo('h1', 1).map(({ id, placement }) => [id, placement]));
  const told = { catalog, author: '', placements, previous: new Map(), reports: said, now: 0 };
  const { assignments } = project(told);
  const snapshot = { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() };
  let most = 0;
  const dir = answering({
    known: () => Promise.resolve({ snapshot, assignments, reports: [], hidden: [] }),
    reports: (hosts) => {
      most = Math.max(most, hosts.length);
      return Promise.resolve(said.filter(({ host }) => hosts.includes(host)));
    },
    journal: async function* () {
      const broken = {
        type: 'event',
        level: 'error',
        reason: 'JournalCorrupt',
        message: 'that of c is broken',
      } as const;
      yield await Promise.resolve({ ...broken, host: 'c', at: 0, seq: 0, prev: '', hash: '' });
    },
  });

  it('says once whose journal is broken, and not as what was told of the thing', async () => {
    const { out, err } = await speak(whyCommand, dir, 'container/web-0', 'image');
    assert.match(out, /container\/web-0 image/);
    assert.doesNotMatch(out, / told /);
    assert.equal(err, 'that of c is broken\n');
  });

  it('asks some hosts at a time', async () => {
    const { out } = await speak(whyCommand, dir, 'sysctl/vm.swappiness', '-o', 'json');
    const { answers } = JSON.parse(out) as { readonly answers: readonly { readonly host: string; have: string }[] };
    assert.deepEqual(
      answers.filter(({ have }) => have !== '10').map(({ host, have }) => [host, have]),
      [['h60', '60']],
    );
    assert.ok(answers.length === HOSTS && most < HOSTS / 2, `${String(most)} hosts at a time`);
  });
});
