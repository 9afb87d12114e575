import type { Assignment, HostFacts, Report } from '../model/replica.ts';
import type { Store } from '../model/store.ts';
import { createBell } from '../store/bell.ts';
import { createAgent, type Agent } from './agent.ts';
import type { AgentOptions, Log } from './agent-state.ts';
import { createController, type Controller, type Repository } from './controller.ts';
import { statusOf, type Status } from './status.ts';
import type { Known, LocalView } from './view.ts';

export interface UpOptions {
  readonly host: string;
  readonly facts: HostFacts;
  readonly repository: Repository;
  readonly store: Store;
  readonly agent: Pick<AgentOptions, 'providers' | 'health'>;
  readonly allowDeletions: boolean;
  readonly clock: () => number;
  readonly random: () => number;
  readonly log: Log;
}

export interface Up {
  /** Works until the signal aborts, then finishes what it has begun. */
  run(signal: AbortSignal): Promise<void>;
  readonly view: LocalView;
}

/** Pause after a controller pass that failed, in milliseconds. */
const AFTER_FAILURE = 5_000;
/** How long nothing may change before waiting for convergence is given up, in milliseconds. */
const PATIENCE = 30_000;
/** Who waits for convergence looks after each pass of the controller, and at least this often, in milliseconds. */
const WATCHED = 500;
/** A look that finds nothing new makes no pass of the controller: its end is looked for this often, in milliseconds. */
const LOOKING = 50;
/** How long a state that cannot get better by itself must last before it is believed, in milliseconds. */
const STUCK = 3_000;

