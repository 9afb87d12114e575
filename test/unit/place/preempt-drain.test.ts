import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { foreseeDrain, type Foreseen } from '../../../reconciler/place/foresee.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { hostsOf, resources, type Sketch } from '../../support/catalog.ts';
import { scene, told, where, type Apps } from '../../support/crowded.ts';
import type { Fleet } from '../../support/fleet.ts';

const big = resources(3000);

const half = resources(2000);

/** Where a drain of h1 leads. */
function foreseen(fleet: Fleet, catalog: Catalog): Foreseen {
  const { reports, assignments } = fleet.words();
  const seen = { reports: [...reports.values()], assignments: [...assignments.values()] };
  const hosts = hostViews(catalog, seen.reports, fleet.book);
  return foreseeDrain({ catalog, snapshot: fleet.book, hosts, ...seen, now: 0 }, 'h1');
}

describe('a replica on a host that is drained', () => {
  const before: Apps = { db: { level: 0, resources: big }, batch: { level: 3, resources: big } };
  const drain = { ...hostsOf(2), h1: { drain: true } };

  it('has a less critical one stopped where it finds no other host, and moves with its address once that has left', () => {
    const { fleet, catalog, work } = scene(before);
    const address = fleet.book.placements.get('db-0')?.address;
    const drained = catalog(before, { hosts: drain });
    const first = fleet.pass(drained);
    assert.deepEqual(told(first), ['yield batch-0 db-0']);
    const waits = 'db-0 moves to its new place on h2 once batch-0 (level 3) has left it';
    assert.deepEqual(first.draining, [{ host: 'h1', staying: [{ replica: 'db-0', why: waits }], leaving: [] }]);
    assert.deepEqual(first.unplaceable, [], 'it has its place still');
    assert.deepEqual(first.preemptions, [{ replica: 'batch-0', host: 'h2', by: 'db-0' }]);
    assert.deepEqual(told(fleet.pass(drained)), [], 'it runs still');
    work('h2');
    assert.deepEqual(told(fleet.pass(drained)), ['release batch-0', 'move db-0 h2']);
    assert.equal(fleet.book.placements.get('db-0')?.address, address);
    const last = fleet.settle(drained);
    assert.deepEqual(last.draining, [{ host: 'h1', staying: [], leaving: [] }]);
    assert.deepEqual(where(fleet), ['db-0@h2']);
  });

  it('goes on having it stopped while that takes away the turn to move', () => {
    const before: Apps = { db: { level: 0, replicas: 2, maxUnavailable: 1, resources: half } };
    const { fleet, catalog, work } = scene(before);
    const after: Apps = { ...before, batch: { level: 3, resources: half } };
    fleet.settle(catalog(after, { hosts: { ...hostsOf(2), h1: { schedulable: false } } }));
    assert.deepEqual(where(fleet), ['batch-0@h2', 'db-0@h1', 'db-1@h2']);
    const drained = catalog(after, { hosts: drain });
    assert.deepEqual(told(fleet.pass(drained)), ['yield batch-0 db-0']);
    // h2 has not said yet that it heard of it, so that nobody can tell whether db-1 serves
    const { preemptions, proposals } = fleet.pass(drained);
    assert.deepEqual(proposals, []);
    assert.deepEqual(preemptions, [{ replica: 'batch-0', host: 'h2', by: 'db-0' }]);
    work('h2');
    assert.deepEqual(told(fleet.pass(drained)), ['release batch-0', 'move db-0 h2']);
  });

  it('leaves the room that was made for it to another of its App, without which its turn does not come', () => {
    const all: Apps = { db: { level: 0, resources: half }, batch: { level: 3, resources: big } };
    const { fleet, catalog, work, ask } = scene(all);
    assert.deepEqual(told(fleet.pass(catalog(all, { hosts: drain }))), ['yield batch-0 db-0']);
    const more: Apps = { ...all, db: { ...all['db'], replicas: 2, maxUnavailable: 1 } };
    const waits =
      /^It stays on h1, which is drained, and waits for its turn: App db lets 1 replica be away at a time, db-1 \(no place\) is: mend that/;
    assert.match(ask(more, 'db-0', { hosts: drain }), waits);
    const drained = catalog(more, { hosts: drain });
    assert.deepEqual(told(fleet.pass(drained)), ['yield batch-0', 'yield batch-0 db-1']);
    work('h2');
    assert.deepEqual(told(fleet.pass(drained)), ['release batch-0', 'place db-1 h2']);
    fleet.settle(drained);
    assert.deepEqual(where(fleet), ['db-0@h2', 'db-1@h2']);
  });

  it('has nobody stopped while as many as its Zone lets be away find no place', () => {
    const zones = { main: { disruption: { maxUnavailable: { count: 2 } } } };
    const { fleet, catalog } = scene(before, 2, { zones });
    assert.deepEqual(told(fleet.pass(catalog(before, { hosts: drain }))), ['yield batch-0 db-0']);
    const more = catalog({ ...before, job: { level: 3, resources: big } }, { hosts: drain });
    assert.deepEqual(told(fleet.pass(more)), ['yield batch-0']);
    assert.deepEqual(fleet.settle(more).proposals, []);
    assert.deepEqual(where(fleet), ['batch-0@h2', 'db-0@h1']);
  });

  describe('whose turn to move is gone', () => {
    const two: Apps = { ...before, db: { ...before['db'], replicas: 2, maxUnavailable: 1 } };
    const hosts = { ...hostsOf(4), h1: { drain: true }, h4: { schedulable: false } };
    const budget = { main: { disruption: { maxUnavailable: { count: 2 } } } };
    /** Where a replica is. */
    const hostOf = ({ book }: Fleet, replica: string): string => book.placements.get(replica)?.host ?? '';
    /** db-0 leaves h1, and batch-0 makes room for it. */
    const leaving = (apps: Apps, rest: Partial<Sketch> = {}) => {
      const made = scene(apps, 4, { ...rest, hosts: { ...hostsOf(4), h4: { schedulable: false } } });
      assert.deepEqual(told(made.fleet.pass(made.catalog(apps, { hosts }))), ['yield batch-0 db-0']);
      made.work(hostOf(made.fleet, 'batch-0'));
      return made;
    };
    /** A replica does not serve, for a reason or while it starts. */
    const fails = (fleet: Fleet, replica: string, reason?: string): void => {
      const host = hostOf(fleet, replica);
      const live = fleet.machines.get(host)?.live.get(replica) ?? assert.fail();
      Object.assign(live, { ready: false }, reason === undefined ? {} : { reason });
      fleet.report(host);
    };

    it('goes on having others stopped while one more of its App starts', () => {
      const { fleet, catalog, work } = leaving(two);
      const more = catalog({ ...two, db: { ...two['db'], replicas: 3 } }, { hosts: { ...hosts, h4: {} } });
      assert.deepEqual(told(fleet.pass(more)), ['place db-2 h4']);
      assert.deepEqual(told(fleet.pass(more)), []);
      for (const host of fleet.machines.keys()) work(host);
      assert.deepEqual(told(fleet.pass(more)), ['release batch-0', 'move db-0 h2']);
    });

    it('goes on while one is not ready, and gives back what it does not get once that fails', () => {
      const { fleet, catalog } = leaving(two);
      const drained = catalog(two, { hosts });
      for (const [reason, proposals] of [
        [undefined, []],
        ['ProbeFailed', []],
        ['CrashLoop', ['yield batch-0']],
      ] as const) {
        fails(fleet, 'db-1', reason);
        assert.deepEqual(told(fleet.pass(drained)), proposals, reason);
      }
      assert.deepEqual(fleet.settle(drained).proposals, []);
      assert.deepEqual(where(fleet), ['batch-0@h2', 'db-0@h1', 'db-1@h3']);
    });

    it('gives it back where one is on a host that is not heard of', () => {
      const { fleet, catalog, work } = leaving(two);
      const other = hostOf(fleet, 'db-1');
      fleet.lost.add(other);
      const drained = catalog(two, { hosts });
      assert.deepEqual(told(fleet.pass(drained)), ['yield batch-0']);
      work('h2');
      assert.deepEqual(told(fleet.pass(drained)), []);
      fleet.lost.delete(other);
      assert.deepEqual(told(fleet.pass(drained)), ['yield batch-0 db-0']);
    });

    it('gives it back where as many as its Zone lets be away fail, or are not heard of', () => {
      const job = { level: 0, resources: big };
      for (const spoil of [
        (fleet: Fleet) => void fleet.lost.add(hostOf(fleet, 'job-0')),
        (fleet: Fleet) => {
          fails(fleet, 'job-0', 'CrashLoop');
        },
      ]) {
        const { fleet, catalog } = leaving({ ...before, job }, { zones: budget });
        const drained = catalog({ ...before, job }, { hosts });
        spoil(fleet);
        assert.deepEqual(told(fleet.pass(drained)), ['yield batch-0']);
        assert.deepEqual(fleet.settle(drained).proposals, []);
      }
    });
  });

  it('keeps its turn to move from what Git changes meanwhile', () => {
    const zones = { main: { disruption: { maxUnavailable: { count: 2 } } } };
    const all: Apps = { ...before, web: { level: 2, resources: half, image: 'v1' } };
    const { fleet, catalog, work } = scene(all, 3, { zones });
    const imageOf = (replica: string): string | undefined => {
      const told = [...fleet.words().assignments.values()].flatMap(({ replicas }) => replicas);
      return told.find(({ id }) => id === replica)?.spec.image;
    };
    const { host = '' } = fleet.book.placements.get('db-0') ?? {};
    const { host: other = '' } = fleet.book.placements.get('batch-0') ?? {};
    const drained = catalog(
      { ...all, web: { ...all['web'], image: 'v2' } },
      { hosts: { ...hostsOf(3), [host]: { drain: true } } },
    );
    // one that is stopped, and the one that it is stopped for, are all that may be away
    assert.deepEqual(told(fleet.pass(drained)), ['yield batch-0 db-0']);
    assert.equal(imageOf('web-0'), 'v1');
    work(other);
    assert.deepEqual(told(fleet.pass(drained)), ['release batch-0', `move db-0 ${other}`]);
    fleet.settle(drained);
    assert.equal(imageOf('web-0'), 'v2');
  });

  it('is explained as it is told, also of a gang, and of one whose turn has not come', () => {
    const together: Apps = { ...before, db: { ...before['db'], gang: 'job' } };
    const one = scene(together);
    const waits = 'db-0 moves to its new place on h2 once batch-0 (level 3) has left it';
    assert.equal(one.ask(together, 'db-0', { hosts: drain }), waits);
    const { draining } = one.fleet.pass(one.catalog(together, { hosts: drain }));
    assert.deepEqual(draining[0]?.staying, [{ replica: 'db-0', why: waits }]);
    const two: Apps = { db: { level: 0, replicas: 2, maxUnavailable: 1, resources: resources(1500) } };
    const batch = { level: 3, replicas: 2, maxUnavailable: 2, resources: big };
    const { fleet, catalog, ask } = scene(two, 3, {
      hosts: { ...hostsOf(3), h2: { schedulable: false }, h3: { schedulable: false } },
    });
    const after: Apps = { ...two, batch };
    const all = { hosts: hostsOf(3) };
    fleet.settle(catalog(after, all));
    assert.deepEqual(where(fleet), ['batch-0@h2', 'batch-1@h3', 'db-0@h1', 'db-1@h1']);
    const hosts = { ...hostsOf(3), h1: { drain: true } };
    assert.match(ask(after, 'db-0', { hosts }), /^db-0 moves to its new place on h2 once batch-0 .* has left it$/);
    assert.match(
      ask(after, 'db-1', { hosts }),
      /^It stays on h1, which is drained, and waits for its turn: App db lets 1 replica be away at a time, db-0 \(it moves first\) is\. Placed now: /,
    );
    assert.deepEqual(told(fleet.pass(catalog(after, { hosts }))), ['yield batch-0 db-0']);
  });

  it('lets the other one be once the drain is undone', () => {
    const { fleet, catalog } = scene(before);
    fleet.pass(catalog(before, { hosts: drain }));
    assert.deepEqual(told(fleet.pass(catalog(before))), ['yield batch-0']);
    assert.deepEqual(where(fleet), ['batch-0@h2', 'db-0@h1']);
  });

  it('stays where both may not be away at once, and says so', () => {
    const zones = { main: { disruption: { maxUnavailable: { count: 1 } } } };
    const { fleet, catalog, ask } = scene(before, 2, { zones });
    const result = fleet.pass(catalog(before, { hosts: drain }));
    assert.deepEqual(told(result), []);
    const why = /batch-0 \(level 3\) could make room on h2, but Zone main lets no more be away at once$/;
    assert.match(result.draining[0]?.staying[0]?.why ?? '', why);
    assert.match(ask(before, 'batch-0'), /^batch-0 is on h2/);
    const { displaced, staying } = foreseen(fleet, catalog(before));
    assert.deepEqual(displaced, []);
    const never = /but Zone main lets 1 replica be away at a time$/;
    assert.match(staying[0]?.why ?? '', never);
  });

  it('has nobody stopped while its App is changed', () => {
    const two: Apps = {
      db: { replicas: 2, level: 0, resources: big, spread: { host: 1 } },
      batch: { level: 3, resources: big },
    };
    const { fleet, catalog } = scene(two, 3);
    const next: Apps = { ...two, db: { ...two['db'], image: 'plumbline/busybox:2' } };
    const hosts = { ...hostsOf(3), h1: { drain: true } };
    const { draining } = fleet.pass(catalog(next, { hosts }));
    assert.match(draining[0]?.staying[0]?.why ?? '', /on h2, but App db is in the middle of a change$/);
    fleet.settle(catalog(next));
    assert.deepEqual(told(fleet.pass(catalog(next, { hosts }))), ['yield batch-0 db-0']);
  });

  it('is foreseen with those who make room', () => {
    const { fleet, catalog } = scene({ ...before, log: { level: 2, resources: resources(1000) } });
    const at = catalog({ ...before, log: { level: 2, resources: resources(1000) } });
    const { displaced, moves, staying } = foreseen(fleet, at);
    assert.deepEqual(displaced, [{ replica: 'batch-0', by: 'db-0' }]);
    assert.ok(moves.some(({ replica, to }) => replica === 'db-0' && to === 'h2'));
    assert.deepEqual(staying, []);
  });
});
