import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Change } from '../../../reconciler/model/change.ts';
import { fingerprint } from '../../../reconciler/model/fingerprint.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { byRef, change, known, replica } from '../../support/changes.ts';
import { planOf } from '../../support/host-plan.ts';

const desired = byRef(replica('web-0'));
const ref = 'port/web-0';
const reached = fingerprint(desired.get(ref)?.spec);

/** Why a change of the port is made, as a plan says. */
function why(one: Change, settled: ReadonlyMap<Ref, string>): string | undefined {
  const items = ['sandbox/web-0', 'bridge/br-int'].map((there) => known(there as Ref));
  const { plan } = planOf(one, { desired, observed: items, settled });
  return plan.waves.flat().find((made) => made.ref === ref)?.because;
}

describe('why a change is made', () => {
  const cases: readonly [string, Change, ReadonlyMap<Ref, string>, Change['because']][] = [
    ['is new', change(ref, 'create', { because: 'new' }), new Map(), 'new'],
    [
      'was there as it is to be, and is gone',
      change(ref, 'create', { because: 'new' }),
      new Map([[ref, reached]]),
      'recovery',
    ],
    ['was there otherwise, and is gone', change(ref, 'create', { because: 'new' }), new Map([[ref, 'other']]), 'new'],
    ['is another than was reached', change(ref, 'update', { because: 'drift' }), new Map([[ref, reached]]), 'drift'],
    ['was reached otherwise', change(ref, 'update', { because: 'drift' }), new Map([[ref, 'other']]), 'spec changed'],
  ];
  for (const [name, one, settled, because] of cases)
    it(`${because}: what ${name}`, () => {
      assert.equal(why(one, settled), because);
    });
});
