import { aborted } from '../../reconciler/loop/pause.ts';
import type { Repository } from '../../reconciler/loop/controller/repository.ts';
import { PlumbError, type ErrorCode } from '../../reconciler/model/errors.ts';
import type { EntryDraft } from '../../reconciler/model/journal.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import { kindOf, type Ref } from '../../reconciler/model/ref.ts';
import type { HostStore } from '../../reconciler/model/store.ts';
import type { Bell } from '../../reconciler/store/bell.ts';
import type { VirtualTime } from './virtual-time.ts';

/** How a change goes wrong. `lost`: it is made, and its answer never comes. */
export type Mishap = 'refused' | 'hangs' | 'slow' | 'lost';

/** What goes wrong now. */
export interface Trouble {
  /** Kinds that cannot be seen until then, in milliseconds since 1970; `*` is the whole daemon. */
  readonly blind: Map<string, number>;
  /** What happens to the next changes of a kind, in order. */
  readonly mishaps: Map<string, Mishap[]>;
  /** Until when the disk is full under the journal or the rest of the store. */
  readonly full: Map<'journal' | 'store', number>;
  /** When it rings, what hangs goes on. */
  readonly freed?: Bell;
}

/** Nothing goes wrong. */
export function noTrouble(): Trouble {
  return { blind: new Map(), mishaps: new Map(), full: new Map() };
}

/** What a process works on, such that it can die at any call or answer: from then on nothing of it is heard or done. */
export interface Mortal {
  readonly store: HostStore;
  readonly provider: Provider;
  readonly repository: Repository;
  /** It dies at the call or answer of that number from now. */
  dieAt(number: number): void;
  die(): void;
  readonly dead: () => boolean;
  /** Traces of changes whose outcome found no room in the journal. */
  readonly untold: ReadonlySet<string>;
}

/** The life of a process: it can end at any call or answer. */
export interface Life {
  /** Whose timers go with it; undefined: all. */
  readonly process: object | undefined;
  readonly dead: () => boolean;
  readonly died: AbortSignal;
  readonly die: () => void;
  /** It ends at the call or answer of that number from now. */
  readonly dieAt: (number: number) => void;
  /** A call or answer. */
  readonly step: () => void;
}

/** A life that has just begun. */
export function createLife(time: VirtualTime, process?: object): Life {
  const death = new AbortController();
  let fuse = Infinity;
  const dead = (): boolean => death.signal.aborted;
  const die = (): void => {
    if (dead()) return;
    death.abort();
    time.forget(process);
  };
  return {
    process,
    dead,
    died: death.signal,
    die,
    dieAt: (number) => {
      fuse = number;
    },
    step: () => {
      fuse -= 1;
      if (fuse <= 0) die();
    },
  };
}

export interface MortalOptions {
  readonly time: VirtualTime;
  /** One of its own, if absent. */
  readonly life?: Life;
  readonly trouble: Trouble;
  /** 0 to 1: how long calls and answers take. */
  readonly random: () => number;
  /** How many of so many replicas may go at once. */
  readonly budget: (placed: number) => number;
  /** Told of what must never happen. */
  readonly wrong: (what: string) => void;
}

/** Longest way of a call or answer, in milliseconds. */
const STORE_WAY = 30;
const PROVIDER_WAY = 400;
const SLOW = 8_000;

