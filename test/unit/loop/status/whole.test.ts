import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Status } from '../../../../reconciler/loop/status/status.ts';
import { narrowed } from '../../../../reconciler/loop/status/part.ts';
import { statusOf } from '../../../../reconciler/loop/status/whole.ts';
import { totalsOf } from '../../../../reconciler/loop/status/verdict.ts';
import type { Draining, Notice } from '../../../../reconciler/model/notice.ts';
import { assignmentOf } from '../../../support/assigned.ts';
import { catalogOf, reportOf, resources } from '../../../support/catalog.ts';
import { createFleet } from '../../../support/fleet.ts';

const source = { url: 'u', ref: 'main', revision: 'rev1', fetchedAt: 0 };
const quiet = { problems: 0, unplaceable: [], held: [], published: 'rev1', waiting: 0, lost: [], awaited: [] };

function told(draining: readonly Draining[]): Status {
  const notice: Notice = { source, ...quiet, draining };
  const fleet = createFleet(['h1']);
  fleet.settle(catalogOf({ hosts: { h1: {} } }));
  return statusOf({
    notice,
    hosts: fleet.book.hosts,
    placements: new Map(),
    assignments: new Map(),
    reports: new Map(),
  });
}

describe('status of a drain', () => {
  it('says what is left and what stands in the way, and is not Synced before the end', () => {
    const staying = [{ replica: 'web-1', why: 'there is no room' }];
    const { sync, messages } = told([{ host: 'h1', staying, leaving: ['web-0'] }]);
    assert.equal(sync, 'OutOfSync');
    assert.deepEqual(messages, [
      'host h1 is being drained: 1 leaving, 1 staying (web-1: there is no room); plumb drain h1 --watch shows all',
    ]);
  });

  it('says when it is over', () => {
    const { sync, messages } = told([{ host: 'h1', staying: [], leaving: [] }]);
    assert.deepEqual([sync, messages], ['Synced', ['host h1 is drained: nothing is left on it']]);
    assert.deepEqual(told([]).messages, []);
  });

  it('does not say so of a host that has never reported, and is not Synced, nor is that part of the fleet', () => {
    const status = told([{ host: 'h1', staying: [], leaving: [], unheard: true }]);
    const unknown =
      'host h1 is to be drained, and what is left on it is not known: it has not reported; look after its plumb agent';
    assert.deepEqual([status.sync, status.messages], ['OutOfSync', [unknown]]);
    assert.equal(status.hosts.length, 1);
    assert.equal(narrowed(status, [], { hosts: status.hosts }).sync, 'OutOfSync');
  });

  it('tells of a replica on its way that it waits for its old host', () => {
    const fleet = createFleet(['h1', 'h2']);
    const sketch = (drain: boolean): Parameters<typeof catalogOf>[0] => ({
      hosts: { h1: { drain }, h2: {} },
      apps: { web: {} },
    });
    fleet.settle(catalogOf(sketch(false)));
    fleet.pass(catalogOf(sketch(true)));
    const { assignments, reports } = fleet.words();
    const notice: Notice = { source, ...quiet };
    const [item] = statusOf({
      notice,
      hosts: fleet.book.hosts,
      placements: fleet.book.placements,
      assignments,
      reports,
    }).items;
    assert.deepEqual(
      [item?.host, item?.health, item?.reason],
      ['h2', 'Progressing', 'Moving: from h1, which has not let it go'],
    );
  });
});

describe('status of a fleet whose controller cannot go on', () => {
  it('is not Synced: nobody knows what Git asks for', () => {
    const notice: Notice = { source, ...quiet, failing: 'no manifest [TREE_EMPTY]' };
    const { sync, failing } = statusOf({
      notice,
      ...{ hosts: new Map(), placements: new Map(), assignments: new Map(), reports: new Map() },
    });
    assert.deepEqual([sync, failing], ['OutOfSync', 'no manifest [TREE_EMPTY]']);
  });
});

