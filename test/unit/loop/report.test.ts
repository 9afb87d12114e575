import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyAgentState } from '../../../reconciler/loop/agent-state.ts';
import { reportOf } from '../../../reconciler/loop/report.ts';
import type { RestartState } from '../../../reconciler/loop/restarts.ts';
import type { Limitation } from '../../../reconciler/model/change.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import type { Assignment, HostFacts, ReplicaReport } from '../../../reconciler/model/replica.ts';
import type { ContainerState } from '../../../reconciler/model/resources.ts';

const FACTS: HostFacts = {
  hostname: 'h1',
  machineId: '',
  addresses: [],
  capacity: { cpu: 1000, memory: 1, pids: 1 },
  kernel: '6.1',
  cgroup: 'v1',
};

it('a report tells of what cannot be held and is wanted, not of what nobody asks for', () => {
  const state = emptyAgentState();
  const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
  const lacking = (ref: Ref, path: string): Limitation => ({ ref, path, state: 'Unsupported', why: 'no file' });
  for (const replica of ['a-0', 'b-0', 'c-0']) {
    const ref: Ref = `cgroup/${replica}`;
    const limitations = [lacking(ref, '/blockIoWeight'), lacking(ref, '/swap')];
    state.world.set({ known: true, ref, owned: true, state: {}, limitations });
  }
  state.desired = new Map([
    ['cgroup/a-0', { ref: 'cgroup/a-0', spec: { swap: 0, blockIoWeight: 300 }, dependsOn: [], origin }],
    ['cgroup/b-0', { ref: 'cgroup/b-0', spec: { swap: 0 }, dependsOn: [], origin }],
  ]);
  const keep = { apps: [], owners: [] };
  const base = { host: 'h1', fleet: 'f', generation: 1, revision: 'r', resync: 1000, keep };
  const assignment = { ...base, replicas: [], networks: [], tuning: [] } as unknown as Assignment;
  const options = { host: 'h1', facts: FACTS, clock: () => 0 };
  const report = reportOf({ options, state, assignment, busy: false, health: () => undefined, before: undefined });
  assert.deepEqual(
    report.limitations.map(({ ref, path }) => `${ref} ${path}`),
    ['cgroup/a-0 /blockIoWeight', 'cgroup/a-0 /swap', 'cgroup/b-0 /swap'],
  );
});

describe('a replica that ends again and again', () => {
  const placement = { replica: 'a-0', host: 'h1', network: 'n', address: '10.0.0.1' };
  const spec = { image: 'i', restart: { backoff: 1000, maxBackoff: 300_000, resetAfter: 600_000 } };
  const health = { started: true, ready: true, unhealthy: false, message: '', since: 0, streaks: {} };
  const assignment = {
    host: 'h1',
    fleet: 'f',
    generation: 1,
    revision: 'r',
    replicas: [{ id: 'a-0', spec, placement }],
  } as unknown as Assignment;
  const look = (restart: RestartState, container: Partial<ContainerState>, now: number): ReplicaReport | undefined => {
    const state = emptyAgentState();
    state.restarts.set('a-0', restart);
    state.world.set({ known: true, ref: 'container/a-0', owned: true, state: { id: 'c', ...container } });
    const options = { host: 'h1', facts: FACTS, clock: () => now };
    const input = { options, state, assignment, busy: false, health: () => health, before: undefined };
    return reportOf(input).replicas[0];
  };
  const loop: RestartState = { count: 2, total: 2, startedAt: 1000, how: 'ended with status 3' };

  it('is not ready while it has not stayed up, and says why', () => {
    const seen = look(loop, { status: 'running' }, 1500);
    assert.deepEqual(
      [seen?.phase, seen?.ready, seen?.reason, seen?.message],
      ['Running', false, 'CrashLoop', 'ended with status 3, 2 times in a row'],
    );
  });
  it('is ready again once it has', () => {
    const seen = look(loop, { status: 'running' }, 3000);
    assert.deepEqual([seen?.phase, seen?.ready, seen?.reason], ['Ready', true, undefined]);
  });
  it('is not ready from its first start on when the kernel knows no process of it', () => {
    const fresh: RestartState = { count: 0, total: 0, startedAt: 1000 };
    assert.equal(look(fresh, { status: 'running' }, 1001)?.ready, true);
    const seen = look(fresh, { status: 'running', lifeless: true }, 1001);
    assert.deepEqual([seen?.phase, seen?.ready], ['Starting', false]);
  });
});