/** Controller and agent of one machine in one process. */
export function createUp(options: UpOptions): Up {
  const { store, host, clock, log, repository, allowDeletions } = options;
  const authors = new Map<string, string>();
  const controller: Controller = createController({
    repository,
    store,
    allowDeletions,
    clock,
    log,
    onRevision: (revision, { author }) => authors.set(revision, author),
  });
  const agent: Agent = createAgent({
    ...options.agent,
    host,
    facts: options.facts,
    mailbox: store.mailbox,
    journal: store.journal,
    author: (revision) => authors.get(revision) ?? '',
    clock,
    random: options.random,
    log,
  });
  const doorbell = createDoorbell();
  const passed = createBell();
  /** How often Git was to be looked at, and up to which of those it was. */
  let asked = 0;
  let answered = 0;
  /** Somebody said that what the next look at Git finds may take away any number of replicas. */
  let allowing = false;
  let convergedAt = '';

  async function introduce(): Promise<void> {
    const reports = await store.mailbox.reports();
    const mine = reports.find((report) => report.host === host);
    // what ran before says nothing of now: it is not Ready until this agent has looked
    const report: Report = mine
      ? { ...mine, facts: options.facts, conditions: mine.conditions.filter(({ type }) => type !== 'Ready') }
      : {
          host,
          generation: 0,
          revision: '',
          at: clock(),
          facts: options.facts,
          replicas: [],
          observed: [],
          limitations: [],
          conditions: [],
        };
    await store.mailbox.report(report);
  }

  async function control(signal: AbortSignal): Promise<void> {
    let lookAt = 0;
    while (!signal.aborted) {
      const upTo = asked;
      // a Report needs a pass, but is no reason to ask Git again
      const look = upTo > answered || clock() >= lookAt;
      let wait = AFTER_FAILURE;
      try {
        const allow = look && allowing;
        if (look) allowing = false;
        await controller.pass({ look, allow });
        const poll = controller.view().catalog?.fleet.spec.poll ?? AFTER_FAILURE;
        if (look) lookAt = clock() + poll;
        wait = lookAt - clock();
      } catch (error) {
        log.warn({ err: error }, 'controller pass failed');
        lookAt = 0;
      }
      if (look) answered = upTo;
      await tellConverged();
      passed.ring();
      await doorbell.wait(Math.max(wait, 0), signal);
    }
  }

  async function listen(signal: AbortSignal): Promise<void> {
    for await (const { what } of store.mailbox.follow(signal)) if (what === 'report') doorbell.ring();
  }

  async function tellConverged(): Promise<void> {
    const now = await status();
    const { catalog } = controller.view();
    if (!isGood(now) || !catalog || convergedAt === now.revision) return;
    convergedAt = now.revision;
    const message = `${now.revision.slice(0, 7)}: ${String(now.items.length)} replicas Synced and Healthy`;
    await store.journal
      .append([{ type: 'event', host, level: 'info', reason: 'Converged', revision: now.revision, message }])
      .catch((error: unknown) => {
        log.warn({ err: error }, 'event not journaled');
      });
  }

  async function known(): Promise<Known> {
    const [snapshot, reports] = await Promise.all([store.reservations.snapshot(), store.mailbox.reports()]);
    const assignments = await Promise.all(reports.map((report) => store.mailbox.assignment(report.host)));
    return { snapshot, reports, assignments: assignments.filter((assignment) => assignment !== undefined) };
  }

  async function status(): Promise<Status> {
    // read before the hosts' side, which is then at least as new as what it says it told them
    const { catalog, source, unplaceable, held, published, rollouts } = controller.view();
    const { snapshot, reports, assignments } = await known();
    const byHost = <T extends { readonly host: string }>(items: readonly T[]): ReadonlyMap<string, T> =>
      new Map(items.map((item) => [item.host, item]));
    return statusOf({
      catalog,
      placements: snapshot.placements,
      unplaceable,
      held,
      untold: published !== catalog?.revision || rollouts.some(({ waiting }) => waiting.length > 0),
      assignments: byHost<Assignment>(assignments),
      reports: byHost<Report>(reports),
      ...(source ? { source } : {}),
    });
  }

  /** Converged, or as far as it gets: nothing under way and nothing better to be expected soon. */
  async function settle(signal: AbortSignal, allowDeletions = false): Promise<Status> {
    const mine = (asked += 1);
    allowing ||= allowDeletions;
    doorbell.ring();
    agent.kick('*');
    let last = '';
    const since = clock();
    let changedAt = since;
    for (;;) {
      // a Report from before the kick may not know yet what is wrong
      const looked = agent.lookedAt() >= since;
      const now = await status();
      const text = JSON.stringify(now.items) + now.sync;
      // while the agent works the next change is on its way
      if (text !== last || !agent.idle()) changedAt = clock();
      last = text;
      const quiet = clock() - changedAt;
      const stuck = now.health !== 'Progressing' && quiet > STUCK;
      if (answered >= mine && ((looked && isGood(now)) || stuck || quiet > PATIENCE)) return now;
      if (signal.aborted) return now;
      await passed.next(AbortSignal.any([signal, AbortSignal.timeout(looked ? WATCHED : LOOKING)]));
    }
  }

  return {
    view: {
      status,
      known,
      settle,
      journal: async function* (filter, follow, signal) {
        let next = filter.from ?? 0;
        for await (const entry of store.journal.read(filter)) {
          next = entry.seq + 1;
          yield entry;
        }
        if (!follow) return;
        for await (const entry of store.journal.follow(signal)) {
          const wanted = filter.types?.includes(entry.type) ?? true;
          const about = filter.ref === undefined || ('ref' in entry && entry.ref === filter.ref);
          if (entry.seq >= next && wanted && about) yield entry;
        }
      },
    },
    async run(signal) {
      await introduce();
      const listening = listen(signal).catch((error: unknown) => {
        log.warn({ err: error }, 'no longer hears reports');
      });
      await Promise.all([agent.run(signal), control(signal), listening]);
    },
  };
}

function isGood({ sync, health }: Status): boolean {
  return sync === 'Synced' && health === 'Healthy';
}

interface Doorbell {
  ring(): void;
  /** Until the bell rings, the time is up or the signal aborts. Rings that came before count; those that come together count once. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

function createDoorbell(): Doorbell {
  let rung = false;
  let open: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      open?.();
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted)
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            open = undefined;
            resolve();
          };
          const timer = setTimeout(done, ms);
          signal.addEventListener('abort', done, { once: true });
          open = done;
        });
      rung = false;
    },
  };
}
