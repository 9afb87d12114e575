import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Change, Observed } from '../../../reconciler/model/change.ts';
import { fingerprint } from '../../../reconciler/model/fingerprint.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { byRef, change, known, replica } from '../../support/changes.ts';
import { planOf } from '../../support/host-plan.ts';

const desired = byRef(replica('web-0'));
const spec = desired.get('container/web-0')?.spec;
const running = { status: 'running', sandbox: 's' };

/** The refs that go, and the replicas that want a token. */
function plan(
  one: Change,
  state: object = running,
  settled: ReadonlyMap<Ref, string> = new Map([['container/web-0', fingerprint(spec)]]),
  repairable: ReadonlySet<string> | undefined = new Set(),
): string {
  const seen = ['sandbox/web-0', 'port/web-0', 'bridge/br-int'].map((ref) => known(ref as Ref));
  const items: readonly Observed[] = [...seen, { known: true, ref: 'container/web-0', owned: true, state }];
  const made = planOf(one, { desired, observed: items, settled, ...(repairable ? { repairable } : {}) });
  return [...made.plan.waves.flat().map(({ ref }) => ref), ...[...made.repairs].map((id) => `waits: ${id}`)].join(', ');
}

const restart = (because: Change['because'], disruption: Change['disruption'] = 'recreate'): Change =>
  change('container/web-0', 'replace', { because, disruption });

describe('a repair that restarts a replica', () => {
  it('waits for a token while the replica runs', () => {
    assert.equal(plan(restart('drift')), 'waits: web-0');
    assert.equal(plan(restart('unhealthy')), 'waits: web-0');
    assert.equal(plan(restart('drift'), running, undefined, new Set(['web-0'])), 'container/web-0');
    assert.equal(plan(restart('drift'), running, undefined, new Set(['web-1'])), 'waits: web-0');
  });

  it('waits for a token while the replica stands still', () => {
    assert.equal(plan(restart('drift'), { ...running, status: 'paused' }), 'waits: web-0');
    assert.equal(plan(restart('spec changed'), { ...running, status: 'paused' }), 'waits: web-0');
  });

  it('needs none where nothing is lost by it', () => {
    assert.equal(plan(restart('drift'), { status: 'exited', sandbox: 's' }), 'container/web-0');
    assert.equal(plan(restart('drift'), { status: 'running', sandbox: '' }), 'container/web-0');
    assert.equal(plan(restart('drift'), { ...running, lifeless: true }), 'container/web-0');
    assert.equal(plan(restart('exited')), 'container/web-0');
    assert.equal(plan(restart('drift', 'none')), 'container/web-0');
  });

  it('is told from a change: another spec than the one that was reached needs none', () => {
    assert.equal(plan(restart('spec changed'), running, new Map([['container/web-0', 'another']])), 'container/web-0');
    assert.equal(plan(restart('spec changed')), 'waits: web-0', 'the same read otherwise');
    assert.equal(plan(restart('spec changed'), running, new Map()), 'waits: web-0', 'nothing is remembered');
  });
});