describe('status of a host that is not Ready', () => {
  const fleet = createFleet(['h1']);
  fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { web: {} } }));
  const { assignments, reports } = fleet.words();
  const { hosts, placements } = fleet.book;
  const told = (replica: string, reason: string): readonly unknown[] => {
    const ready = { type: 'Ready', status: false, reason, message: '', observedGeneration: 1 } as const;
    const said = [...reports].map(([host, report]) => {
      const replicas = report.replicas.map((one) => ({ ...one, ready: false, reason: replica }));
      return [host, { ...report, replicas, conditions: [ready] }] as const;
    });
    const status = statusOf({ notice: { source, ...quiet }, hosts, placements, assignments, reports: new Map(said) });
    const part = narrowed(status, status.items, { hosts: status.hosts });
    return [status.items[0]?.sync, part.sync, status.sync, part.health, status.health];
  };

  it('is as Git says where that is because what runs there ends again and again', () => {
    assert.deepEqual(told('CrashLoop', 'Restarting'), ['Synced', 'Synced', 'Synced', 'Degraded', 'Degraded']);
    assert.deepEqual(told('Restarting', 'Restarting'), ['Synced', 'Synced', 'Synced', 'Progressing', 'Progressing']);
  });

  it('is not where there is something else to do, whatever part is looked at', () => {
    assert.deepEqual(told('CrashLoop', 'NotConverged'), ['Synced', 'OutOfSync', 'OutOfSync', 'Degraded', 'Degraded']);
  });
});

it('is not known of a part either while no controller leads, and says so', () => {
  const fleet = createFleet(['h1']);
  fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { web: {} } }));
  const { assignments, reports } = fleet.words();
  const { hosts, placements } = fleet.book;
  const status = statusOf({ notice: { source, ...quiet }, hosts, placements, assignments, reports });
  for (const part of [{ app: 'web' }, { hosts: status.hosts }]) {
    const { sync, health, silence } = narrowed({ ...status, silence: 'no controller leads' }, status.items, part);
    assert.deepEqual([sync, health, silence], ['Unknown', 'Degraded', 'no controller leads']);
  }
});

describe('status of a replica that leaves', () => {
  it('is not Missing where what is left of it cannot be seen', () => {
    const fleet = createFleet(['h1']);
    fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { web: {} } }));
    const { assignments, reports } = fleet.words();
    const without = [...assignments].map(([host, one]) => [host, { ...one, replicas: [] }] as const);
    const blind = [...reports].map(([host, report]) => {
      const observed = [{ known: false, ref: 'container/web-0', why: 'nobody answers' }] as const;
      return [host, { ...report, replicas: [], observed }] as const;
    });
    const { hosts, placements } = fleet.book;
    const input = { notice: { source, ...quiet }, hosts, placements };
    const [item] = statusOf({ ...input, assignments: new Map(without), reports: new Map(blind) }).items;
    assert.deepEqual(
      [item?.ref, item?.sync, item?.health, item?.reason],
      ['replica/web-0', 'Unknown', 'Progressing', 'Leaving: what is left of it cannot be seen: nobody answers'],
    );
  });
});

describe('status of a replica that makes room', () => {
  it('says for whom, and of the other one what it waits for', () => {
    const fleet = createFleet(['h1']);
    const batch = { level: 3, resources: resources(3000) };
    fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { batch } }));
    const apps = { batch, db: { level: 0, resources: resources(3000) } };
    const { unplaceable } = fleet.pass(catalogOf({ hosts: { h1: {} }, apps }));
    const { assignments, reports } = fleet.words();
    const notice: Notice = { source, ...quiet, unplaceable };
    const { hosts, placements } = fleet.book;
    const { items, sync } = statusOf({ notice, hosts, placements, assignments, reports });
    assert.equal(sync, 'OutOfSync');
    assert.deepEqual(
      items.map(({ ref, host, health, reason }) => [ref, host, health, reason].join(' ')),
      [
        'replica/batch-0 h1 Progressing Preempted: gives its place to db-0, which finds no other',
        'replica/db-0  Missing Unplaceable: db-0 gets its place on h1 once batch-0 (level 3) has left it',
      ],
    );
  });
});

