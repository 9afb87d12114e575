import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostItems, unplaceableItems, withoutRoom } from '../../../../reconciler/loop/status/items.ts';
import { formOf } from '../../../../reconciler/model/form.ts';
import type { Notice } from '../../../../reconciler/model/notice.ts';
import { incarnationOf } from '../../../../reconciler/model/rollout.ts';
import type { Assignment, Placement, ReplicaReport, Report } from '../../../../reconciler/model/replica.ts';
import { assignmentOf } from '../../../support/assigned.ts';
import { reportOf } from '../../../support/catalog.ts';

const told = assignmentOf('h1', 3, 1);
const [web] = told.replicas;
assert.ok(web);
const well: ReplicaReport = {
  ...{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0 },
  ...{ incarnation: incarnationOf(web), form: formOf(web) },
};
const says = (replica: Partial<ReplicaReport>, more: Partial<Report> = {}): Report =>
  reportOf('h1', {}, { generation: 3, replicas: [{ ...well, ...replica }], ...more });
const nothing = { ...told, replicas: [] };
const ready = { type: 'Ready', status: true, reason: 'Converged', message: '', observedGeneration: 3 } as const;

interface Case {
  readonly name: string;
  readonly placement?: Partial<Placement>;
  /** What the host was told, and what it said, where that is not that all is well. */
  readonly assignment?: Assignment | undefined;
  readonly report?: Report | undefined;
  readonly lost?: boolean;
  /** Sync, health and reason. */
  readonly is: readonly [string, string, string];
}

const cases: readonly Case[] = [
  { name: 'what runs as it was told is Synced', is: ['Synced', 'Healthy', 'Ready'] },
  {
    name: 'and counts from a time on where it has just become ready',
    report: says({ settlesAt: 0 }),
    is: ['Synced', 'Progressing', 'Ready, counts from 1970-01-01T00:00:00.000Z'],
  },
  {
    name: 'of a host that never reported nothing is known',
    report: undefined,
    is: ['Unknown', 'Progressing', 'NoReport'],
  },
  {
    name: 'a host that has not taken in its Assignment is behind',
    report: says({}, { generation: 2 }),
    is: ['OutOfSync', 'Healthy', 'Ready'],
  },
  {
    name: 'so is one whose container is another',
    report: says({ incarnation: 'old' }),
    is: ['OutOfSync', 'Healthy', 'Ready'],
  },
  { name: 'or has other limits', report: says({ form: 'old' }), is: ['OutOfSync', 'Healthy', 'Ready'] },
  {
    name: 'what its host has yet to hear of is on its way',
    report: reportOf('h1', {}, { generation: 2, conditions: [ready] }),
    is: ['OutOfSync', 'Progressing', 'Pending'],
  },
  {
    name: 'so is what its host has yet to begin with',
    report: says({ ready: false, phase: 'Placed', incarnation: 'old' }),
    is: ['OutOfSync', 'Progressing', 'Placed'],
  },
  {
    name: 'and what its host is to be told of',
    assignment: nothing,
    report: reportOf('h1', {}, { generation: 3, conditions: [ready] }),
    is: ['OutOfSync', 'Progressing', 'Pending'],
  },
  {
    name: 'what is not there although its host says that it is done is Missing',
    report: reportOf('h1', {}, { generation: 3, conditions: [ready] }),
    is: ['OutOfSync', 'Missing', 'Pending'],
  },
  {
    name: 'what crashes is as Git says, and Degraded',
    report: says({ ready: false, phase: 'Running', reason: 'CrashLoop', message: 'exit status 1' }),
    is: ['Synced', 'Degraded', 'CrashLoop: exit status 1'],
  },
  {
    name: 'so is what has ended and waits for its next start, which may be well then',
    report: says({ ready: false, phase: 'Starting', reason: 'Restarting', message: 'next start waits' }),
    is: ['Synced', 'Progressing', 'Restarting: next start waits'],
  },
  {
    name: 'what cannot be made is not',
    report: says({ ready: false, phase: 'Placed', reason: 'ImageUnavailable', message: 'no such image' }),
    is: ['OutOfSync', 'Degraded', 'ImageUnavailable: no such image'],
  },
  {
    name: 'a probe that is not answered yet may be',
    report: says({ ready: false, phase: 'Running', reason: 'ProbeFailed', message: 'refused' }),
    is: ['Synced', 'Progressing', 'ProbeFailed: refused'],
  },
  {
    name: 'what an engine does not tell of is Unknown, as well as it was',
    report: says({ reason: 'Unknown', message: 'no answer' }),
    is: ['Unknown', 'Healthy', 'Unknown: no answer'],
  },
  {
    name: 'what makes room says for whom, however well it is',
    placement: { yields: 'db-0' },
    is: ['OutOfSync', 'Progressing', 'Preempted: gives its place to db-0, which finds no other'],
  },
  {
    name: 'what moves says who has yet to let it go, until its new host was told of it',
    placement: { from: 'h2' },
    assignment: nothing,
    is: ['OutOfSync', 'Progressing', 'Moving: from h2, which has not let it go'],
  },
  { name: 'and is as its new host says then', placement: { from: 'h2' }, is: ['Synced', 'Healthy', 'Ready'] },
  {
    name: 'nobody knows what a lost host runs',
    lost: true,
    is: ['Unknown', 'Missing', 'Lost: h1 is not heard of since 1970-01-01T00:00:00.000Z'],
  },
];

describe('the item of a replica', () => {
  for (const { name, placement = {}, lost = false, is, ...words } of cases)
    it(name, () => {
      const { assignment, report } = { assignment: told, report: says({}), ...words };
      const [item] = hostItems(
        {
          lost: lost ? [{ host: 'h1', since: 0 }] : [],
          assignments: new Map(assignment ? [['h1', assignment]] : []),
          reports: new Map(report ? [['h1', report]] : []),
        },
        [{ ...web.placement, ...placement }],
      );
      assert.deepEqual([item?.sync, item?.health, item?.reason], is);
    });
});

describe('replicas without a place, or without the room that they ask for', () => {
  const source = { url: 'u', ref: 'main', revision: 'r', fetchedAt: 0 };
  const quiet = { problems: 0, held: [], published: 'r', waiting: 0, lost: [], awaited: [] };
  const unplaceable = [
    { replica: 'web-0', message: 'no room for more' },
    { replica: 'web-1', message: 'no host', zone: 'main' },
  ];
  const notice: Notice = { source, ...quiet, unplaceable };

  it('have an item of their own where they are nowhere, in the Zone where they are to be', () => {
    const [item, ...more] = unplaceableItems(notice, (replica) => replica === 'web-0');
    assert.deepEqual(
      [item?.ref, item?.host, item?.zone, item?.health, more],
      ['replica/web-1', '', 'main', 'Missing', []],
    );
  });

  it('are not as Git says where they are, however well; what is Unknown stays that', () => {
    const one = { ref: 'replica/web-0', host: 'h1', health: 'Healthy', reason: 'Ready' } as const;
    for (const [before, after] of [
      ['Synced', 'OutOfSync'],
      ['Unknown', 'Unknown'],
    ] as const) {
      const [item] = withoutRoom([{ ...one, sync: before }], notice);
      assert.deepEqual([item?.sync, item?.health, item?.reason], [after, 'Healthy', 'NoRoom: no room for more']);
    }
  });
});
