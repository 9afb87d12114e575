import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyAgentState, planned } from '../../../../reconciler/loop/agent/agent-state.ts';
import { introduction, reportOf } from '../../../../reconciler/loop/agent/report.ts';
import type { RestartState } from '../../../../reconciler/loop/agent/restarts.ts';
import type { RolloutSpec } from '../../../../reconciler/model/catalog.ts';
import type { Limitation } from '../../../../reconciler/model/change.ts';
import { incarnationOf } from '../../../../reconciler/model/rollout.ts';
import { fingerprint } from '../../../../reconciler/model/fingerprint.ts';
import { formOf } from '../../../../reconciler/model/form.ts';
import type { HealthState } from '../../../../reconciler/model/health.ts';
import type { Ref } from '../../../../reconciler/model/ref.ts';
import { isAsTold } from '../../../../reconciler/model/replica.ts';
import type {
  AssignedReplica,
  Assignment,
  HostFacts,
  ReplicaReport,
  Report,
} from '../../../../reconciler/model/replica.ts';
import type { ContainerState } from '../../../../reconciler/model/resources.ts';
import { assignmentOf } from '../../../support/assigned.ts';

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
  const options = { host: 'h1', facts: FACTS, clock: () => 0, providers: [] };
  const report = reportOf({ options, state, assignment, health: () => undefined, before: undefined });
  assert.deepEqual(
    report.limitations.map(({ ref, path }) => `${ref} ${path}`),
    ['cgroup/a-0 /blockIoWeight', 'cgroup/a-0 /swap', 'cgroup/b-0 /swap'],
  );
});

it('a replica is told to be in its form once its limits, too, were seen as they are assigned', () => {
  const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
  const state = emptyAgentState();
  const refs = ['sandbox/a-0', 'port/a-0', 'container/a-0', 'cgroup/a-0'] as const;
  state.desired = new Map(refs.map((ref) => [ref, { ref, spec: { of: ref }, dependsOn: [], origin }]));
  const placement = { replica: 'a-0', host: 'h1', network: 'n', address: '10.0.0.1' };
  const spec = { image: 'i', resources: { memory: 1 }, probes: {} };
  const replica = { id: 'a-0', spec, placement, plug: 'p' };
  const assignment = { host: 'h1', generation: 1, revision: 'r', replicas: [replica] } as unknown as Assignment;
  const options = { host: 'h1', facts: FACTS, clock: () => 0, providers: [] };
  const look = (before?: Report): Report => reportOf({ options, state, assignment, health: () => undefined, before });
  for (const ref of refs) {
    assert.equal(look().replicas[0]?.form, undefined);
    state.settled.set(ref, fingerprint({ of: ref }));
  }
  const formed = look();
  assert.equal(formed.replicas[0]?.form, formOf(replica as unknown as AssignedReplica));
  state.settled.set('cgroup/a-0', 'of another');
  assert.equal(look(formed).replicas[0]?.form, formed.replicas[0].form, 'what it was until it is as assigned');
  assert.equal(look().replicas[0]?.form, undefined);
  const container: Partial<ContainerState> = { status: 'running', fingerprint: 'f', image: 'i' };
  state.world.set({ known: true, ref: 'container/a-0', owned: true, state: container });
  const health = () => ({ started: true, ready: true, unhealthy: false, message: '', since: 0, streaks: {} });
  const serving = (before?: Report) => reportOf({ options, state, assignment, health, before }).replicas[0];
  assert.deepEqual([serving()?.ready, serving()?.form], [true, ''], 'it serves, in whatever form');
  state.fullGeneration = 1;
  const told = reportOf({ options, state, assignment, health, before: undefined });
  const [one] = told.replicas;
  assert.ok(one);
  assert.deepEqual([one.ready, one.form], [true, undefined], 'its limits were looked at, and are refused');
  assert.equal(serving({ ...told, replicas: [{ ...one, form: '' }] })?.form, undefined);
});

it('a host is not converged before the limits of what runs were looked at', () => {
  const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
  const state = emptyAgentState();
  state.fullGeneration = 1;
  const desired = ['container/a-0', 'cgroup/a-0'] as const;
  state.desired = new Map(desired.map((ref) => [ref, { ref, spec: {}, dependsOn: [], origin }]));
  const assignment = assignmentOf('h1', 1, 0);
  const options = { host: 'h1', facts: FACTS, clock: () => 0, providers: [] };
  const reason = (): unknown =>
    reportOf({ options, state, assignment, health: () => undefined, before: undefined }).conditions[0]?.reason;
  assert.equal(reason(), 'Converged', 'nothing runs');
  state.world.set({ known: true, ref: 'container/a-0', owned: true, state: { status: 'running' } });
  assert.equal(reason(), 'NotConverged');
  state.world.set({ known: true, ref: 'cgroup/a-0', owned: true, state: {} });
  assert.equal(reason(), 'Converged');
});

