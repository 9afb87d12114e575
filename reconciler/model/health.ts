import type { Probes, ProbeSpec } from './catalog.ts';
import type { ProbeTarget } from './resources.ts';

export type ProbeKind = ProbeTarget['kind'];

/** What the probes of one running container add up to. */
export interface HealthState {
  /** The startup probe has passed, or there is none. */
  readonly started: boolean;
  /** Fit to serve: started and the readiness probe passes, or there is none. */
  readonly ready: boolean;
  /** The liveness or startup probe failed for good: it is to be restarted. */
  readonly unhealthy: boolean;
  /** The last failure in words; empty while all is well. */
  readonly message: string;
  /** When `ready` or `unhealthy` last changed; milliseconds since 1970. */
  readonly since: number;
  /** Equal answers in a row, by probe; negative for failures. */
  readonly streaks: Readonly<Partial<Record<ProbeKind, number>>>;
}

/** A container began to run, or one of its probes was answered. */
export type HealthEvent =
  | { readonly type: 'running' }
  | { readonly type: 'probe'; readonly kind: ProbeKind; readonly ok: boolean; readonly message: string };

const KINDS: readonly ProbeKind[] = ['startup', 'readiness', 'liveness'];

/** The probes that count now: the startup probe alone until it has passed, then the others. */
export function dueProbes(state: HealthState, probes: Probes): readonly { kind: ProbeKind; probe: ProbeSpec }[] {
  return KINDS.flatMap((kind) => {
    const probe = probes[kind];
    return probe !== undefined && (kind === 'startup') === !state.started ? [{ kind, probe }] : [];
  });
}

/** Health after an event. Without probes a container is ready as soon as it runs. Answers of probes that do not count now change nothing. */
export function stepHealth(
  state: HealthState | undefined,
  event: HealthEvent,
  probes: Probes,
  now: number,
): HealthState {
  if (event.type === 'running' || !state) return begin(probes, now);
  const due = dueProbes(state, probes).find(({ kind }) => kind === event.kind);
  if (!due) return state;
  const before = state.streaks[event.kind] ?? 0;
  const streak = event.ok ? Math.max(before, 0) + 1 : Math.min(before, 0) - 1;
  const streaks = { ...state.streaks, [event.kind]: streak };
  const passed = streak >= due.probe.successes;
  const failed = -streak >= due.probe.failures;
  const next = { ...state, streaks, ...verdict(state, event.kind, passed, failed, probes) };
  const well = KINDS.every((kind) => (next.streaks[kind] ?? 0) >= 0);
  const changed = next.ready !== state.ready || next.unhealthy !== state.unhealthy;
  return {
    ...next,
    message: event.ok ? (well ? '' : state.message) : `${event.kind} probe: ${event.message}`,
    since: changed ? now : state.since,
  };
}

function begin(probes: Probes, now: number): HealthState {
  const started = probes.startup === undefined;
  const ready = started && probes.readiness === undefined;
  return { started, ready, unhealthy: false, message: '', since: now, streaks: {} };
}

function verdict(
  state: HealthState,
  kind: ProbeKind,
  passed: boolean,
  failed: boolean,
  probes: Probes,
): Partial<HealthState> {
  switch (kind) {
    case 'startup':
      if (passed) return { started: true, ready: probes.readiness === undefined, unhealthy: false };
      return failed ? { unhealthy: true } : {};
    case 'readiness':
      return passed ? { ready: true } : failed ? { ready: false } : {};
    case 'liveness':
      return passed ? { unhealthy: false } : failed ? { unhealthy: true } : {};
    default:
      return state;
  }
}
