import { createBook } from '../model/book.ts';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import type { Notice } from '../model/notice.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Snapshot } from '../model/reservations.ts';
import type { Store } from '../model/store.ts';
import { counted } from '../model/words.ts';
import { createBell } from '../store/bell.ts';
import type { Agent } from './agent/agent.ts';
import type { Log } from './log.ts';
import { isTrouble } from './controller/controller.ts';
import type { Controller } from './controller/controller.ts';
import { createDoorbell } from './doorbell.ts';
import { HEARTBEAT } from './hearing.ts';
import { createLooks } from './looks.ts';
import { mailOf } from './mail.ts';
import { pause } from './pause.ts';
import type { Repository } from './controller/repository.ts';
import type { Status } from './status/status.ts';
import { statusOf } from './status/whole.ts';
import type { StatusInput } from './status/input.ts';
import { heldIn, type Verdict } from './status/verdict.ts';
import type { Known } from './status/view.ts';

export interface ControlOptions {
  readonly controller: Controller;
  readonly repository: Pick<Repository, 'watch'>;
  readonly store: Store;
  /** Name of this machine, for what is told of the whole. */
  readonly host: string;
  /** Whether this process is the one that acts; of one alone always. */
  readonly leads: () => boolean;
  /** The agent in the same process, if there is one. */
  readonly agent?: Pick<Agent, 'kick' | 'idle' | 'hopeful' | 'lookedAt'>;
  readonly clock: () => number;
  readonly log: Log;
}