describe('status of the whole', () => {
  it('tells of a replica without the room that it asks for once, where it is', () => {
    const fleet = createFleet(['h1']);
    fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { web: { replicas: 2 } } }));
    const { assignments, reports } = fleet.words();
    const unplaceable = [
      { replica: 'web-0', message: 'it keeps its old limits' },
      { replica: 'web-2', message: 'App web finds no host', zone: 'main' },
    ];
    const notice: Notice = { source, ...quiet, unplaceable };
    const { items } = statusOf({
      notice,
      hosts: fleet.book.hosts,
      placements: fleet.book.placements,
      assignments,
      reports,
    });
    assert.deepEqual(
      items.map(({ ref, host, sync, health, reason }) => [ref, host, sync, health, reason]),
      [
        ['replica/web-0', 'h1', 'OutOfSync', 'Healthy', 'NoRoom: it keeps its old limits'],
        ['replica/web-1', 'h1', 'Synced', 'Healthy', 'Ready'],
        ['replica/web-2', '', 'OutOfSync', 'Missing', 'Unplaceable: App web finds no host'],
      ],
    );
  });

  it('waits for no host that has never reported and has nothing, and for one that is behind', () => {
    const fleet = createFleet(['h1']);
    fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { web: {} } }));
    const { assignments, reports } = fleet.words();
    const [first] = assignments.values();
    assert.ok(first);
    const behind = (...all: readonly (typeof first)[]): number => totalsOf([], all, reports).behind;
    assert.equal(behind(first, { ...first, host: 'h9', replicas: [] }), 0);
    assert.equal(behind({ ...first, generation: first.generation + 1 }), 1);
  });

  it('waits for no host that reports and was told nothing, as Git has none of that name', () => {
    const stranger = reportOf('h9');
    assert.deepEqual(stranger.conditions, []);
    assert.equal(totalsOf([], [], new Map([['h9', stranger]])).unsettled, 0);
    assert.equal(totalsOf([], [assignmentOf('h9', 1, 0)], new Map([['h9', stranger]])).unsettled, 1);
  });
});

describe('status of a replica with cores of its own', () => {
  it('says in passing where these are no whole ones, and nothing else is otherwise for that', () => {
    const fleet = createFleet(['h1']);
    const own = { ...resources(3000), pinned: true as const };
    fleet.settle(catalogOf({ hosts: { h1: { capacity: { cpu: 8000, node0: 8 } } }, apps: { db: { resources: own } } }));
    const { assignments, reports } = fleet.words();
    const { hosts, placements } = fleet.book;
    const look = (threadsPerCore: number) => {
      const said = [...reports].map(([h, one]) => [h, { ...one, facts: { ...one.facts, threadsPerCore } }] as const);
      const input = { notice: { source, ...quiet }, hosts, placements, assignments, reports: new Map(said) };
      const { items, ...whole } = statusOf(input);
      const { reason, ...item } = items[0] ?? assert.fail();
      return { reason, item, whole };
    };
    const [plain, smt] = [look(1), look(2)];
    assert.deepEqual([plain.reason, plain.item.sync, plain.item.health], ['Ready', 'Synced', 'Healthy']);
    assert.deepEqual(smt, {
      ...plain,
      reason: 'Ready, and shares a core with others until h1 has room for whole ones',
    });
  });
});

it('holds a host, too, of a Zone in which an emptied store lets nothing be placed', () => {
  const fleet = createFleet(['h1']);
  fleet.settle(catalogOf({ hosts: { h1: {} }, apps: { web: {} } }));
  const { assignments, reports } = fleet.words();
  const held = ['the store knew no host: nothing is placed in 1 Zone (main) before 1 host (h2) reported'];
  const { hosts, placements } = fleet.book;
  const status = statusOf({ notice: { source, ...quiet, held }, hosts, placements, assignments, reports });
  const part = narrowed(status, [], { hosts: status.hosts });
  assert.deepEqual([part.held, part.sync], [held, 'OutOfSync']);
});