const REFUSALS: Readonly<Record<string, ErrorCode>> = { port: 'OVS_UNAVAILABLE', sysctl: 'KNOB_REFUSED' };

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Puts a store, a provider and a repository into the hands of a process that may die. */
export function mortal(
  inner: { readonly store: HostStore; readonly provider: Provider; readonly repository: Repository },
  { time, life = createLife(time), trouble, random, budget, wrong }: MortalOptions,
): Mortal {
  const { dead, die, dieAt, died, step } = life;
  const way = async (longest: number): Promise<void> => {
    const ms = Math.floor((random() * 1.5 - 0.5) * longest);
    if (ms > 0) await time.sleep(ms);
  };

  async function call<T>(longest: number, work: () => Promise<T>): Promise<T> {
    if (dead()) return never();
    await way(longest);
    step();
    if (dead()) return never();
    let answer: () => T;
    try {
      const value = await work();
      answer = () => value;
    } catch (error) {
      answer = () => {
        throw error;
      };
    }
    if (dead()) return never();
    await way(longest);
    step();
    return dead() ? never() : answer();
  }
  const ask = <T>(work: () => Promise<T>): Promise<T> => call(STORE_WAY, () => time.work(work()));
  const write = <T>(what: 'journal' | 'store', work: () => Promise<T>): Promise<T> =>
    call(STORE_WAY, () => {
      if ((trouble.full.get(what) ?? 0) > time.now()) throw new PlumbError('DISK_FULL', `no room for the ${what}`);
      return time.work(work());
    });
  async function* hear<T>(signal: AbortSignal, open: (signal: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
    for await (const item of open(AbortSignal.any([signal, died]))) {
      if (dead()) await never();
      yield item;
    }
    if (dead()) await never();
  }

  const { provider } = inner;
  const { reservations, leases, mailbox, bulletin, settled, journal } = inner.store;
  /** Durable intents without an outcome yet: trace → ref. */
  const intended = new Map<string, Ref>();
  const untold = new Set<string>();
  const note = (drafts: readonly EntryDraft[]): void => {
    for (const draft of drafts)
      if (draft.type === 'intent') intended.set(draft.trace, draft.ref);
      else if (draft.type === 'outcome') intended.delete(draft.trace);
  };
  const assign: HostStore['mailbox']['assign'] = (assignment, under) =>
    write('store', async () => {
      const before = (await mailbox.assignment(assignment.host))?.replicas ?? [];
      const ids = new Set(assignment.replicas.map(({ id }) => id));
      const gone = before.filter(({ id }) => !ids.has(id)).length;
      const { placements } = await reservations.snapshot();
      if (gone > budget(placements.size)) wrong(`${String(gone)} of ${String(placements.size)} replicas go at once`);
      return mailbox.assign(assignment, under);
    });
  const store: HostStore = {
    reservations: {
      commit: (...args) => write('store', () => reservations.commit(...args)),
      snapshot: () => ask(() => reservations.snapshot()),
      differing: (kept) => ask(() => reservations.differing(kept)),
      since: (cursor) => ask(() => reservations.since(cursor)),
      follow: (cursor, signal) => hear(signal, (until) => reservations.follow(cursor, until)),
    },
    leases: {
      acquire: (...args) => write('store', () => leases.acquire(...args)),
      acquireAll: (...args) => write('store', () => leases.acquireAll(...args)),
      release: (lease) => write('store', () => leases.release(lease)),
      get: (...args) => ask(() => leases.get(...args)),
      held: (...args) => ask(() => leases.held(...args)),
    },
    mailbox: {
      assign,
      assignAll: (all, under) => Promise.all(all.map((assignment) => assign(assignment, under))),
      assignment: (...args) => ask(() => mailbox.assignment(...args)),
      assignments: (known) => ask(() => mailbox.assignments(known)),
      report: (report) => write('store', () => mailbox.report(report)),
      reporting: () => ask(() => mailbox.reporting()),
      reports: (hosts) => ask(() => mailbox.reports(hosts)),
      news: (since) => ask(() => mailbox.news(since)),
      follow: (signal) => hear(signal, (until) => mailbox.follow(until)),
    },
    bulletin: {
      post: (...args) => write('store', () => bulletin.post(...args)),
      read: () => ask(() => bulletin.read()),
    },
    settled: {
      read: () => ask(() => settled.read()),
      note: (news) => write('store', () => settled.note(news)),
    },
    journal: {
      ...journal,
      read: (filter) => time.each(journal.read(filter)),
      append: async (drafts) => {
        try {
          const entries = await write('journal', () => journal.append(drafts));
          note(drafts);
          return entries;
        } catch (error) {
          for (const draft of drafts) if (draft.type === 'outcome') untold.add(draft.trace);
          throw error;
        }
      },
    },
    close: () => inner.store.close(),
  };

  const isBlind = (kind: string): boolean => (trouble.blind.get(kind) ?? 0) > time.now();
  async function observe(ctx: Context, refs?: readonly Ref[]): ReturnType<Provider['observe']> {
    if (isBlind('*')) throw new PlumbError('DOCKER_UNAVAILABLE', 'nobody answers');
    const seen = await provider.observe(ctx, refs);
    const asked = refs ?? ctx.wanted ?? [];
    const hidden = [...asked, ...seen.map(({ ref }) => ref)].filter((ref) => isBlind(kindOf(ref)));
    const unknown = [...new Set(hidden)].map((ref) => ({ known: false, ref, why: 'nobody answers' }) as const);
    return [...seen.filter(({ ref }) => !isBlind(kindOf(ref))), ...unknown];
  }

  const working = new Set<Ref>();
  const apply: Provider['apply'] = async (change, ctx) => {
    const { ref } = change;
    if (working.has(ref)) wrong(`${ref} is worked on twice at once`);
    if (![...intended.values()].includes(ref)) wrong(`${ref} is changed without an intent`);
    working.add(ref);
    try {
      const mishap = trouble.mishaps.get(kindOf(ref))?.shift();
      if (mishap === 'refused') throw new PlumbError(REFUSALS[kindOf(ref)] ?? 'CONTAINER_FAILED', 'it was refused');
      if (mishap === 'hangs') await (trouble.freed?.next(ctx.signal) ?? aborted(ctx.signal));
      if (ctx.signal.aborted) throw new PlumbError('TIMEOUT', 'no answer within the deadline');
      if (mishap === 'slow') await time.sleep(SLOW);
      if (kindOf(ref) === 'container') await ctx.ready?.();
      const evidence = await time.work(provider.apply(change, ctx));
      if (mishap === 'lost') throw new PlumbError('TIMEOUT', 'no answer within the deadline');
      return evidence;
    } finally {
      working.delete(ref);
    }
  };

  const watch = (ctx: Context, signal: AbortSignal): AsyncIterable<Ref> =>
    provider.watch?.({ ...ctx, signal }) ?? (async function* () {})();
  return {
    store,
    provider: {
      ...provider,
      observe: (ctx, refs) => call(PROVIDER_WAY, () => time.work(observe(ctx, refs))),
      apply: (change, ctx) => call(PROVIDER_WAY, () => apply(change, ctx)),
      watch: (ctx) => hear(ctx.signal, (signal) => watch(ctx, signal)),
    },
    repository: {
      fetch: () => call(PROVIDER_WAY, () => inner.repository.fetch()),
      catalog: (revision) => call(0, () => inner.repository.catalog(revision)),
      commit: (revision) => call(0, () => inner.repository.commit(revision)),
    },
    dieAt,
    die,
    dead,
    untold,
  };
}
