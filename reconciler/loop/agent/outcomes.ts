import type { Desired, Outcome } from '../../model/change.ts';
import { CORES } from '../../model/cores.ts';
import { fingerprint } from '../../model/fingerprint.ts';
import { nameOf, refOf, type Ref } from '../../model/ref.ts';
import type { Assignment } from '../../model/replica.ts';
import type { PassDeps } from './agent-state.ts';
import { beginsCrashLoop, exited, NEVER_RESTARTED, restarted, running, type RestartState } from './restarts.ts';

/** First pause after a failure, and the longest, in milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 300_000;

/** What the agent learns from the end of a change: the world, back-off, restarts, fights. */
export function notePassOutcome(
  deps: PassDeps,
  assignment: Assignment,
  specs: ReadonlyMap<Ref, Desired>,
  outcome: Outcome,
): void {
  const { state, clock } = deps;
  const { change } = outcome;
  const { ref } = change;
  state.busy.get(ref)?.ended(outcome.result === 'done');
  state.busy.delete(ref);
  state.waiting.delete(ref);
  if (outcome.result === 'skipped' || outcome.result === 'held') return;
  state.touched.set(ref, clock());
  state.endedAs.set(ref, (state.changes += 1));
  if (outcome.result === 'done') {
    noteDone(deps, specs, outcome);
    noteStart(deps, assignment, ref, change.because);
  } else if (outcome.result === 'failed') noteFailure(deps, assignment, ref, outcome);
}

function noteDone(
  deps: PassDeps,
  specs: ReadonlyMap<Ref, Desired>,
  { change, evidence }: Outcome & { result: 'done' },
): void {
  const { state, clock } = deps;
  const { ref } = change;
  state.failures.delete(ref);
  state.pauses.delete(ref);
  if (change.verb === 'delete') {
    state.world.forget(ref);
    state.settled.delete(ref);
    noteRemoval(deps, ref);
  } else {
    state.removals.delete(ref);
    state.settled.set(ref, fingerprint(specs.get(ref)?.spec));
  }
  if (evidence.observed) state.world.set(evidence.observed);
  if (change.because === 'pressure')
    deps.event({ level: 'info', reason: 'Reclaimed', ref, message: `${ref}: ${evidence.did}` });
  if (change.because !== 'drift') return;
  const fight = state.fights.note(change, clock());
  if (!fight) return;
  const text = `${fight.path} was set to ${JSON.stringify(fight.theirs)} ${String(fight.times)} times and put back to ${JSON.stringify(fight.ours)}`;
  state.pauses.set(ref, { at: clock() + fight.pause, why: `fight: ${text}` });
  deps.event({
    level: 'warn',
    reason: 'Fight',
    ref,
    message: `${ref}: ${text}; left alone for ${String(fight.pause / 1000)} s`,
  });
}

/** A removal that is said to be done and is wanted again has done nothing: it waits for longer and longer, as what fails does. */
function noteRemoval({ state, clock, event }: PassDeps, ref: Ref): void {
  const times = (state.removals.get(ref) ?? 0) + 1;
  state.removals.set(ref, times);
  if (times === 1) return;
  const pause = Math.min(FIRST_PAUSE * 2 ** (times - 2), LONGEST_PAUSE);
  const why = `${ref} was removed ${String(times)} times and comes again`;
  state.pauses.set(ref, { at: clock() + pause, why });
  if (times === 2)
    event({ level: 'warn', reason: 'ComesAgain', ref, message: `${why}; tried again after pauses that double` });
}

function noteStart(deps: PassDeps, { replicas }: Assignment, ref: Ref, because: string): void {
  if (!ref.startsWith('container/')) return;
  const { state, clock, probed } = deps;
  const replica = nameOf(ref);
  const before = state.restarts.get(replica) ?? NEVER_RESTARTED;
  const policy = replicas.find(({ id }) => id === replica)?.spec.restart;
  const now = clock();
  const { total } = before;
  if (because === 'exited') state.restarts.set(replica, restarted(before, now));
  else if (because === 'unhealthy' && policy) {
    const message = probed.get(replica)?.message ?? '';
    const ended = exited(before, policy, now, message === '' ? 'was unhealthy' : `was unhealthy (${message})`);
    tellCrashLoop(deps, replica, ended);
    state.restarts.set(replica, restarted(ended, now));
  } else state.restarts.set(replica, running({ count: because === 'spec changed' ? 0 : before.count, total }, now));
}

/** An event, once, when a replica begins to end again and again. */
export function tellCrashLoop({ event }: PassDeps, id: string, restart: RestartState): void {
  if (!beginsCrashLoop(restart)) return;
  const message = `${id} ${restart.how ?? 'ended'}, ${String(restart.count + 1)} times in a row; it is started again after pauses that double`;
  event({ level: 'error', reason: 'CrashLoop', ref: refOf('container', id), message });
}

function noteFailure(
  deps: PassDeps,
  { revision }: Assignment,
  ref: Ref,
  { code, error, retry }: Outcome & { result: 'failed' },
): void {
  const { state, clock, random } = deps;
  const before = state.failures.get(ref);
  const times = (before?.times ?? 0) + 1;
  state.failures.set(ref, { code, error, times });
  const longest = retry ? LONGEST_PAUSE : LONGEST_PAUSE * 2;
  const pause = Math.min(FIRST_PAUSE * 2 ** (times - 1), longest) * (0.9 + 0.2 * random());
  state.pauses.set(ref, { at: clock() + pause, why: `${error} (tried ${String(times)} times)` });
  if (before?.code === code) return;
  deps.event({ level: 'error', reason: reasonOf(code), ref, revision, message: error });
}

/** `IMAGE_UNAVAILABLE` → `ImageUnavailable`. */
export function reasonOf(code: string): string {
  return code
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** The refs to look at again after a change: itself, and what depends on it. */
export function followers(ref: Ref): readonly Ref[] {
  const replica = nameOf(ref);
  if (ref.startsWith('container/')) return [refOf('cgroup', replica), CORES];
  if (ref.startsWith('sandbox/')) return [refOf('port', replica), refOf('container', replica)];
  if (ref.startsWith('port/')) return [refOf('container', replica)];
  return [];
}
