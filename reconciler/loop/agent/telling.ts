import { isDeepStrictEqual } from 'node:util';
import { refOf } from '../../model/ref.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { ContainerState, SandboxState } from '../../model/resources.ts';
import { isAtWork, type AgentOptions, type AgentState } from './agent-state.ts';
import type { Health, HealthTarget } from './health.ts';
import type { Repairs } from './repairs.ts';
import { isInterrupted, reportOf, settledAt } from './report.ts';
import { NEVER_RESTARTED, trustedAt } from './restarts.ts';

/** Reports gather this long before one is sent. */
const AFTER = 100;
/**
 * While much is under way they gather longer, as a report tells of the whole host; so does what was seen before changes, which mostly end sooner. All is in
 * the store within a second.
 */
const AT_WORK = 700;

/** Writes the Report of a host when there is news of it. */
export interface Telling {
  /** Something is new: it is told after what may come at the same time. */
  soon(): void;
  /** Something is to be told by then, milliseconds since 1970: with what is told by then anyway. */
  by(at: number): void;
  /** Tells what is new now. */
  now(): Promise<void>;
  latest(): Report | undefined;
  /** Tells what is new for the last time. */
  end(): Promise<void>;
}

/** What an agent tells of its host, from what it knows between passes. */
export function createTelling(
  options: AgentOptions,
  state: AgentState,
  { probed, repairs }: { readonly probed: Health; readonly repairs: Repairs },
): Telling {
  const { clock, log, mailbox } = options;
  let latest: Report | undefined;
  let reported: Report | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** When it is due. */
  let dueAt = Infinity;
  /** Until a replica has stayed up long enough to be told as ready, or been ready long enough to be told as serving. */
  let proofTimer: NodeJS.Timeout | undefined;

  function within(wait: number): void {
    const at = clock() + wait;
    if (at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void now(), wait);
  }

  function soon(): void {
    within(isAtWork(state) ? AT_WORK : AFTER);
  }

  function now(): Promise<void> {
    clearTimeout(timer);
    dueAt = Infinity;
    return send();
  }

  async function send(): Promise<void> {
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
    const at = clock();
    const times = replicas.flatMap((replica) => {
      const { id, spec } = replica;
      const proven = trustedAt(state.restarts.get(id) ?? NEVER_RESTARTED, spec.restart);
      return [settledAt(replica, probed.get(id)), ...(proven === undefined ? [] : [proven])];
    });
    const next = Math.min(...times.filter((time) => time > at));
    if (next < Infinity) proofTimer = setTimeout(soon, next - at);
  }

  return {
    soon,
    by: (at) => within(Math.min(AT_WORK, Math.max(0, at - clock()))),
    now,
    latest: () => latest,
    end: async () => {
      clearTimeout(timer);
      await send();
      clearTimeout(proofTimer);
    },
  };
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
