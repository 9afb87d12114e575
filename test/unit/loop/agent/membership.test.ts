import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createBell } from '../../../../reconciler/store/bell.ts';
import { createMembership, type Membership } from '../../../../reconciler/loop/agent/membership.ts';
import type { Assignment, Report } from '../../../../reconciler/model/replica.ts';
import type { Leases, Mailbox } from '../../../../reconciler/model/store.ts';
import { reportOf } from '../../../support/catalog.ts';

const assignment = (generation: number): Assignment => ({
  host: 'h1',
  fleet: 'f',
  generation,
  revision: 'r',
  author: 'Ann',
  resync: 1000,
  replicas: [],
  networks: [],
  tuning: [],
  keep: { apps: [], owners: [] },
});

/** A member of a fleet whose store, or only its news, can be away; time passes when it is told to. */
function rig(t: TestContext, random = 0.5, own: Partial<Mailbox> = {}): Rig {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const stop = new AbortController();
  const bell = createBell();
  const self: Rig = {
    silent: false,
    told: 1,
    tries: 0,
    beats: 0,
    follows: 0,
    known: 0,
    asked: [],
    lines: [],
    reports: [],
    get membership() {
      return membership;
    },
    breakOff: () => {
      bell.ring();
    },
    pass: async (ms) => {
      for (let left = ms; left > 0; left -= 100) {
        t.mock.timers.tick(100);
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      }
    },
    trouble: () => membership.trouble(),
    stop: async () => {
      stop.abort();
      await run;
    },
  };
  const ask = <T>(answer: () => T): Promise<T> => {
    self.tries += 1;
    return self.silent ? Promise.reject(new Error('silent')) : Promise.resolve(answer());
  };
  const mailbox: Mailbox = {
    assign: () => Promise.resolve(true),
    assignAll: () => Promise.resolve([]),
    assignments: () => Promise.resolve([]),
    reporting: () => Promise.resolve([]),
    assignment: (_host, known) =>
      ask(() => {
        self.asked.push(known);
        return self.told === 0 || known === self.told ? undefined : assignment(self.told);
      }),
    report: (report) => ask(() => void self.reports.push(report)),
    reports: () => Promise.resolve([]),
    news: () => Promise.resolve({ mark: '', mails: [] }),
    async *follow(signal) {
      self.follows += 1;
      await ask(() => undefined);
      await bell.next(signal);
      yield* [];
    },
  };
  const leases: Pick<Leases, 'acquire' | 'get'> = {
    acquire: (name, holder) =>
      ask(() => {
        self.beats += 1;
        return { name, holder, fence: 1, expires: 0 };
      }),
    get: () => Promise.resolve(undefined),
  };
  const near: Mailbox = {
    ...mailbox,
    assignment: () => Promise.resolve(self.known === 0 ? undefined : assignment(self.known)),
    assign: ({ generation }) => {
      self.known = generation;
      return Promise.resolve(true);
    },
    report: () => Promise.resolve(),
    ...own,
  };
  const say = (level: string) => (): void => void self.lines.push(level);
  const membership = createMembership({
    host: 'h1',
    holder: 'one',
    far: { mailbox, leases: leases as Leases },
    near,
    clock: () => 0,
    random: () => random,
    log: { debug: () => undefined, info: say('info'), warn: say('warn') },
  });
  const run = membership.run(stop.signal);
  return self;
}

