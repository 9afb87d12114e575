import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { belongs } from '../../../reconciler/loop/belonging.ts';
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
