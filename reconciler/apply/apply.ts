import type { Change, Evidence, Outcome, Plan } from '../model/change.ts';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import type { Context, Provider } from '../model/provider.ts';
import { kindOf, type Ref } from '../model/ref.ts';
import { semaphore, type Semaphore } from '../model/semaphore.ts';

export interface ApplyOptions {
  readonly providers: readonly Provider[];
  /** A context whose signal ends a change that hangs. */
  readonly context: (change: Change) => Context;
  readonly dependsOn: (ref: Ref) => readonly Ref[];
  /** Those of them that a new one may be made beside, and starts after; none if absent. */
  readonly startsAfter?: (ref: Ref) => readonly Ref[];
  /** How the change of a ref ends that another plan is making now; undefined when none does. */
  readonly underway: (ref: Ref) => Promise<boolean> | undefined;
  /** Once aborted nothing more is started; what was started is finished. */
  readonly stop: AbortSignal;
  /** Made durable before the change is made. A throw fails the change, and nothing was done. */
  readonly intent: (change: Change) => Promise<void>;
  /** Told of each end, skipped ones too. */
  readonly ended: (outcome: Outcome) => Promise<void>;
  /** Most changes of one provider at a time. */
  readonly concurrency?: number;
  /** A change whose dependencies are done waits for the rest of the wave before until none of it has ended for so many milliseconds. */
  readonly linger?: number;
  /** So many new ports go on together while the wave before them still gets on. */
  readonly together?: number;
}

/** Whether a started change ended well; absent until it has ended. */
type Ends = Map<Ref, Promise<boolean>>;

/** Milliseconds. */
const LINGER = 5000;
/** Ports that are wired in one transaction while sandboxes are still being made: as many of these as are made at a time. */
const TOGETHER = 8;

/**
 * Makes the changes of a plan, wave by wave. The barrier between waves is soft: a change whose own dependencies are done
 * waits for the others while they get on, but not once none of them has ended for `linger` (waves let a provider do many things in one transaction, yet one image that is
 * slow to pull must not hold up a host). A change whose dependency failed is skipped. What is new and starts after something
 * is made while that is still done: it begins with that one's wave, and its provider waits before the start. Of new ports so many go on together as soon as their
 * sandboxes are there, so that Docker, the bridge and the namespaces are at work at the same time.
 */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<readonly Outcome[]> {
  const byName = new Map(options.providers.map((provider) => [provider.name, provider]));
  const slots = new Map<string, Semaphore>();
  for (const { name } of options.providers) slots.set(name, semaphore(options.concurrency ?? 256));
  const ends: Ends = new Map();
  const outcomes: Promise<Outcome>[] = [];
  const barriers = new Map<Ref, Barrier>();
  let before: Barrier = { down: Promise.resolve(), moved: performance.now() };
  for (const wave of plan.waves) {
    const next: Barrier = { down: before.down, moved: performance.now() };
    const muster = musterOf(before, options);
    const started = wave.map((change) => {
      const late = change.verb === 'create' ? (options.startsAfter?.(change.ref) ?? []) : [];
      const early = options.dependsOn(change.ref).filter((ref) => !late.includes(ref));
      const barrier = late.map((ref) => barriers.get(ref)).find((one) => one !== undefined) ?? before;
      barriers.set(change.ref, barrier);
      const ready = async (): Promise<void> => {
        const bad = await failedOf(options, ends, late);
        if (bad !== undefined) throw new PlumbError('CONFLICT', `${change.ref} does not start: ${bad} failed`);
        // ports are wired together, many in one transaction; containers start one by one
        if (kindOf(change.ref) === 'port') await muster();
      };
      const run = async (): Promise<Outcome> => {
        const bad = await failedOf(options, ends, early);
        if (bad !== undefined) return { change, result: 'skipped', error: `${bad} failed` };
        await downOrIdle(barrier, options.linger ?? LINGER);
        const slot = slots.get(change.provider);
        const one = (): Promise<Outcome> => applyOne(change, byName.get(change.provider), ready, options);
        return slot ? slot(one) : one();
      };
      const ended = run().then((outcome) => {
        next.moved = performance.now();
        return { outcome, told: options.ended(outcome) };
      });
      ends.set(
        change.ref,
        ended.then(({ outcome }) => outcome.result === 'done'),
      );
      // who depends on it does not wait until its end is on the disk
      outcomes.push(ended.then(({ outcome, told }) => told.then(() => outcome)));
      return ended;
    });
    // an image may take minutes to pull: only its own containers wait for it
    next.down = Promise.all([before.down, ...started.filter((_, at) => kindOf(wave[at]?.ref ?? 'image/') !== 'image')]);
    before = next;
  }
  return Promise.all(outcomes);
}

/** The first of the refs whose change does not end well, once that is known. */
async function failedOf({ underway }: ApplyOptions, ends: Ends, refs: readonly Ref[]): Promise<Ref | undefined> {
  for (const ref of refs) if ((await (ends.get(ref) ?? underway(ref))) === false) return ref;
  return undefined;
}

/** What stands before a wave. */
interface Barrier {
  /** All of the waves before have ended. */
  down: Promise<unknown>;
  /** When a change of the wave before last ended, by `performance.now()`. */
  moved: number;
}

/** Resolves when the barrier is down, or nothing of it has ended for so many milliseconds. */
function downOrIdle(barrier: Barrier, ms: number): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    const look = (): void => {
      const left = barrier.moved + ms - performance.now();
      if (left <= 0) resolve();
      else timer = setTimeout(look, left);
    };
    timer = setTimeout(look, ms);
    void barrier.down.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Lets those of a wave who come go on together: so many at once, or whoever is there once the barrier is down or stands still. */
function musterOf(barrier: Barrier, { linger = LINGER, together = TOGETHER }: ApplyOptions): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const go = (): void => {
    for (const one of waiting.splice(0)) one();
  };
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length >= together) go();
      else void downOrIdle(barrier, linger).then(go);
    });
}

async function applyOne(
  change: Change,
  provider: Provider | undefined,
  ready: () => Promise<void>,
  options: ApplyOptions,
): Promise<Outcome> {
  if (options.stop.aborted) return { change, result: 'skipped', error: 'stopping' };
  if (!provider)
    return failed(change, new PlumbError('INTERNAL', `no provider named ${change.provider} for ${change.ref}`));
  try {
    await options.intent(change);
  } catch (error) {
    return failed(change, asPlumbError(error));
  }
  try {
    const evidence: Evidence = await provider.apply(change, { ...options.context(change), ready });
    return { change, result: 'done', evidence };
  } catch (error) {
    const known = asPlumbError(error);
    return known.code === 'CONFLICT' ? { change, result: 'conflict', error: known.message } : failed(change, known);
  }
}

function failed(change: Change, { code, message, retry }: PlumbError): Outcome {
  return { change, result: 'failed', code, error: message, retry };
}
