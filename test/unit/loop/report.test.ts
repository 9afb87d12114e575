import assert from 'node:assert/strict';
import { it } from 'node:test';
import { emptyAgentState } from '../../../reconciler/loop/agent-state.ts';
import { reportOf } from '../../../reconciler/loop/report.ts';
import type { Limitation } from '../../../reconciler/model/change.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import type { Assignment, HostFacts } from '../../../reconciler/model/replica.ts';

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
  const capacity = { cpu: 1000, memory: 1, pids: 1 };
  const facts: HostFacts = { hostname: 'h1', machineId: '', addresses: [], capacity, kernel: '6.1', cgroup: 'v1' };
  const keep = { apps: [], owners: [] };
  const base = { host: 'h1', fleet: 'f', generation: 1, revision: 'r', resync: 1000, keep };
  const assignment = { ...base, replicas: [], networks: [], tuning: [] } as unknown as Assignment;
  const options = { host: 'h1', facts, clock: () => 0 };
  const report = reportOf({ options, state, assignment, busy: false, health: () => undefined, before: undefined });
  assert.deepEqual(
    report.limitations.map(({ ref, path }) => `${ref} ${path}`),
    ['cgroup/a-0 /blockIoWeight', 'cgroup/a-0 /swap', 'cgroup/b-0 /swap'],
  );
});
