import type { Probes, ProbeSpec } from '../../model/catalog.ts';
import { PlumbError } from '../../model/errors.ts';
import type { HealthState, ProbeKind } from '../../model/health.ts';
import { dueProbes, stepHealth } from '../../model/health.ts';
import type { ProbedContainer, Prober, ProbeResult } from '../../model/probe.ts';

/** A running container that is to be probed. */
export interface HealthTarget extends ProbedContainer {
  readonly replica: string;
  /** Another value means that the container was started anew: its health begins afresh. */
  readonly incarnation: string;
  readonly probes: Probes;
}

/** Time as the probes' schedule needs it. */
export interface HealthClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `ms`; gives what calls it off. */
  after(ms: number, call: () => void): () => void;
}

export interface HealthOptions {
  readonly prober: Prober;
  readonly clock: HealthClock;
  /** Called when `ready`, `started` or `unhealthy` of a replica changed. */
  readonly onChange: (replica: string, health: HealthState) => void;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

/** Probes running containers on their schedules and keeps the sum. */
export interface Health {
  /** All that run now; who is not among them is forgotten. */
  set(targets: readonly HealthTarget[]): void;
  /** Undefined for a replica that does not run. */
  get(replica: string): HealthState | undefined;
  stop(): void;
}

/** Until it is ready for the first time a replica is asked again after this and doubling pauses, up to the period: milliseconds. */
const EAGER = 100;
const JITTER = 0.1;
/** The first probes of many replicas that appear together are spread over this: milliseconds. */
const SPREAD = 1000;

interface Watched {
  target: HealthTarget;
  state: HealthState;
  readonly schedules: Map<ProbeKind, () => void>;
  readonly ended: AbortController;
}

/** The probes of all replicas of a host. A probe is asked again only after its answer, so none overlaps itself. */
export function createHealth(options: HealthOptions): Health {
  const { prober, clock, onChange, random } = options;
  const watched = new Map<string, Watched>();

  const forget = (replica: string): void => {
    const one = watched.get(replica);
    if (!one) return;
    watched.delete(replica);
    one.ended.abort();
    for (const cancel of one.schedules.values()) cancel();
  };

  const answer = (one: Watched, kind: ProbeKind, result: ProbeResult): void => {
    const before = one.state;
    one.state = stepHealth(before, { type: 'probe', kind, ...result }, one.target.probes, clock.now());
    const { started, ready, unhealthy } = one.state;
    if (started !== before.started) schedule(one);
    if (started !== before.started || ready !== before.ready || unhealthy !== before.unhealthy)
      onChange(one.target.replica, one.state);
  };

  const pause = (one: Watched, kind: ProbeKind, probe: ProbeSpec, attempt: number): number => {
    const eager = kind === 'readiness' && !one.state.ready && attempt < 16 ? EAGER * 2 ** attempt : probe.period;
    return Math.min(eager, probe.period) * (1 + JITTER * (2 * random() - 1));
  };

  const ask = async (one: Watched, kind: ProbeKind, attempt: number): Promise<void> => {
    const probe = one.target.probes[kind];
    if (!probe) return;
    try {
      answer(one, kind, await prober.probe(one.target, probe.check, probe.timeout, one.ended.signal));
    } catch (error) {
      if (one.ended.signal.aborted) return;
      if (!(error instanceof PlumbError) || error.code !== 'CANCELLED')
        answer(one, kind, { ok: false, message: String(error) });
    }
    if (one.ended.signal.aborted || !dueProbes(one.state, one.target.probes).some((due) => due.kind === kind)) {
      one.schedules.delete(kind);
      return;
    }
    plan(one, kind, pause(one, kind, probe, attempt), attempt + 1);
  };

  const plan = (one: Watched, kind: ProbeKind, ms: number, attempt: number): void => {
    one.schedules.set(
      kind,
      clock.after(ms, () => void ask(one, kind, attempt)),
    );
  };

  const schedule = (one: Watched): void => {
    for (const { kind, probe } of dueProbes(one.state, one.target.probes))
      if (!one.schedules.has(kind)) plan(one, kind, random() * Math.min(SPREAD, probe.period), 0);
  };

  return {
    set: (targets) => {
      const now = new Set(targets.map((target) => target.replica));
      for (const replica of watched.keys()) if (!now.has(replica)) forget(replica);
      for (const target of targets) {
        const one = watched.get(target.replica);
        if (one && sameProbes(one.target, target)) {
          one.target = target; // the process or address may be new
          continue;
        }
        forget(target.replica);
        const state = stepHealth(undefined, { type: 'running' }, target.probes, clock.now());
        const fresh = { target, state, schedules: new Map(), ended: new AbortController() };
        watched.set(target.replica, fresh);
        schedule(fresh);
        onChange(target.replica, state);
      }
    },
    get: (replica) => watched.get(replica)?.state,
    stop: () => {
      for (const replica of [...watched.keys()]) forget(replica);
    },
  };
}

function sameProbes(a: HealthTarget, b: HealthTarget): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.containerId === b.containerId &&
    (a.probes === b.probes || JSON.stringify(a.probes) === JSON.stringify(b.probes))
  );
}
