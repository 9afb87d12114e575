import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { turnsOf } from '../../../reconciler/place/place.ts';
import { startRun, type Run } from '../../../reconciler/place/run.ts';
import { resources } from '../../support/catalog.ts';
import { scene, type Apps } from '../../support/crowded.ts';

const big = resources(3000);

describe('who does not come to the place that others have left', () => {
  /** Turns after which a run that goes on would go on for ever. */
  const MANY = 1000;

  /** A run in which a pool gives out what the store has given to another, once `from` says so. */
  function mistaken(apps: Apps, before: Apps, from: (run: Run) => boolean): Run {
    const networks = { net: {}, vip: { vlan: 20, cidr: '10.2.0.0/16', pool: [['10.2.0.10', '10.2.0.99']] as const } };
    const { fleet, catalog } = scene(before, 1, { networks });
    const at = catalog({ ...before, ...apps });
    fleet.book.apply([{ type: 'address', key: 'vip/10.2.0.10', record: { replica: 'other-0' } }]);
    const { assignments, reports } = fleet.words();
    const seen = { reports: [...reports.values()], assignments: [...assignments.values()] };
    const hosts = hostViews(at, seen.reports, fleet.book);
    const run = startRun({ catalog: at, snapshot: fleet.book, hosts, ...seen, now: 0, preempts: { within: at } });
    // what a pool takes for free and the store does not is refused
    const next = (): { address: string } => ({ address: from(wrong) ? '10.2.0.10' : '10.2.0.11' });
    const wrong: Run = {
      ...run,
      pool: (network, zone) => {
        const pool = run.pool(network, zone);
        return network === 'vip' && pool ? { ...pool, next } : pool;
      },
    };
    return wrong;
  }

  function ended(run: Run): void {
    const turns = turnsOf(run);
    let count = 0;
    for (let turn = turns.next(); turn.done !== true && count < MANY; turn = turns.next()) count += 1;
    assert.ok(count < MANY);
  }

  it('gives no reason to ask again and again', () => {
    const run = mistaken(
      { db: { level: 0, resources: big, network: 'vip' } },
      { batch: { level: 3, resources: big } },
      () => true,
    );
    ended(run);
    assert.equal(run.book.placements.get('batch-0')?.host, 'h1', 'whoever made room has its place again');
  });

  it('leaves nobody without the place that it had whose App had its turn before', () => {
    // the gang has its turn with the last of it, which is less critical than whom the first takes its place from
    const gang = { db: { level: 0, resources: big, network: 'vip', gang: 'job' }, tail: { level: 3, gang: 'job' } };
    const run = mistaken(
      gang,
      { batch: { level: 2, resources: big } },
      ({ preempting }) => preempting.displaced.size > 0,
    );
    ended(run);
    assert.ok(
      run.proposals.some((one) => one.op === 'release'),
      'it had made room',
    );
    assert.equal(run.book.placements.get('batch-0')?.host, 'h1');
  });
});
