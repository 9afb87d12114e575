import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createAgent } from '../../reconciler/loop/agent/agent.ts';
import type { Fetched } from '../../reconciler/loop/controller/repository.ts';
import type { UpOptions } from '../../reconciler/loop/up.ts';
import type { Observed } from '../../reconciler/model/change.ts';
import type { Provider } from '../../reconciler/model/provider.ts';
import { kindOf, type Ref } from '../../reconciler/model/ref.ts';
import type { Journal, Mailbox } from '../../reconciler/model/store.ts';
import { play, type Sabotage } from '../support/play.ts';
import type { Step, Story } from '../support/story.ts';
import type { AppWish } from '../support/wishes.ts';

const wait = fc.constantFrom(0, 50, 500, 3_000, 20_000, 90_000);
const app = fc.constantFrom('a' as const, 'b' as const);
const replica = fc.constantFrom('a-0', 'a-1', 'a-3', 'b-0', 'b-1');
const ms = fc.constantFrom(1_000, 10_000, 60_000);
const wish: fc.Arbitrary<AppWish> = fc.record(
  {
    replicas: fc.nat(4),
    image: fc.constantFrom('img:1', 'img:2'),
    memory: fc.constantFrom(64, 128),
    broken: fc.constantFrom('typo' as const, 'garbage' as const),
  },
  { requiredKeys: ['replicas', 'image', 'memory'] },
);
const sound = wish.map(({ broken: _broken, ...one }) => one);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant('commit' as const), app, wish: sound, wait }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('commit' as const), app, wish, wait }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('commit' as const), app, wait }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('knob' as const), value: fc.constantFrom('1', '2', undefined), wait }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('drift' as const),
      of: fc.constantFrom('no container', 'no sandbox', 'no port', 'exited', 'vlan', 'memory', 'knob'),
      replica,
      wait,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('blind' as const),
      kind: fc.constantFrom('*', 'container', 'port', 'sysctl'),
      ms,
      wait,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('mishaps' as const),
      kind: fc.constantFrom('sandbox', 'port', 'container', 'cgroup', 'image', 'sysctl'),
      how: fc.array(fc.constantFrom('refused', 'hangs', 'slow', 'lost'), { minLength: 1, maxLength: 3 }),
      wait,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('full' as const),
      part: fc.constantFrom('journal' as const, 'store' as const),
      ms,
      wait,
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('git away' as const), ms, wait }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('crash' as const), at: fc.integer({ min: 1, max: 80 }), wait }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), wait }) },
);
const story: fc.Arbitrary<Story> = fc.record({
  seed: fc.nat(),
  steps: fc.array(step, { minLength: 1, maxLength: 14, size: 'max' }),
});

/** Four replicas come, change and are to go, all at once. */
const PLAIN: Story = {
  seed: 7,
  steps: [
    { what: 'commit', app: 'a', wish: { replicas: 4, image: 'img:1', memory: 64 }, wait: 20_000 },
    { what: 'knob', value: '1', wait: 20_000 },
    { what: 'commit', app: 'a', wish: { replicas: 2, image: 'img:2', memory: 64 }, wait: 90_000 },
    { what: 'commit', app: 'a', wait: 20_000 },
  ],
};

/** The same options with other providers. */
function provided(options: UpOptions, change: (provider: Provider) => Partial<Provider>): UpOptions {
  const providers = options.agent.providers.map((provider) => ({ ...provider, ...change(provider) }));
  return { ...options, agent: { ...options.agent, providers } };
}

/** The same options with another journal. */
function appending(options: UpOptions, append: Journal['append']): UpOptions {
  return { ...options, store: { ...options.store, journal: { ...options.store.journal, append } } };
}

const BROKEN: readonly {
  readonly loop: string;
  readonly says: RegExp;
  /** What makes it sure to show. */
  readonly first?: Story['steps'][number];
  readonly sabotage: Sabotage;
}[] = [
  {
    loop: 'forgets what it is working on',
    says: /worked on twice at once/,
    first: { what: 'mishaps', kind: 'container', how: ['slow', 'slow', 'slow', 'slow'], wait: 0 },
    sabotage: (options, signal) => {
      const { store, agent, ...rest } = options;
      const { mailbox, journal, leases, settled } = store;
      void createAgent({ ...rest, ...agent, mailbox, journal, leases, settled }).run(signal);
      return options;
    },
  },
  {
    loop: 'journals no outcome of some changes',
    says: /without exactly one outcome/,
    sabotage: (options) =>
      appending(options, (drafts) =>
        options.store.journal.append(drafts.filter((one) => one.type !== 'outcome' || one.ref !== 'port/a-0')),
      ),
  },
  {
    loop: 'changes without an intent',
    says: /changed without an intent/,
    sabotage: (options) =>
      appending(options, (drafts) => options.store.journal.append(drafts.filter(({ type }) => type !== 'intent'))),
  },
  {
    loop: 'leaves behind what it takes away',
    says: /not as the last revision allows: (container|sandbox|port)/,
    sabotage: (options) => {
      const gone = new Set<Ref>();
      return provided(options, (provider) => ({
        observe: async (ctx, refs) => (await provider.observe(ctx, refs)).filter(({ ref }) => !gone.has(ref)),
        apply: (change, ctx) => {
          if (change.verb !== 'delete') return provider.apply(change, ctx);
          gone.add(change.ref);
          return Promise.resolve({ did: 'removed' });
        },
      }));
    },
  },
  {
    loop: 'cannot see what a person did',
    says: /container|knob/,
    sabotage: (options) => {
      const first = new Map<Ref, Observed>();
      return provided(options, (provider) => ({
        observe: async (ctx, refs) =>
          (await provider.observe(ctx, refs)).map((item) => {
            const before = kindOf(item.ref) === 'sysctl' ? first.get(item.ref) : undefined;
            if (item.known && (item.state as { value?: string }).value === '1') first.set(item.ref, item);
            return before ?? item;
          }),
        watch: async function* () {},
      }));
    },
  },
  {
    loop: 'is never done',
    says: /something was written/,
    sabotage: (options) => {
      let reports = 0;
      const { mailbox } = options.store;
      const report: Mailbox['report'] = (next) =>
        mailbox.report({ ...next, facts: { ...next.facts, kernel: String((reports += 1)) } });
      const fetch = async (): Promise<Fetched> => {
        await options.store.bulletin.read();
        const fetched = await options.repository.fetch();
        return { ...fetched, error: 'slow today' };
      };
      return {
        ...options,
        repository: { ...options.repository, fetch },
        store: { ...options.store, mailbox: { ...mailbox, report } },
      };
    },
  },
  {
    loop: 'knows no budget',
    says: /replicas go at once/,
    sabotage: (options) => ({ ...options, allowDeletions: true }),
  },
];

describe('the whole loop', () => {
  it('makes the host just as Git asks once all troubles are over', async () => {
    await fc.assert(
      fc.asyncProperty(story, (one) => play(one)),
      { numRuns: 30, includeErrorInReport: true },
    );
  });
  it('is not taken for broken in the plain story', () => play(PLAIN));
  for (const { loop, says, first, sabotage } of BROKEN)
    it(`is caught when it ${loop}`, async () => {
      const told: Story = { ...PLAIN, steps: [...(first ? [first] : []), ...PLAIN.steps] };
      if (first) await play(told);
      await assert.rejects(play(told, sabotage), says);
    });
});