interface Rig {
  silent: boolean;
  /** Generation of the Assignment in the store, and on this machine; 0 without one. */
  told: number;
  known: number;
  /** The generations that were known when the store was asked. */
  readonly asked: (number | undefined)[];
  tries: number;
  beats: number;
  follows: number;
  readonly lines: string[];
  readonly reports: Report[];
  readonly membership: Membership;
  breakOff(): void;
  /** What its status says of the store. */
  readonly trouble: () => string | undefined;
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

describe('membership', () => {
  it('is heard of again before it is taken for lost, however long the store was away', async (t) => {
    const one = rig(t, 1);
    await one.pass(1000);
    one.silent = true;
    one.breakOff();
    await one.pass(300_000);
    one.silent = false;
    const { beats } = one;
    await one.pass(13_000);
    assert.ok(one.beats > beats, 'no heartbeat');
    await one.stop();
  });
  it('listens and fetches again as soon as anything is answered, and tells an outage once', async (t) => {
    const one = rig(t);
    assert.equal(
      one.trouble(),
      "the fleet's store has not answered yet, and this host keeps to what it was told last",
      'a call that nobody answers takes a while to fail',
    );
    await one.pass(1000);
    one.silent = true;
    one.breakOff();
    assert.equal(one.trouble(), undefined);
    await one.pass(100_000);
    assert.equal(
      one.trouble(),
      "the fleet's store is away since 1970-01-01T00:00:00.000Z, and this host keeps to what it was told last: it does not answer: silent",
    );
    one.silent = false;
    one.told = 2;
    const { beats, follows } = one;
    for (let n = 0; n < 130 && one.beats === beats; n += 1) await one.pass(100);
    await one.pass(100);
    assert.deepEqual([one.follows, one.known, one.lines], [follows + 1, 2, ['warn', 'info']]);
    assert.equal(one.trouble(), undefined);
    await one.stop();
  });
  it('reads an Assignment that it knows only once, and hears of another without any news by looking', async (t) => {
    const one = rig(t);
    await one.pass(2500);
    one.asked.length = 0;
    await one.pass(30_000);
    assert.deepEqual(one.asked, [1, 1, 1]);
    one.told = 2;
    await one.pass(10_000);
    assert.equal(one.known, 2);
    await one.stop();
  });
  it('asks for a later Assignment where the store has given the number of the one in hand to another', async (t) => {
    let inHand: Assignment = { ...assignment(1), revision: 'lost by the store' };
    const rigged = rig(t, 0.5, {
      assignment: () => Promise.resolve(inHand),
      assign: (next) => {
        if (next.generation <= inHand.generation) return Promise.resolve(false);
        inHand = next;
        return Promise.resolve(true);
      },
    });
    await rigged.pass(500);
    assert.deepEqual(inHand, { ...assignment(2), revision: 'lost by the store' });
    rigged.told = 3;
    await rigged.pass(10_000);
    assert.deepEqual(inHand, assignment(3));
    await rigged.stop();
  });

  it('sends what it keeps along with its last Report when the store may have lost both', async (t) => {
    const one = rig(t);
    await one.pass(500);
    await one.membership.mailbox.report(reportOf('h1'));
    await one.pass(500);
    assert.deepEqual([one.known, one.reports], [1, [reportOf('h1')]]);
    one.told = 0;
    one.membership.resend();
    await one.pass(500);
    assert.deepEqual(one.reports.slice(1), [{ ...reportOf('h1'), kept: assignment(1) }]);
    await one.stop();
  });

  it('falls out of step with other hosts, with its heartbeats and while the store is away', async (t) => {
    const counts: [beats: number, tries: number][] = [];
    for (const random of [0, 1])
      await t.test(String(random), async (inner) => {
        const one = rig(inner, random);
        await one.pass(60_000);
        const { beats } = one;
        one.silent = true;
        one.breakOff();
        one.tries = 0;
        await one.pass(60_000);
        counts.push([beats, one.tries]);
        await one.stop();
      });
    const [[often, soon], [seldom, late]] = counts as [[number, number], [number, number]];
    assert.ok(often > seldom && soon > late, JSON.stringify(counts));
  });

  it('fetches what was assigned while its news were broken off', async (t) => {
    const one = rig(t);
    await one.pass(2500);
    one.breakOff();
    one.told = 2;
    await one.pass(1500);
    assert.equal(one.known, 2);
    await one.stop();
  });
});
