import type { ErrorCode } from '../../model/errors.ts';
import { CORES } from '../../model/cores.ts';
import { fingerprint } from '../../model/fingerprint.ts';
import type { Observed, Outcome } from '../../model/change.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../model/ref.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { ContainerState } from '../../model/resources.ts';
import { expand } from '../../plan/expand.ts';
import { closure } from '../../plan/host.ts';
import { interrupts } from '../../plan/repairs.ts';
import { emptyAgentState, forget, isAtWork, type AgentOptions, type PassDeps, type PassResult } from './agent-state.ts';
import { followers } from './outcomes.ts';
import { runPass, type Scope } from './pass.ts';
import { workQueue, type Item } from './queue.ts';
import { createRepairs } from './repairs.ts';
import { createTelling } from './telling.ts';
import { createWatching } from './watching.ts';

/** After a change of our own, its echoes are looked at once, this many milliseconds later. */
const ECHO = 1_000;
/** A full pass that still waits for something slow after this long does not keep the next one from starting, milliseconds. */
const STALE = 60_000;
/** Second looks come at multiples of this, milliseconds; and of this, while much is under way. */
const TOGETHER = 2_000;
const TOGETHER_AT_WORK = 6_000;
/** New cgroups are looked at together then, this long after their container began, milliseconds. */
const GATHER_AT_WORK = 250;

/** Failures of a daemon that was late or away for a moment. */
const PASSING: ReadonlySet<string> = new Set<ErrorCode>([
  'TIMEOUT',
  'CANCELLED',
  'DOCKER_UNAVAILABLE',
  'OVS_UNAVAILABLE',
]);

export interface Agent {
  /** Works until the signal aborts, then finishes what it has begun. */
  run(signal: AbortSignal): Promise<void>;
  /** Has it look at a ref, or at all, now. */
  kick(item: Item): void;
  /** Nothing is under way or due: all that can be done now has been done. */
  idle(): boolean;
  /** When the last look at the whole host began of which the Report has told, milliseconds since 1970; 0 before the first. */
  lookedAt(): number;
  /** Something failed in a way that passes by itself, and is tried again. */
  hopeful(): boolean;
  report(): Report | undefined;
}