it('a replica that stands still as its App says is Frozen, and missed by nobody', () => {
  const told = (frozen: boolean, status: string, health?: HealthState): unknown => {
    const state = emptyAgentState();
    state.world.set({ known: true, ref: 'container/web-0', owned: true, state: { id: 'c', status } });
    const assignment = assignmentOf('h1', 1, 1, frozen ? { frozen } : {});
    const options = { host: 'h1', facts: FACTS, clock: () => 0, providers: [] };
    const [one] = reportOf({
      options,
      state,
      assignment,

      health: () => health,
      before: undefined,
    }).replicas;
    return [one?.phase, one?.ready];
  };
  const well: HealthState = { started: true, ready: true, unhealthy: false, message: '', since: 0, streaks: {} };
  assert.deepEqual(told(true, 'paused'), ['Frozen', true]);
  assert.deepEqual(told(true, 'running', well), ['Ready', true], 'until it stands still');
  assert.deepEqual(told(true, 'exited'), ['Starting', false]);
  assert.deepEqual(told(false, 'paused'), ['Starting', false], 'stood still by a hand');
});

it('a replica that is being made anew is none that serves, nor what it was before that, though just that is wanted again', () => {
  const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
  const state = emptyAgentState();
  const refs = ['sandbox/web-0', 'port/web-0', 'container/web-0'] as const;
  state.desired = new Map(refs.map((ref) => [ref, { ref, spec: { of: ref }, dependsOn: [], origin }]));
  for (const ref of refs) state.settled.set(ref, fingerprint({ of: ref }));
  const [, , ref] = refs;
  state.world.set({ known: true, ref, owned: true, state: { id: 'c', status: 'running' } });
  const well: HealthState = { started: true, ready: true, unhealthy: false, message: '', since: 0, streaks: {} };
  const assignment = assignmentOf('h1', 3, 1);
  const options = { host: 'h1', facts: FACTS, clock: () => 0, providers: [] };
  let before: Report = introduction('h1', FACTS, 0, undefined);
  const look = (): unknown => {
    before = reportOf({ options, state, assignment, health: () => well, before });
    const [one] = before.replicas;
    return [one?.ready, one?.incarnation];
  };
  const [replica] = assignment.replicas;
  const wanted = replica && incarnationOf(replica);
  const change = {
    ref,
    provider: 'p',
    verb: 'replace',
    disruption: 'recreate',
    because: 'spec changed',
    fields: [],
  } as const;
  const underway = planned(change);
  state.busy.set(ref, underway);
  assert.deepEqual(look(), [true, wanted], 'its image is still being pulled');
  underway.begun = true;
  state.interrupted.add('web-0');
  assert.deepEqual(look(), [false, undefined]);
  state.busy.delete(ref);
  state.settled.set(ref, 'of another');
  assert.deepEqual(look(), [true, undefined]);
  state.interrupted.clear();
  assert.deepEqual(look(), [true, undefined], 'until it was seen');
  state.settled.set(ref, fingerprint({ of: ref }));
  assert.deepEqual(look(), [true, wanted]);
  state.interrupted.add('web-0');
  state.settled.set(ref, 'of another');
  assert.deepEqual(look(), [true, undefined], 'one that began and ended between two Reports');
  before = { ...before, replicas: before.replicas.map((one) => ({ ...one, incarnation: 'of before' })) };
  assert.deepEqual(look(), [true, 'of before'], 'what is replaced is what it was');
  assert.equal(planned({ ...change, disruption: 'none', verb: 'update' }).interrupts, false);
});

