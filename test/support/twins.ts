import { isDeepStrictEqual } from 'node:util';
import { createController } from '../../reconciler/loop/controller/controller.ts';
import type { Controller } from '../../reconciler/loop/controller/controller.ts';
import { CONTROLLER_LEASE, HOST_LEASE, HOST_TTL } from '../../reconciler/loop/hearing.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { EntryDraft } from '../../reconciler/model/journal.ts';
import { incarnationOf } from '../../reconciler/model/rollout.ts';
import type { Assignment, Report } from '../../reconciler/model/replica.ts';
import type { Proposal } from '../../reconciler/model/reservations.ts';
import type { Committed, Hold, Store } from '../../reconciler/model/store.ts';
import { reportOf } from './catalog.ts';
import { portsInMemory, type Ports } from './ports-in-memory.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** How a host does what it was told: all of it, all but that nothing serves, nothing at all, or not even let go of what was. */
export type Deed = 'serves' | 'fails' | 'idles' | 'lingers';

/** A store that can be emptied, a controller on it, and hosts that report. */
export interface Twin {
  /** The one of two that leads. */
  readonly controller: Controller;
  /** The one that stands by does what it does then, and takes over. */
  standBy(): Promise<void>;
  takeOver(): void;
  /** Events told, `REASON message`. */
  readonly told: readonly string[];
  /** Calls of the store, `port.method`, since they were taken last. */
  calls(): readonly string[];
  /** A pass; gives what it threw, by its code. */
  pass(): Promise<string>;
  report(host: string, deed: Deed, change?: Partial<Report>): Promise<void>;
  /** A host is heard of now. */
  beat(host: string): Promise<void>;
  /** Somebody else commits something, or tells a host something. */
  commit(proposals: readonly Proposal[]): Promise<void>;
  overtake(host: string, dropped: number): Promise<void>;
  /** A host says a later Assignment than the store knows of, which runs nothing: the store has lost it. */
  lose(host: string): Promise<void>;
  /** The controller does not hear what is committed by this. */
  hide(work: () => Promise<void>): Promise<void>;
  empty(): void;
  /** All that is in the store, but for what only says when. */
  state(hosts: readonly string[]): Promise<object>;
}

/** What the world of both twins is: the same for both. */
export interface Stage {
  readonly now: () => number;
  readonly catalog: () => Catalog;
}