/** The agent of one host: keeps what runs there as its Assignment says. */
export function createAgent(options: AgentOptions): Agent {
  const { host, clock, mailbox, journal, log } = options;
  const state = emptyAgentState();
  const queue = workQueue(clock);
  const passes = new Set<Promise<void>>();
  const stopping = new AbortController();
  let fullPass: Promise<void> | undefined;
  let fullBegan = 0;
  /** The generation that it works for. */
  let fullFor = 0;
  let lookedAt = 0;

  const probed = options.health((replica) => {
    if (probed.get(replica)?.unhealthy === true) queue.add(refOf('container', replica), clock());
    telling.soon();
  });
  const repairs = createRepairs({
    host,
    own: options.leases,
    tokens: options.tokens,
    clock,
    random: options.random,
    ready: (replica, wait) => queue.add(refOf('container', replica), clock() + wait),
  });
  const telling = createTelling(options, state, { probed, repairs });
  const watching = createWatching(options, state, queue);
  const deps: Omit<PassDeps, 'planned'> = {
    ...options,
    state,
    probed,
    repairs,
    stop: stopping.signal,
    ended,
    lookAgain: () => queue.add('*', clock()),
    event: (draft) => {
      journal.append([{ type: 'event', host, ...draft }]).catch((error: unknown) => {
        log.warn({ err: error }, 'event not journaled');
      });
    },
  };

  function ended(outcome: Outcome): void {
    const { ref } = outcome.change;
    const now = clock();
    if (interrupts(outcome.change)) repairs.restarted(nameOf(ref));
    if (outcome.result === 'done') {
      // many changes of one pass are looked at again together
      const atWork = isAtWork(state);
      const together = atWork ? TOGETHER_AT_WORK : TOGETHER;
      const later = Math.ceil((now + ECHO) / together) * together;
      queue.add(ref, isDown(state.world.get(ref)) ? now + 1 : later);
      for (const next of followers(ref))
        if (next !== CORES) queue.add(next, kindOf(next) === 'cgroup' ? now + (atWork ? GATHER_AT_WORK : 0) : later);
        else if (state.desired.has(CORES)) queue.add(CORES, now);
    } else if (outcome.result === 'conflict') queue.add(ref, now + ECHO / 10);
    else {
      const pause = state.pauses.get(ref);
      if (pause) queue.add(ref, pause.at);
    }
    telling.soon();
  }

  function adopt(assignment: Assignment): void {
    if (assignment.generation === state.assignment?.generation) return;
    const before = state.desired;
    const specs = new Map(expand(assignment, options.facts.capacity.memory).map((item) => [item.ref, item]));
    for (const [ref, item] of specs) {
      if (fingerprint(before.get(ref)?.spec) === fingerprint(item.spec)) continue;
      state.pauses.delete(ref);
      state.failures.delete(ref);
    }
    for (const ref of before.keys()) if (!specs.has(ref)) forget(state, ref);
    state.settled.keep(specs);
    state.desired = specs;
    state.assignment = assignment;
    queue.add('*', clock());
  }

  function start(due: readonly Item[]): void {
    let items = due;
    const { assignment } = state;
    if (!assignment || items.length === 0 || stopping.signal.aborted) return;
    const late = fullPass !== undefined && fullFor === assignment.generation && clock() - fullBegan < STALE;
    const full = items.includes('*') && !late;
    if (items.includes('*') && late) {
      queue.add('*', clock() + ECHO);
      items = items.filter((item) => item !== '*');
      if (items.length === 0) return;
    }
    const scope: Scope = full ? undefined : new Set(items.flatMap((item) => closure(item as Ref, state.desired)));
    const began = clock();
    const by = watching.toldBy(items);
    const planned = (): void => telling.by(by);
    let looked = false;
    const pass = runPass({ ...deps, planned }, assignment, state.desired, scope)
      .then((result) => {
        after(result, scope, assignment.generation);
        looked = full;
        const { plan, outcomes } = result;
        const fields = { refs: full ? '*' : [...(scope ?? [])], changes: outcomes.length, held: plan.held.length };
        log.debug({ ...fields, ms: clock() - began }, 'pass');
      })
      .catch((error: unknown) => {
        log.warn({ err: error }, 'pass failed');
        for (const item of items) queue.add(item, clock() + 5 * ECHO);
      })
      .finally(() => {
        passes.delete(pass);
        if (fullPass === pass) fullPass = undefined;
        // what was gathered while there was much to do is told now
        if (looked || passes.size === 0) void telling.now().then(() => looked && (lookedAt = began));
        else {
          planned();
          telling.soon();
        }
      });
    passes.add(pass);
    if (full) [fullPass, fullBegan, fullFor] = [pass, began, assignment.generation];
  }

  function after({ wakeAt, plan }: PassResult, scope: Scope, generation: number): void {
    if (scope === undefined) {
      state.lastFull = clock();
      // one for an Assignment before it may end later
      state.fullGeneration = Math.max(state.fullGeneration, generation);
      queue.add('*', clock() + (state.assignment?.resync ?? 30_000) * (0.9 + 0.2 * options.random()));
    }
    if (wakeAt !== undefined) for (const { change } of plan.held) queue.add(change.ref, wakeAt);
  }

  function busy(): boolean {
    return passes.size > 0 || state.busy.size > 0;
  }

  async function followAssignments(signal: AbortSignal): Promise<void> {
    const load = async (): Promise<void> => {
      const assignment = await mailbox.assignment(host);
      if (assignment) adopt(assignment);
    };
    // listening begins before the first look, so that nothing falls between them
    const news = mailbox.follow(signal)[Symbol.asyncIterator]();
    let next = news.next();
    state.settled.recall(await options.settled.read());
    await load();
    for (let item = await next; item.done !== true; item = await next) {
      next = news.next();
      if (item.value.host === host && item.value.what === 'assignment') await load();
    }
  }

  return {
    async run(signal) {
      const followers = [followAssignments(signal), watching.run(signal)];
      for (const follower of followers) follower.catch((error: unknown) => log.warn({ err: error }, 'follower ended'));
      signal.addEventListener('abort', () => stopping.abort(), { once: true });
      while (!signal.aborted) {
        await queue.due(signal);
        start(queue.take(clock()));
        // lets hints that came together be worked on together
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.allSettled(passes);
      await telling.end();
      probed.stop();
    },
    kick: (item) => {
      queue.add(item, clock());
    },
    idle: () => state.assignment !== undefined && state.lastFull > 0 && !busy() && queue.next() > clock(),
    lookedAt: () => lookedAt,
    hopeful: () => [...state.failures.values()].some(({ code }) => PASSING.has(code)),
    report: () => telling.latest(),
  };
}

/** A container that was seen to have ended as soon as it was started. */
function isDown(item: Observed | undefined): boolean {
  return item?.known === true && kindOf(item.ref) === 'container' && (item.state as ContainerState).status === 'exited';
}
