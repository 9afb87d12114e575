import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createSummary } from '../../../../reconciler/loop/controller/summary.ts';
import type { LostHost, Notice } from '../../../../reconciler/model/notice.ts';
import { PROTOCOL } from '../../../../reconciler/model/protocol.ts';
import type { Placement } from '../../../../reconciler/model/replica.ts';
import { createWhereabouts } from '../../../../reconciler/model/whereabouts.ts';
import { project } from '../../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf } from '../../../support/catalog.ts';

const HOSTS = ['h1', 'h2', 'h3'];

const placements = new Map(
  HOSTS.map((host, at): [string, Placement] => {
    const replica = `web-${String(at)}`;
    const demand = { cpu: 100, memory: 2 ** 26, pids: 16 };
    const address = `10.1.0.${String(10 + at)}`;
    return [replica, { replica, app: 'web', zone: 'main', host, network: 'net', address, demand, epoch: 1 }];
  }),
);

const notice: Notice = {
  protocol: PROTOCOL,
  source: { url: 'u', ref: 'main', revision: 'rev1', fetchedAt: 0 },
  problems: 0,
  unplaceable: [],
  held: [],
  published: 'rev1',
  waiting: 0,
  awaited: [],
  lost: [],
};

it('looks at a host when it is lost and when it is back, and not while it stays lost', () => {
  const catalog = catalogOf({ apps: { web: { replicas: 3 } }, hosts: hostsOf(3) });
  const { assignments } = project({ catalog, author: '', placements, previous: new Map(), reports: [], now: 0 });
  const reports = HOSTS.map((host) => reportOf(host));
  const at = createWhereabouts(placements, assignments, reports);
  const seen: string[] = [];
  const whereabouts = { ...at, on: (host: string) => (seen.push(host), at.on(host)) };
  const summary = createSummary();
  const follow = (lost: readonly string[], touched: readonly string[] = []): readonly string[] => {
    const hosts = lost.map((host): LostHost => ({ host, since: 0 }));
    summary.follow({ whereabouts, touched: () => new Set(touched) }, hosts);
    return seen.splice(0);
  };
  assert.deepEqual(follow([], HOSTS), HOSTS);
  const before = summary.verdict(notice);
  assert.deepEqual(follow(['h1', 'h2']), ['h1', 'h2']);
  const away = summary.verdict(notice);
  assert.notDeepEqual(away, before);
  assert.deepEqual(follow(['h1', 'h2']), []);
  assert.deepEqual(summary.verdict(notice), away);
  assert.deepEqual(follow(['h2'], ['h3']), ['h3', 'h1']);
  assert.deepEqual(follow([]), ['h2']);
  assert.deepEqual(summary.verdict(notice), before);
});
