import assert from 'node:assert/strict';
import { createAgent } from '../../reconciler/loop/agent/agent.ts';
import type { AgentOptions } from '../../reconciler/loop/agent/agent-state.ts';
import type { EntryDraft } from '../../reconciler/model/journal.ts';
import type { Provider } from '../../reconciler/model/provider.ts';
import type { Assignment } from '../../reconciler/model/replica.ts';
import type { Mailbox } from '../../reconciler/model/store.ts';
import { ORIGIN } from './changes.ts';

/** One knob that is to be 1. */
export const assignment: Assignment = {
  host: 'h1',
  fleet: 'f',
  generation: 1,
  revision: 'r1',
  author: 'Ann',
  resync: 3_600_000,
  replicas: [],
  networks: [],
  tuning: [{ kind: 'sysctl', key: 'a.b', value: '1', origin: ORIGIN }],
  keep: { apps: [], owners: [] },
};

/** An agent, and what it did. */
interface Rig {
  readonly options: AgentOptions;
  readonly drafts: EntryDraft[];
  /** What the knob says. */
  value: string;
  /** How many applies run now, and at most ran at once. */
  running: number;
  most: number;
}

/** An agent over one knob in memory, which is to be 1 or another value. */
export function rig(more: Partial<Provider> = {}, append?: () => Promise<never>, wish = '1'): Rig {
  const drafts: EntryDraft[] = [];
  const knob: Provider = {
    name: 'knob',
    kinds: ['sysctl'],
    observe: () => Promise.resolve([{ known: true, ref: 'sysctl/a.b', state: { value: self.value }, owned: true }]),
    diff: (desired, observed) =>
      observed.flatMap((item) =>
        item.known && self.value !== wish && desired.length > 0
          ? [
              {
                ref: item.ref,
                provider: 'knob',
                verb: 'update',
                want: desired[0]?.spec,
                fields: [{ path: '/value', have: self.value, want: wish }],
                disruption: 'none',
                because: 'drift',
              },
            ]
          : [],
      ),
    apply: async () => {
      self.running += 1;
      self.most = Math.max(self.most, self.running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      self.value = wish;
      self.running -= 1;
      return { did: 'set it' };
    },
    ...more,
  };
  const self: Rig = {
    drafts,
    value: '1',
    running: 0,
    most: 0,
    options: {
      host: 'h1',
      facts: {
        hostname: 'h1',
        machineId: '',
        addresses: [],
        capacity: { cpu: 1, memory: 1, pids: 1 },
        kernel: '',
        cgroup: 'v2',
      },
      mailbox: {
        assign: () => Promise.resolve(true),
        assignAll: () => Promise.resolve([]),
        assignments: () => Promise.resolve([]),
        reporting: () => Promise.resolve([]),
        assignment: () => Promise.resolve(assignment),
        report: () => Promise.resolve(),
        reports: () => Promise.resolve([]),
        news: () => Promise.resolve({ mark: '', mails: [] }),

        follow: async function* (signal) {
          await new Promise((resolve) => {
            signal.addEventListener('abort', resolve, { once: true });
          });
        },
      },
      journal: {
        append: (more2) => {
          drafts.push(...more2);
          return append ? append() : Promise.resolve([]);
        },
        read: () => (async function* () {})(),
        follow: () => (async function* () {})(),
        verify: () => Promise.resolve({ entries: 0, head: '' }),
      },
      leases: {
        acquire: (name, holder) => Promise.resolve({ name, holder, fence: 1, expires: Infinity }),
        release: () => Promise.resolve(),
        held: () => Promise.resolve([]),
      },
      settled: { read: () => Promise.resolve(new Map()), note: () => Promise.resolve() },
      providers: [knob],
      health: () => ({ set: () => undefined, get: () => undefined, stop: () => undefined }),
      clock: Date.now,
      random: () => 0.5,
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
    },
  };
  return self;
}

/** Waits until it is so; fails after a minute. */
export async function until(good: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !good();) {
    assert.ok(Date.now() < end, 'not within a minute');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The same, told another Assignment when somebody says so. */
export function toldTwice({ options }: Rig): {
  readonly options: AgentOptions;
  readonly tell: (next: Assignment) => void;
} {
  let told = assignment;
  let heard = (): void => undefined;
  const mailbox: Mailbox = {
    ...options.mailbox,
    assignment: () => Promise.resolve(told),
    follow: async function* () {
      await new Promise<void>((resolve) => (heard = resolve));
      yield { host: 'h1', what: 'assignment' };
    },
  };
  const tell = (next: Assignment): void => {
    told = next;
    heard();
  };
  return { options: { ...options, mailbox }, tell };
}

type Work = (agent: ReturnType<typeof createAgent>) => Promise<void>;

/** Runs the agent; `work` begins when it is idle, `first` before that. */
export async function during(one: Rig, work: Work, first: Work = () => Promise.resolve()): Promise<void> {
  const stop = new AbortController();
  const agent = createAgent(one.options);
  const running = agent.run(stop.signal);
  try {
    await first(agent);
    await until(() => agent.idle());
    await work(agent);
  } finally {
    stop.abort();
    await running;
  }
}