/** The loop around a controller. */
export interface Control {
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Has it look whether there is something to do. */
  ring(): void;
  status(): Promise<Status>;
  known(): Promise<Known>;
  /** Converged, or as far as it gets: nothing under way and nothing better to be expected soon. */
  settle(signal: AbortSignal, allowDeletions?: boolean): Promise<Status>;
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

/** All that the store knows now, but of what hosts observed only what is asked of all of them: see `Known`. */
export async function knownOf(store: Pick<Store, 'reservations' | 'mailbox' | 'bulletin'>): Promise<Known> {
  const { reservations, mailbox, bulletin } = store;
  // read before the hosts' side, which is then at least as new as what it says it told them
  const { rollouts = [], lost = [], source, reopening, held = [] } = (await bulletin.read()) ?? {};
  const before = await reservations.snapshot();
  const { whereabouts, hidden } = await mailOf(mailbox, before);
  const snapshot = await caughtUp(reservations, before);
  return {
    snapshot,
    assignments: [...whereabouts.assignments.values()],
    reports: [...whereabouts.reports.values()],
    hidden,
    rollouts,
    lost,
    // what a reopening holds is said first
    ...(reopening ? { closed: held[0] ?? 'the store was emptied' } : {}),
    ...(source ? { source } : {}),
  };
}

/** A snapshot with what was committed since: the mail of a large fleet takes seconds, and a replica that moved meanwhile is where it was told by now. */
async function caughtUp(reservations: Store['reservations'], before: Snapshot): Promise<Snapshot> {
  try {
    const commits = await reservations.since(before.cursor);
    if (commits.length === 0) return before;
    const book = createBook(before);
    for (const { deltas } of commits) book.apply(deltas);
    const { hosts, placements, addresses } = book;
    return { cursor: commits.at(-1)?.cursor ?? before.cursor, hosts, placements, addresses };
  } catch (error) {
    if (!(error instanceof PlumbError) || error.code !== 'CONFLICT') throw error;
    return reservations.snapshot();
  }
}

/** What is known as status asks for it. */
function inputFrom({ snapshot, reports, assignments }: Known, notice: Notice | undefined): StatusInput {
  const byHost = <T extends { readonly host: string }>(items: readonly T[]): ReadonlyMap<string, T> =>
    new Map(items.map((item) => [item.host, item]));
  return {
    notice,
    hosts: snapshot.hosts,
    placements: snapshot.placements,
    assignments: byHost<Assignment>(assignments),
    reports: byHost<Report>(reports),
  };
}

/** The status of what is known, by what the controller says of the whole. */
export function statusFrom(known: Known, notice: Notice | undefined): Status {
  return statusOf(inputFrom(known, notice));
}

/** Runs a controller whenever Git, a host or a person asks for it. */
export function createControl(options: ControlOptions): Control {
  const { controller, repository, store, host, agent, leads, clock, log } = options;
  const doorbell = createDoorbell();
  const passed = createBell();
  /** How often Git was to be looked at, and up to which of those it was. */
  let asked = 0;
  let answered = 0;
  /** Somebody said that what the next look at Git finds may take away any number of replicas. */
  let allowing = false;
  let convergedAt = '';
  const looks = createLooks(clock);
  /** Those of one that stands by. */
  const ahead = createLooks(clock);
  /** What last kept one that stands by from being ready. */
  let unready = '';

  /** One turn; gives how long there is nothing to do after it, in milliseconds. */
  async function turn(): Promise<number> {
    const upTo = asked;
    // a Report needs a pass, but is no reason to ask Git again
    const look = upTo > answered || clock() >= looks.at();
    let wait = AFTER_FAILURE;
    try {
      const allow = look && allowing;
      if (look) {
        allowing = false;
        looks.begin();
      }
      await controller.pass({ look, allow });
      if (look) looks.end(controller.view().catalog?.fleet.spec.poll ?? AFTER_FAILURE);
      wait = Math.min(looks.at(), ...dueTimes(controller.view().notice, clock())) - clock();
    } catch (error) {
      const { code, message } = asPlumbError(error);
      if (code !== 'CANCELLED') log.warn({ code }, `controller pass failed: ${message}`);
      log.debug({ err: error }, 'controller pass failed');
      looks.reset();
    }
    if (look) answered = upTo;
    await tellConverged();
    return wait;
  }

  /** Git may say something new. */
  function hint(): void {
    looks.hint();
    ahead.hint();
    doorbell.ring();
  }

  /** The turn of one that stands by, so that little is left to be done when it leads; gives the pause after it, in milliseconds. */
  async function standBy(): Promise<number> {
    const look = clock() >= ahead.at();
    // whoever leads looks at Git before anything else
    looks.reset();
    try {
      if (look) ahead.begin();
      const { fleet } = await controller.standBy(look);
      if (look) ahead.end(fleet.spec.poll);
      unready = '';
      return HEARTBEAT;
    } catch (error) {
      const { code, message } = asPlumbError(error);
      if (message !== unready && isTrouble(code)) log.warn({ code }, `not ready to take over: ${message}`);
      unready = message;
      log.debug({ err: error }, 'not ready to take over');
      return AFTER_FAILURE;
    }
  }

  async function work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wait = await (leads() ? turn() : standBy());
      passed.ring();
      await quiet(Math.max(wait, 0), signal);
    }
  }

  /** Until there is something to do. Between passes a fleet's hosts are listened for. */
  async function quiet(ms: number, signal: AbortSignal): Promise<void> {
    for (let left = ms; !signal.aborted; left -= HEARTBEAT) {
      const rung = await doorbell.wait(Math.min(left, HEARTBEAT), signal);
      if (rung || left <= HEARTBEAT) return;
      const changed = leads() && (await controller.listen().catch(() => false));
      if (changed) return;
    }
  }

  /** Hears of Reports, again after each time that this broke off. */
  async function listen(signal: AbortSignal): Promise<void> {
    // an outage is told once: that it goes on is no news
    for (let told = false; !signal.aborted;) {
      try {
        for await (const { what } of store.mailbox.follow(signal)) {
          told = false;
          if (what === 'report' && leads()) doorbell.ring();
        }
      } catch (error) {
        const { code, message } = asPlumbError(error);
        if (!told) log.warn({ code }, `news of reports broke off: ${message}`);
        told = true;
      }
      await pause(HEARTBEAT, signal);
      doorbell.ring();
    }
  }

  async function tellConverged(): Promise<void> {
    const now = controller.verdict();
    const { notice } = controller.view();
    const revision = notice?.source.revision ?? '';
    // what was told to be held or failing since is told to be over
    if (notice && (notice.failing !== undefined || heldIn(notice).length > 0 || now?.health === 'Degraded'))
      convergedAt = '';
    if (!now || !isGood(now) || revision === '' || convergedAt === revision) return;
    convergedAt = revision;
    const message = `${revision.slice(0, 7)}: ${counted(now.items, 'replica')} Synced and Healthy`;
    await store.journal
      .append([{ type: 'event', host, level: 'info', reason: 'Converged', revision, message }])
      .catch((error: unknown) => {
        log.warn({ err: error }, 'event not journaled');
      });
  }

  const known = (): Promise<Known> => knownOf(store);

  /** What a controller that leads keeps, and else what the store says. */
  async function sight(): Promise<StatusInput> {
    const kept = leads() ? await controller.sight().catch(() => undefined) : undefined;
    if (kept) return kept;
    // read before the hosts' side, which is then at least as new as what it says it told them
    const notice = leads() ? controller.view().notice : await store.bulletin.read();
    return inputFrom(await known(), notice);
  }

  async function status(): Promise<Status> {
    return statusOf(await sight());
  }

  async function settle(signal: AbortSignal, allowDeletions = false): Promise<Status> {
    const mine = (asked += 1);
    allowing ||= allowDeletions;
    doorbell.ring();
    agent?.kick('*');
    let last = '';
    const since = clock();
    let changedAt = since;
    for (;;) {
      // a Report from before the kick may not know yet what is wrong
      const looked = agent === undefined || agent.lookedAt() >= since;
      if (!looked && !agent.idle() && !signal.aborted) {
        changedAt = clock();
        await passed.next(signal, LOOKING);
        continue;
      }
      const seen = await sight();
      const now = statusOf(seen);
      const text = JSON.stringify(now.items) + now.sync;
      // while an agent works, or a pause of a rollout lasts, the next change is on its way
      const working = agent ? !agent.idle() : someWork(seen);
      if (text !== last || working || isDue(now, clock())) changedAt = clock();
      last = text;
      const unchanged = clock() - changedAt;
      const stuck = now.health !== 'Progressing' && agent?.hopeful() !== true && unchanged > STUCK;
      // what a look has found is not reported yet while it is worked on
      const good = looked && !working && isGood(now);
      if (answered >= mine && (good || stuck || unchanged > PATIENCE)) return now;
      if (signal.aborted) return now;
      await passed.next(signal, looked ? WATCHED : LOOKING);
    }
  }

  return {
    run: async (signal) => {
      repository.watch?.(hint, signal);
      await Promise.all([work(signal), listen(signal)]);
    },
    ring: () => {
      doorbell.ring();
    },
    status,
    known,
    settle,
  };
}

/** A host that is heard of has not yet done what it was told. */
function someWork({ reports, assignments, notice }: StatusInput): boolean {
  const lost = new Set(notice?.lost.map(({ host }) => host));
  return [...reports.values()].some(
    ({ host, generation, conditions }) =>
      !lost.has(host) &&
      (generation !== assignments.get(host)?.generation ||
        conditions.some(({ type, status }) => type === 'Reconciling' && status)),
  );
}

/** When a rollout is due to go on although nothing happens. */
function dueTimes(notice: Notice | undefined, now: number): readonly number[] {
  return (notice?.rollouts ?? []).flatMap(({ until = 0 }) => (until > now ? [until] : []));
}

/** Something goes on by itself at a time that is known. */
function isDue({ items, rollouts = [] }: Status, now: number): boolean {
  return [...items, ...rollouts].some(({ until = 0 }) => until > now);
}

function isGood({ sync, health }: Verdict): boolean {
  return sync === 'Synced' && health === 'Healthy';
}
