import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../model/errors.ts';
import { CORES } from '../../model/cores.ts';
import { fingerprint } from '../../model/fingerprint.ts';
import type { Observed, Outcome } from '../../model/change.ts';
import type { Provider } from '../../model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../model/ref.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { ContainerState, SandboxState } from '../../model/resources.ts';
import { expand } from '../../plan/expand.ts';
import { closure } from '../../plan/host.ts';
import { interrupts } from '../../plan/repairs.ts';
import { emptyAgentState, type AgentOptions, type AgentState, type PassDeps, type PassResult } from './agent-state.ts';
import { followers } from './outcomes.ts';
import type { HealthTarget } from './health.ts';
import { runPass, type Scope } from './pass.ts';
import { pause } from '../pause.ts';
import { workQueue, type Item } from './queue.ts';
import { createRepairs } from './repairs.ts';
import { isInterrupted, reportOf, settledAt } from './report.ts';
import { NEVER_RESTARTED, trustedAt } from './restarts.ts';

/** After a change of our own, its echoes are looked at once, this many milliseconds later. */
const ECHO = 1_000;
/** A full pass that still waits for something slow after this long does not keep the next one from starting, milliseconds. */
const STALE = 60_000;
/** A hint that may be an echo is looked at this long after the change, milliseconds. */
const QUIET = 800;
/** What was hinted at is told no later than this, milliseconds: it may be what a hand has done right after us. */
const TOLD = 900;
/** Second looks come at multiples of this, milliseconds; and of this, while more changes than a few are under way. */
const TOGETHER = 2_000;
const TOGETHER_AT_WORK = 6_000;
/** New cgroups are looked at together then, this long after their container began, milliseconds. */
const GATHER_AT_WORK = 250;
/** Reports gather this long before one is sent. */
const REPORT_AFTER = 100;
/**
 * While more changes than this are under way, they gather longer, as a report tells of the whole host; so does what was seen before changes, which
 * mostly end sooner. All is in the store within a second.
 */