describe('a replica that ends again and again', () => {
  const placement = { replica: 'a-0', host: 'h1', network: 'n', address: '10.0.0.1' };
  const spec = { image: 'i', restart: { backoff: 1000, maxBackoff: 300_000, resetAfter: 600_000 } };
  const health: HealthState = { started: true, ready: true, unhealthy: false, message: '', since: 0, streaks: {} };
  const assignment = {
    host: 'h1',
    fleet: 'f',
    generation: 1,
    revision: 'r',
    replicas: [{ id: 'a-0', spec, placement }],
  } as unknown as Assignment;
  const look = (
    restart: RestartState,
    container: Partial<ContainerState>,
    now: number,
    rollout?: RolloutSpec,
    probed: HealthState = health,
  ): ReplicaReport | undefined => {
    const state = emptyAgentState();
    state.restarts.set('a-0', restart);
    state.world.set({ known: true, ref: 'container/a-0', owned: true, state: { id: 'c', ...container } });
    const options = { host: 'h1', facts: FACTS, clock: () => now, providers: [] };
    const replicas = assignment.replicas.map((one) => ({
      ...one,
      spec: { ...one.spec, ...(rollout ? { rollout } : {}) },
    }));
    const asked = { ...assignment, replicas };
    const input = { options, state, assignment: asked, health: () => probed, before: undefined };
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
  it('waits for its next start, and is not what keeps its host from being as it was told', () => {
    const tell = (restart: RestartState, waiting: readonly Ref[], more?: Partial<Assignment>): Report => {
      const state = emptyAgentState();
      state.fullGeneration = 1;
      state.restarts.set('a-0', restart);
      for (const ref of waiting) state.waiting.set(ref, 'next start waits');
      state.world.set({ known: true, ref: 'container/a-0', owned: true, state: { id: 'c', status: 'exited' } });
      const options = { host: 'h1', facts: FACTS, clock: () => 1500, providers: [] };
      const asked = { ...assignment, ...more };
      return reportOf({ options, state, assignment: asked, health: () => undefined, before: undefined });
    };
    const ended: RestartState = { count: 1, total: 1, startedAt: 1000, exitedAt: 1200 };
    const cases = [
      [tell(ended, ['container/a-0']), true, 'Restarting'],
      [tell({ ...ended, count: 2 }, ['container/a-0']), true, 'CrashLoop'],
      [tell(ended, ['container/a-0', 'sysctl/vm.swappiness']), false, 'Restarting'],
      [tell(ended, ['container/a-0'], { generation: 2 }), false, 'Restarting'],
      [tell({ count: 0, total: 0 }, ['container/a-0']), false, 'Waiting'],
    ] as const;
    for (const [report, asTold, reason] of cases)
      assert.deepEqual(
        [isAsTold(report), report.conditions[0]?.status, report.replicas[0]?.reason],
        [asTold, false, reason],
      );
  });
  it('is ready again once it has', () => {
    const seen = look(loop, { status: 'running' }, 3000);
    assert.deepEqual([seen?.phase, seen?.ready, seen?.reason], ['Ready', true, undefined]);
  });
  it('counts once it has been ready for as long as its App asks', () => {
    const calm: RestartState = { count: 0, total: 0, startedAt: 1000 };
    const minReady = { minReady: 5000, autoRevert: false };
    assert.deepEqual(look(calm, { status: 'running' }, 4000, minReady)?.settlesAt, 5000);
    assert.equal(look(calm, { status: 'running' }, 5000, minReady)?.settlesAt, undefined);
    assert.equal(look(loop, { status: 'running' }, 1500, minReady)?.settlesAt, undefined, 'it is not ready at all');
  });
  it('says that it has yet to be probed', () => {
    const calm: RestartState = { count: 0, total: 0, startedAt: 1000 };
    const asked = (state: Partial<HealthState>): boolean | undefined =>
      look(calm, { status: 'running' }, 4000, undefined, { ...health, ready: false, ...state })?.unprobed;
    assert.deepEqual(
      [
        asked({}),
        asked({ streaks: { readiness: -1 } }),
        asked({ streaks: { liveness: 1 } }),
        asked({ started: false }),
      ],
      [true, undefined, true, true],
    );
    assert.equal(asked({ started: false, streaks: { startup: -1 } }), undefined);
    assert.equal(look(calm, { status: 'running' }, 4000)?.unprobed, undefined);
  });
  it('is not ready from its first start on when the kernel knows no process of it', () => {
    const fresh: RestartState = { count: 0, total: 0, startedAt: 1000 };
    assert.equal(look(fresh, { status: 'running' }, 1001)?.ready, true);
    const seen = look(fresh, { status: 'running', lifeless: true }, 1001);
    assert.deepEqual([seen?.phase, seen?.ready], ['Starting', false]);
  });
});
