import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { AssignedKnob, Assignment } from '../../../reconciler/model/replica.ts';
import { expand } from '../../../reconciler/plan/expand.ts';

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const knob = (kind: AssignedKnob['kind'], key: string): AssignedKnob => ({ kind, key, value: '1', origin });

it('what has DPDK made ready comes after all that DPDK reads, and after nothing else', () => {
  const tuning = [
    knob('ovs-config', 'dpdk-init'),
    knob('ovs-config', 'dpdk-extra'),
    knob('ovs-config', 'vhost-sock-dir'),
    knob('ovs-config', 'pmd-cpu-mask'),
    knob('ovs-config', 'max-idle'),
    knob('sysctl', 'vm.nr_hugepages'),
  ];
  const assignment: Assignment = {
    host: 'h1',
    generation: 1,
    revision: 'r',
    author: '',
    fleet: 'f',
    resync: 60_000,
    replicas: [],
    networks: [],
    tuning,
    keep: { apps: [], owners: [] },
  };
  const after = new Map(expand(assignment).map(({ ref, dependsOn }) => [ref, dependsOn]));
  assert.deepEqual(after.get('ovs-config/dpdk-init'), ['ovs-config/dpdk-extra', 'ovs-config/vhost-sock-dir']);
  assert.equal(after.size, tuning.length);
  for (const [ref, dependsOn] of after) if (ref !== 'ovs-config/dpdk-init') assert.deepEqual(dependsOn, []);
});
