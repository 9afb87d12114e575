import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProbeSpec } from '../../../../reconciler/model/catalog.ts';
import type { Prober, ProbeResult } from '../../../../reconciler/model/probe.ts';
import type { HealthTarget } from '../../../../reconciler/loop/agent/health.ts';
import { createHealth } from '../../../../reconciler/loop/agent/health.ts';

const readiness: ProbeSpec = {
  check: { type: 'tcp', port: 80 },
  period: 10_000,
  timeout: 1000,
  failures: 2,
  successes: 1,
};
const liveness: ProbeSpec = { ...readiness, check: { type: 'tcp', port: 81 } };

function target(change: Partial<HealthTarget> = {}): HealthTarget {
  return {
    replica: 'web-0',
    incarnation: '1',
    pid: 7,
    containerId: 'c1',
    address: '10.0.0.2',
    probes: { readiness },
    ...change,
  };
}

/** A clock that is put forward by hand, and a prober whose answers are given by hand. */
function world() {
  let now = 0;
  let timers: { readonly at: number; readonly call: () => void }[] = [];
  const asked: { readonly at: number; readonly port: number; readonly pid: number; answer(ok: boolean): void }[] = [];
  const changes: string[] = [];
  const prober: Prober = {
    probe: ({ pid }, check, _timeout, signal) =>
      new Promise<ProbeResult>((resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('aborted'));
        });
        const port = check.type === 'exec' ? 0 : check.port;
        const answer = (ok: boolean): void => {
          resolve({ ok, message: ok ? '' : 'no' });
        };
        asked.push({ at: now, port, pid, answer });
      }),
    close: () => undefined,
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const health = createHealth({
    prober,
    random: () => 0.5,
    clock: {
      now: () => now,
      after: (ms, call) => {
        const timer = { at: now + ms, call };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
    },
    onChange: (replica, { ready, unhealthy }) =>
      changes.push(`${replica} ${ready ? 'ready' : 'not'} ${unhealthy ? 'unhealthy' : 'well'}`),
  });
  /** Lets time pass, answering each question at once unless `answer` is undefined. */
  const pass = async (ms: number, answer?: (port: number) => boolean): Promise<void> => {
    const end = now + ms;
    for (;;) {
      const due = timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!due) break;
      timers = timers.filter((timer) => timer !== due);
      now = due.at;
      const before = asked.length;
      due.call();
      await settle();
      if (answer) for (const one of asked.slice(before)) one.answer(answer(one.port));
      await settle();
    }
    now = end;
  };
  return { health, asked, changes, pass, settle, timers: () => timers.length };
}

describe('the schedule of probes', () => {
  it('asks eagerly until the first success, then once a period', async () => {
    const { health, asked, pass } = world();
    health.set([target()]);
    await pass(2000, () => false);
    assert.ok(asked.length >= 3, 'several times in the first seconds');
    const failures = asked.length;
    await pass(10_000, () => true);
    assert.equal(health.get('web-0')?.ready, true);
    const first = asked.slice(failures).length;
    await pass(100_000, () => true);
    assert.equal(asked.length - failures - first, 10);
    health.stop();
  });

  it('never lets a probe overlap itself, however long it takes', async () => {
    const { health, asked, pass, settle } = world();
    health.set([target()]);
    await pass(100_000);
    assert.equal(asked.length, 1);
    asked[0]?.answer(true);
    await settle();
    await pass(10_000);
    assert.equal(asked.length, 2);
    health.stop();
  });

  it('tells of changes only, by name', async () => {
    const { health, changes, pass } = world();
    health.set([target({ probes: { readiness, liveness } })]);
    await pass(30_000, () => true);
    await pass(40_000, (port) => port === 80);
    assert.deepEqual(changes, ['web-0 not well', 'web-0 ready well', 'web-0 ready unhealthy']);
    await pass(40_000, () => false);
    assert.deepEqual(changes.slice(3), ['web-0 not unhealthy']);
    assert.match(health.get('web-0')?.message ?? '', /probe: no$/);
    health.stop();
  });

  it('keeps the sum over passes, begins afresh with an incarnation, and forgets who is gone', async () => {
    const { health, asked, pass, settle, timers } = world();
    health.set([target()]);
    await pass(1000, () => true);
    health.set([target({ pid: 8 })]);
    assert.equal(health.get('web-0')?.ready, true, 'the same container');
    await pass(20_000, () => true);
    assert.equal(asked.at(-1)?.pid, 8, 'probed where it is now');
    health.set([target({ incarnation: '2' })]);
    assert.equal(health.get('web-0')?.ready, false);
    await pass(1000);
    health.set([]);
    await settle();
    assert.equal(health.get('web-0'), undefined);
    assert.equal(timers(), 0);
    health.stop();
  });

  it('needs no probe for a container without any', () => {
    const { health, asked, timers } = world();
    health.set([target({ probes: {} })]);
    assert.equal(health.get('web-0')?.ready, true);
    assert.deepEqual([asked.length, timers()], [0, 0]);
  });

  it('asks only for startup until that has passed', async () => {
    const { health, asked, pass } = world();
    const startup: ProbeSpec = { ...readiness, check: { type: 'tcp', port: 79 }, period: 1000, failures: 30 };
    health.set([target({ probes: { startup, readiness, liveness } })]);
    await pass(5000, () => false);
    assert.deepEqual([...new Set(asked.map((one) => one.port))], [79]);
    await pass(30_000, () => true);
    assert.deepEqual([...new Set(asked.map((one) => one.port))], [79, 80, 81]);
    const startups = asked.filter((one) => one.port === 79).length;
    await pass(30_000, () => true);
    assert.equal(asked.filter((one) => one.port === 79).length, startups);
    health.stop();
  });
});
