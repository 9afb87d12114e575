import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { belongs, partingOf } from '../../../reconciler/loop/belonging.ts';
import { NOTHING, totalsOf } from '../../../reconciler/loop/status/verdict.ts';
import { assignmentOf } from '../../support/assigned.ts';
import { reportOf } from '../../support/catalog.ts';

describe('a host that has reported at some time', () => {
  const runs = [{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0 }] as const;
  const gone = { recorded: false, used: false, assignment: undefined, report: reportOf('h1') };
  const report = reportOf('h1', {}, { generation: 2 });
  for (const [reason, known, expected] of [
    ['that Git has', { recorded: true }, true],
    ['where something is placed', { used: true }, true],
    ['that Git never had', {}, false],
    ['that Git never had, and that runs something', { report: reportOf('h1', {}, { replicas: runs }) }, true],
    ['that has let go of all that it was told', { assignment: assignmentOf('h1', 2, 0), report }, false],
    ['that has yet to do so', { assignment: assignmentOf('h1', 3, 0), report }, true],
    ['that is still told to run something', { assignment: assignmentOf('h1', 2, 1), report }, true],
  ] as const)
    it(`${reason} is ${expected ? '' : 'not '}waited for`, () => {
      assert.equal(belongs({ ...gone, ...known }), expected);
    });
});

describe('a host whose agent speaks no more, once a person gives it up', () => {
  const report = reportOf(
    'h1',
    {},
    { generation: 2, replicas: [{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0 }] },
  );
  const dead = { recorded: false, used: false, assignment: assignmentOf('h1', 3, 0), report };

  it('is said to have let go of all that it was told', () => {
    const parting = partingOf(dead, 5);
    assert.ok(parting);
    assert.deepEqual([parting.generation, parting.replicas, parting.at], [3, [], 5]);
    assert.equal(belongs({ ...dead, report: parting }), false);
    assert.deepEqual(totalsOf([], [dead.assignment], new Map([['h1', parting]])), NOTHING);
    assert.ok(partingOf({ ...dead, assignment: undefined }, 5), 'one that was told nothing');
  });

  for (const [reason, known] of [
    ['Git has it', { recorded: true }],
    ['something is placed there', { used: true }],
    ['it is told to run something', { assignment: assignmentOf('h1', 3, 1) }],
    ['an emptied store is filled again from it', { report: { ...report, kept: assignmentOf('h1', 2, 1) } }],
    ['nobody waits for it', { assignment: undefined, report: reportOf('h1') }],
  ] as const)
    it(`is left alone where ${reason}`, () => {
      assert.equal(partingOf({ ...dead, ...known }, 5), undefined);
    });
});