const FEW = 10;
const REPORT_AT_WORK = 700;

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
  /** When refs that were not looked at since were first hinted at. */
  const hinted = new Map<Ref, number>();
  const stopping = new AbortController();
  let fullPass: Promise<void> | undefined;
  let fullBegan = 0;
  /** The generation that it works for. */
  let fullFor = 0;
  let lookedAt = 0;
  let latest: Report | undefined;
  let reported: Report | undefined;
  let reportTimer: NodeJS.Timeout | undefined;
  /** When it is due. */
  let reportAt = Infinity;
  /** Until a replica has stayed up long enough to be told as ready, or been ready long enough to be told as serving. */
  let proofTimer: NodeJS.Timeout | undefined;
  let specs = state.desired;

  const probed = options.health((replica) => {
    if (probed.get(replica)?.unhealthy === true) queue.add(refOf('container', replica), clock());
    soonReport();
  });
  const repairs = createRepairs({
    host,
    own: options.leases,
    tokens: options.tokens,
    clock,
    random: options.random,
    ready: (replica, wait) => queue.add(refOf('container', replica), clock() + wait),
  });
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
      const atWork = state.busy.size > FEW;
      const together = atWork ? TOGETHER_AT_WORK : TOGETHER;
      const later = Math.ceil((now + ECHO) / together) * together;
      queue.add(ref, isDown(state.world.get(ref)) ? now + 1 : later);
      for (const next of followers(ref))
        if (next !== CORES) queue.add(next, kindOf(next) === 'cgroup' ? now + (atWork ? GATHER_AT_WORK : 0) : later);
        else if (specs.has(CORES)) queue.add(CORES, now);
    } else if (outcome.result === 'conflict') queue.add(ref, now + ECHO / 10);
    else {
      const pause = state.pauses.get(ref);
      if (pause) queue.add(ref, pause.at);
    }
    soonReport();
  }

  /** No later than this; what is told by then is told with it. */
  function soonReport(wait = state.busy.size > FEW ? REPORT_AT_WORK : REPORT_AFTER): void {
    const at = clock() + wait;
    if (at >= reportAt) return;
    clearTimeout(reportTimer);
    reportAt = at;
    reportTimer = setTimeout(() => void hurryReport(), wait);
  }

  function hurryReport(): Promise<void> {
    clearTimeout(reportTimer);
    reportAt = Infinity;
    return sendReport();
  }

  async function sendReport(): Promise<void> {
    // beside the Report: both become durable in one write
    await Promise.all([remember(), tell()]);
  }

  async function remember(): Promise<void> {
    try {
      await state.settled.save((news) => options.settled.note(news));
    } catch (error) {
      log.warn({ err: error }, 'not remembered what was reached');
    }
  }

  async function tell(): Promise<void> {
    const { assignment } = state;
    // before the first full look an empty world is no news
    if (!assignment || !state.seen) return;
    probed.set(targetsOf(state, assignment));
    const next = reportOf({
      options,
      state,
      assignment,
      busy: state.busy.size > 0,
      health: (id) => probed.get(id),
      before: latest,
    });
    latest = next;
    for (const id of state.interrupted) if (!isInterrupted(state, { id })) state.interrupted.delete(id);
    repairs.settle((replica) => next.replicas.some(({ id, ready }) => id === replica && ready));
    awaitProof(assignment);
    const told = { ...next, at: 0 };
    if (isDeepStrictEqual(told, reported)) return;
    // what was handed over last, stored or not: one that is as it was before goes out again behind one that was not stored yet
    reported = told;
    try {
      await mailbox.report(next);
    } catch (error) {
      if (reported === told) reported = undefined;
      log.warn({ err: error }, 'report not stored');
    }
  }

  function awaitProof({ replicas }: Assignment): void {
    clearTimeout(proofTimer);
    const now = clock();
    const times = replicas.flatMap((replica) => {
      const { id, spec } = replica;
      const proven = trustedAt(state.restarts.get(id) ?? NEVER_RESTARTED, spec.restart);
      return [settledAt(replica, probed.get(id)), ...(proven === undefined ? [] : [proven])];
    });
    const next = Math.min(...times.filter((at) => at > now));
    if (next < Infinity) proofTimer = setTimeout(() => soonReport(), next - now);
  }

  function adopt(assignment: Assignment): void {
    if (assignment.generation === state.assignment?.generation) return;
    const before = specs;
    specs = new Map(expand(assignment, options.facts.capacity.memory).map((item) => [item.ref, item]));
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

  function hint(ref: Ref): void {
    log.debug({ ref, busy: state.busy.has(ref) }, 'hint');
    if (state.busy.get(ref)?.begun === true) return;
    // of containers no echoes are told, and one that ends as soon as it is started must not wait
    const echo = kindOf(ref) === 'container' ? 0 : QUIET;
    const quiet = (state.touched.get(ref) ?? -echo) + echo;
    queue.add(ref, Math.max(clock(), quiet));
    if (!hinted.has(ref)) hinted.set(ref, clock());
  }

  /** Until when it is to be told what a look at these items finds. */
  function toldBy(items: readonly Item[]): number {
    const now = clock();
    const since = Math.min(...items.map((item) => hinted.get(item as Ref) ?? now));
    for (const item of items) hinted.delete(item as Ref);
    return since + TOLD;
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
    const scope: Scope = full ? undefined : new Set(items.flatMap((item) => closure(item as Ref, specs)));
    const began = clock();
    const by = toldBy(items);
    const planned = (): void => soonReport(Math.min(REPORT_AT_WORK, Math.max(0, by - clock())));
    let looked = false;
    const pass = runPass({ ...deps, planned }, assignment, specs, scope)
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
        if (looked || passes.size === 0) void hurryReport().then(() => looked && (lookedAt = began));
        else {
          planned();
          soonReport();
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

  /** Hears one provider for ever: a watch that breaks is taken up again, and then all of its kinds are looked at. */
  async function hear(provider: Provider, signal: AbortSignal): Promise<void> {
    for (let wait = ECHO; !signal.aborted; wait = Math.min(wait * 2, STALE)) {
      const fleet = state.assignment?.fleet ?? '';
      const began = clock();
      try {
        const context = { signal, fleet, world: state.world, wanted: [...specs.keys()] };
        for await (const ref of provider.watch?.(context) ?? []) hint(ref);
      } catch (error) {
        log.warn({ err: error, provider: provider.name }, 'watch broke off');
      }
      if (clock() - began > STALE) wait = ECHO;
      await pause(wait, signal);
      for (const kind of provider.kinds) hint(refOf(kind, '*'));
    }
  }

  const watched = options.providers.filter((provider) => provider.watch !== undefined);
  return {
    async run(signal) {
      const followers = [
        followAssignments(signal),
        assigned(state, signal).then(() => Promise.all(watched.map((provider) => hear(provider, signal)))),
      ];
      for (const follower of followers) follower.catch((error: unknown) => log.warn({ err: error }, 'follower ended'));
      signal.addEventListener('abort', () => stopping.abort(), { once: true });
      while (!signal.aborted) {
        await queue.due(signal);
        start(queue.take(clock()));
        // lets hints that came together be worked on together
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.allSettled(passes);
      clearTimeout(reportTimer);
      await sendReport();
      clearTimeout(proofTimer);
      probed.stop();
    },
    kick: (item) => {
      queue.add(item, clock());
    },
    idle: () => state.assignment !== undefined && state.lastFull > 0 && !busy() && queue.next() > clock(),
    lookedAt: () => lookedAt,
    hopeful: () => [...state.failures.values()].some(({ code }) => PASSING.has(code)),
    report: () => latest,
  };
}

/** Resolves once there is an Assignment, or the signal aborts. */
async function assigned(state: AgentState, signal: AbortSignal): Promise<void> {
  while (!state.assignment && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 20));
}

function forget(state: AgentState, ref: Ref): void {
  for (const map of [state.pauses, state.failures, state.waiting, state.removals]) map.delete(ref);
  if (kindOf(ref) === 'container') state.restarts.delete(nameOf(ref));
}

/** A container that was seen to have ended as soon as it was started. */
function isDown(item: Observed | undefined): boolean {
  return item?.known === true && kindOf(item.ref) === 'container' && (item.state as ContainerState).status === 'exited';
}

function targetsOf({ world, restarts }: AgentState, { replicas }: Assignment): HealthTarget[] {
  const targets: HealthTarget[] = [];
  for (const { id, spec, placement } of replicas) {
    const container = world.get(refOf('container', id));
    const sandbox = world.get(refOf('sandbox', id));
    if (container?.known !== true || sandbox?.known !== true) continue;
    const { status, id: containerId } = container.state as ContainerState;
    const { pid } = sandbox.state as SandboxState;
    // a restart of the same container begins its health afresh, as a new container does
    const incarnation = `${containerId} ${String(restarts.get(id)?.startedAt)}`;
    if (status === 'running' && pid !== undefined)
      targets.push({ replica: id, pid, containerId, incarnation, address: placement.address, probes: spec.probes });
  }
  return targets;
}