/** A twin; `anew` lets its controller know nothing from one pass to the next. */
export function createTwin({ now, catalog }: Stage, anew: boolean): Twin {
  let ports = portsInMemory(now);
  let calls: string[] = [];
  let requests = 0;
  let hidden = -1;
  let term: Hold | undefined;
  const told: string[] = [];
  const machines = new Map<string, Assignment>();

  const without = (commits: readonly Committed[]): readonly Committed[] =>
    commits.map((one) => (one.cursor === hidden ? { ...one, deltas: [] } : one));

  /** A port as a controller sees it: of an emptied store it learns by its next call. */
  function seen<K extends keyof Ports>(name: K, heard: { emptied: boolean }): Ports[K] {
    return new Proxy({} as Ports[K], {
      get:
        (_none, method) =>
        (...args: unknown[]) => {
          calls.push(`${name}.${String(method)}`);
          if (heard.emptied) {
            heard.emptied = false;
            return Promise.reject(new PlumbError('STORE_EMPTIED', 'emptied'));
          }
          const port = ports[name];
          const answer = (Reflect.get(port, method) as (...given: unknown[]) => unknown).apply(port, args);
          return method === 'since' ? (answer as ReturnType<Ports['reservations']['since']>).then(without) : answer;
        },
    });
  }

  function made(): { readonly controller: Controller; emptied: boolean } {
    const heard = { emptied: false };
    const store = {
      reservations: seen('reservations', heard),
      leases: seen('leases', heard),
      mailbox: seen('mailbox', heard),
      bulletin: seen('bulletin', heard),
      journal: {
        append: (drafts: readonly EntryDraft[]) => {
          for (const draft of drafts) if (draft.type === 'event') told.push(`${draft.reason} ${draft.message}`);
          return Promise.resolve([]);
        },
      },
    } as unknown as Store;
    const controller = createController({
      repository: {
        fetch: () =>
          Promise.resolve({ url: 'u', ref: 'main', revision: catalog().revision, fetchedAt: now(), notes: [] }),
        catalog: () => Promise.resolve(catalog()),
        commit: () => Promise.resolve({ author: 'Ann', subject: 'change' }),
      },
      store,
      allowDeletions: false,
      clock: now,
      log: quiet,
      fleet: { term: () => term, holds: () => Promise.resolve(true) },
    });
    return Object.assign(heard, { controller });
  }
  let [leading, other] = [made(), made()];

  async function report(host: string, deed: Deed, change: Partial<Report> = {}): Promise<void> {
    const stored = await ports.mailbox.assignment(host);
    const before = machines.get(host);
    // an older one than that in hand is left
    if (stored && deed !== 'idles' && stored.generation >= (before?.generation ?? 0)) machines.set(host, stored);
    const mine = machines.get(host);
    const ready = deed !== 'fails';
    const replicas = (mine?.replicas ?? []).map((replica) => ({
      id: replica.id,
      phase: ready ? ('Ready' as const) : ('Starting' as const),
      ready,
      restarts: 0,
      fingerprint: 'f',
      incarnation: incarnationOf(replica),
      ...(ready ? {} : { reason: 'ProbeFailed' }),
    }));
    const left = deed === 'lingers' ? (before?.replicas ?? []) : [];
    const observed = [...new Set([...replicas, ...left].map(({ id }) => id))].flatMap((id) => [
      { known: true as const, ref: `container/${id}` as const, owned: true, state: {} },
      { known: true as const, ref: `cgroup/${id}` as const, owned: true, state: { memory: 2 ** 26 } },
    ]);
    const generation = mine?.generation ?? 0;
    const conditions = [
      { type: 'Ready' as const, status: ready, reason: 'x', message: '', observedGeneration: generation },
    ];
    const kept = !stored && mine ? { kept: mine } : {};
    await ports.mailbox.report(
      reportOf(host, {}, { generation, replicas, observed, conditions, at: now(), ...kept, ...change }),
    );
  }

  return {
    get controller() {
      return leading.controller;
    },
    standBy: async () => {
      await other.controller.standBy(true).catch((error: unknown) => {
        if (!(error instanceof PlumbError) || error.code !== 'STORE_EMPTIED') throw error;
      });
    },
    takeOver: () => {
      [leading, other] = [other, leading];
      leading.controller.takeOver();
    },
    told,
    calls: () => {
      const taken = calls;
      calls = [];
      return taken;
    },
    pass: async () => {
      const { controller } = leading;
      if (anew) controller.forget();
      term = await ports.leases.acquire(CONTROLLER_LEASE, 'twin', HOST_TTL);
      try {
        await controller.pass({ look: true, allow: false });
        return '';
      } catch (error) {
        return error instanceof PlumbError ? error.code : String(error);
      }
    },
    report,
    beat: async (host) => {
      await ports.leases.acquire(HOST_LEASE + host, host, HOST_TTL);
    },
    commit: async (proposals) => {
      await ports.reservations.commit({ id: `foreign-${String((requests += 1))}`, now: now(), proposals });
    },
    overtake: async (host, dropped) => {
      const last = await ports.mailbox.assignment(host);
      if (!last) return;
      const replicas = last.replicas.slice(dropped);
      await ports.mailbox.assign({ ...last, generation: last.generation + 1, replicas });
    },
    lose: async (host) => {
      const last = await ports.mailbox.assignment(host);
      if (!last) return;
      machines.set(host, { ...last, generation: last.generation + 1, replicas: [] });
      await report(host, 'idles');
    },
    hide: async (work) => {
      await work();
      hidden = (await ports.reservations.snapshot()).cursor;
    },
    empty: () => {
      ports = portsInMemory(now);
      leading.emptied = other.emptied = true;
    },
    state: async (hosts) => {
      const { hosts: records, placements, addresses } = await ports.reservations.snapshot();
      const notice = await ports.bulletin.read();
      const assignments = await Promise.all(hosts.map((host) => ports.mailbox.assignment(host)));
      const sorted = (map: ReadonlyMap<string, unknown>): object =>
        Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
      return {
        hosts: sorted(records),
        placements: sorted(placements),
        addresses: sorted(addresses),
        assignments,
        notice: notice && { ...notice, source: { ...notice.source, fetchedAt: 0 } },
      };
    },
  };
}

/** Whether all calls were looks at what is new. */
export function onlyNews(calls: readonly string[]): boolean {
  const news = new Set(['reservations.since', 'mailbox.news']);
  return isDeepStrictEqual(
    [],
    calls.filter((call) => !news.has(call)),
  );
}
