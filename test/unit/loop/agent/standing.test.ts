import assert from 'node:assert/strict';
import { it } from 'node:test';
import { emptyAgentState } from '../../../../reconciler/loop/agent/agent-state.ts';
import { standing } from '../../../../reconciler/loop/agent/standing.ts';
import type { Desired, Limitation } from '../../../../reconciler/model/change.ts';
import { diffByRef, diffFields, type Provider } from '../../../../reconciler/model/provider.ts';
import type { Ref } from '../../../../reconciler/model/ref.ts';

type Spec = Readonly<Record<string, unknown>>;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const rules: Provider<Spec, Spec> = {
  name: 'x',
  kinds: ['cgroup', 'sysctl', 'knob'],
  observe: () => Promise.resolve([]),
  apply: () => Promise.reject(new Error('never')),
  diff: diffByRef((want, have) => {
    const fields = want && have ? diffFields(Object.keys(want.spec), want.spec, have.state) : [];
    const base = { provider: 'x', verb: 'update', disruption: 'none', because: 'drift' } as const;
    return want && fields.length > 0 ? { ...base, ref: want.ref, want: want.spec, fields } : undefined;
  }),
};

/** An agent that wants a spec of a ref, sees a state, and remembers what `also` does. */
function told(
  ref: Ref,
  spec: Spec,
  state: Spec,
  limitations: readonly Limitation[] = [],
  also: (agent: ReturnType<typeof emptyAgentState>) => void = () => undefined,
) {
  const agent = emptyAgentState();
  const want: Desired = { ref, spec, dependsOn: [], origin };
  agent.desired = new Map([[ref, want]]);
  agent.world.set({ known: true, ref, owned: true, state, limitations });
  also(agent);
  const { limitations: said, knobs } = standing({ options: { providers: [rules] }, state: agent });
  return { knobs, said: said.map(({ path, state: how, why }) => `${path} ${how}: ${why}`) };
}

const refused: Limitation = {
  ref: 'cgroup/a-0',
  path: '/memory',
  state: 'Refused',
  errno: 'EBUSY',
  why: 'no',
  want: 8,
};

it('counts what kernels and daemons are asked to hold, not what the spec is about', () => {
  assert.deepEqual(told('cgroup/a-0', { replica: 'a-0', cpu: 1, memory: 8, pids: 5 }, { memory: 8, pids: 5 }), {
    knobs: 2,
    said: [],
  });
  assert.equal(told('sysctl/vm.swappiness', { key: 'vm.swappiness', value: '1' }, { value: '1' }).knobs, 1);
  assert.equal(told('container/a-0', { image: 'x' }, {}).knobs, 0);
});

it('a refusal is told of the value that was refused, and of no other', () => {
  const drifted = (agent: ReturnType<typeof emptyAgentState>): void =>
    void agent.failures.set('cgroup/a-0', { code: 'KNOB_REFUSED', error: 'e', times: 1 });
  assert.deepEqual(told('cgroup/a-0', { memory: 8 }, { memory: 9 }, [refused], drifted).said, ['/memory Refused: no']);
  assert.deepEqual(told('cgroup/a-0', { memory: 9 }, { memory: 9 }, [refused]).said, []);
});

it('who sets a value to something else is told, and who sets it to the same is not', () => {
  const agent = emptyAgentState();
  const ref = 'sysctl/net.ipv4.tcp_rmem';
  const want: Desired = { ref, spec: { key: 'net.ipv4.tcp_rmem', value: '1 2 3' }, dependsOn: [], origin };
  const claims = [{ by: 'other', value: '1 2 4' }, { by: 'same', value: ' 1\t2 3' }, { by: 'unknown' }].map(
    (claim) => ({ ref, when: 'at the next boot', fix: 'remove it', ...claim }) as const,
  );
  agent.desired = new Map([[ref, want]]);
  agent.world.set({ known: true, ref, owned: true, state: { value: '1 2 3' }, claims });
  const said = standing({ options: { providers: [rules] }, state: agent });
  assert.deepEqual(
    said.conflicts?.map(({ by }) => by),
    ['other', 'unknown'],
  );
  agent.desired = new Map();
  assert.equal(standing({ options: { providers: [rules] }, state: agent }).conflicts, undefined, 'nobody asks for it');
});

it('drift is told where it is not put right at once, with why', () => {
  const spec = { memory: 8, pids: 5 };
  const waits = (agent: ReturnType<typeof emptyAgentState>): void =>
    void agent.waiting.set('cgroup/a-0', 'a fight: left alone');
  assert.deepEqual(told('cgroup/a-0', spec, { memory: 8, pids: 6 }, [], waits).said, [
    '/pids Drifted: 6, and 5 is asked for: a fight: left alone',
  ]);
  assert.deepEqual(told('cgroup/a-0', spec, { memory: 8, pids: 6 }).said, [], 'the next pass puts it right');
});

it('what the kernel does not take is refused, not drifted', () => {
  const state = (code: 'KNOB_REFUSED' | 'TIMEOUT'): readonly string[] =>
    told('sysctl/a.b', { value: '9' }, { value: '1' }, [], (agent) => {
      agent.failures.set('sysctl/a.b', { code, error: 'EINVAL', times: 2 });
    }).said;
  assert.deepEqual(state('KNOB_REFUSED'), ['/value Refused: 1, and 9 is asked for: EINVAL']);
  assert.deepEqual(state('TIMEOUT'), ['/value Drifted: 1, and 9 is asked for: EINVAL']);
});

it('what mends it is told with what saves power other than it is to, also while it waits, and of nothing else', () => {
  const ref = 'knob/cpu.governor';
  const fixes = (spec: Spec, some: readonly Limitation[], waits?: string): readonly (string | undefined)[] => {
    const agent = emptyAgentState();
    agent.desired = new Map([[ref, { ref, spec, dependsOn: [], origin }]]);
    agent.world.set({ known: true, ref, owned: true, state: { value: 'powersave' }, limitations: some });
    if (waits !== undefined) agent.waiting.set(ref, waits);
    return standing({ options: { providers: [rules] }, state: agent }).limitations.map(({ fix }) => fix);
  };
  const want = { key: 'cpu.governor', value: 'performance' };
  const eperm: Limitation = { ref, path: '/value', state: 'Refused', why: 'policy0: EPERM' };
  assert.deepEqual(fixes(want, [eperm]), ['cpupower frequency-set -g performance']);
  assert.deepEqual(fixes({ value: 'performance' }, [], 'a fight'), ['cpupower frequency-set -g performance']);
  assert.deepEqual(fixes(want, [{ ...eperm, fix: 'ask its owner' }]), ['ask its owner']);
  assert.deepEqual(fixes(want, []), [], 'the next pass puts it right');
});
