import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Probes, ProbeSpec } from '../../../reconciler/model/catalog.ts';
import type { HealthState, ProbeKind } from '../../../reconciler/model/health.ts';
import { dueProbes, stepHealth } from '../../../reconciler/model/health.ts';

function probe(failures: number, successes: number): ProbeSpec {
  return { check: { type: 'tcp', port: 80 }, period: 1000, timeout: 100, failures, successes };
}

const all: Probes = { startup: probe(2, 1), readiness: probe(2, 2), liveness: probe(3, 1) };

/** `s+ r- l+` are answers of the startup, readiness and liveness probe; time rises by one with each. */
function run(probes: Probes, answers: string): HealthState {
  let state = stepHealth(undefined, { type: 'running' }, probes, 0);
  const kinds: Record<string, ProbeKind> = { s: 'startup', r: 'readiness', l: 'liveness' };
  for (const [index, answer] of answers.split(' ').filter(Boolean).entries()) {
    const ok = answer[1] === '+';
    const kind = kinds[answer[0] ?? ''] ?? 'startup';
    state = stepHealth(state, { type: 'probe', kind, ok, message: ok ? 'fine' : 'HTTP 500' }, probes, index + 1);
  }
  return state;
}

function flags({ started, ready, unhealthy }: HealthState): string {
  return [started ? 'started' : '', ready ? 'ready' : '', unhealthy ? 'unhealthy' : ''].filter(Boolean).join(' ');
}

const cases: readonly { name: string; probes: Probes; answers: string; expect: string }[] = [
  { name: 'without probes it is ready as soon as it runs', probes: {}, answers: '', expect: 'started ready' },
  { name: 'with readiness it first has to pass', probes: { readiness: probe(1, 1) }, answers: '', expect: 'started' },
  {
    name: 'with liveness alone it is ready at once',
    probes: { liveness: probe(1, 1) },
    answers: '',
    expect: 'started ready',
  },
  { name: 'startup gates the others', probes: all, answers: 'r+ r+ l- l- l-', expect: '' },
  { name: 'startup passes, readiness not yet', probes: all, answers: 's+ r+', expect: 'started' },
  { name: 'readiness passes after its successes in a row', probes: all, answers: 's+ r+ r+', expect: 'started ready' },
  { name: 'a failure starts the row again', probes: all, answers: 's+ r+ r- r+', expect: 'started' },
  { name: 'startup alone: ready with it', probes: { startup: probe(2, 1) }, answers: 's+', expect: 'started ready' },
  { name: 'startup fails for good', probes: all, answers: 's- s-', expect: 'unhealthy' },
  { name: 'startup fails once', probes: all, answers: 's- s+', expect: 'started' },
  { name: 'startup passes late, before it was restarted', probes: all, answers: 's- s- s+', expect: 'started' },
  {
    name: 'fewer readiness failures than the threshold are forgiven',
    probes: all,
    answers: 's+ r+ r+ r- r+ r-',
    expect: 'started ready',
  },
  { name: 'readiness fails', probes: all, answers: 's+ r+ r+ r- r-', expect: 'started' },
  {
    name: 'liveness fails, and readiness stands',
    probes: all,
    answers: 's+ r+ r+ l- l- l-',
    expect: 'started ready unhealthy',
  },
  { name: 'liveness fails with a pause', probes: all, answers: 's+ r+ r+ l- l- l+ l-', expect: 'started ready' },
  { name: 'liveness comes back', probes: all, answers: 's+ l- l- l- l+', expect: 'started' },
];

describe('health', () => {
  for (const { name, probes, answers, expect } of cases)
    it(name, () => {
      assert.equal(flags(run(probes, answers)), expect);
    });

  it('keeps the words of the last failure until all probes pass', () => {
    assert.equal(run(all, 's+ r-').message, 'readiness probe: HTTP 500');
    assert.equal(run(all, 's+ r- l+').message, 'readiness probe: HTTP 500');
    assert.equal(run(all, 's+ r- l+ r+').message, '');
  });

  it('knows since when', () => {
    assert.equal(run(all, 's+ r+ r+').since, 3);
    assert.equal(run(all, 's+ r+ r+ l+ l+').since, 3);
    assert.equal(run(all, 's+ r+ r+ l+ r- r-').since, 6);
  });

  it('begins afresh when the container does', () => {
    const state = stepHealth(run(all, 's+ r+ r+ l- l- l-'), { type: 'running' }, all, 9);
    assert.deepEqual(state, { started: false, ready: false, unhealthy: false, message: '', since: 9, streaks: {} });
  });

  it('is never ready before it is started, and asks either for startup or for the others', () => {
    const answer = fc.constantFrom('s+', 's-', 'r+', 'r-', 'l+', 'l-');
    fc.assert(
      fc.property(fc.array(answer), (answers) => {
        const state = run(all, answers.join(' '));
        assert.ok(state.started || !state.ready);
        const due = dueProbes(state, all).map(({ kind }) => kind);
        assert.deepEqual(due, state.started ? ['readiness', 'liveness'] : ['startup']);
      }),
    );
  });
});
