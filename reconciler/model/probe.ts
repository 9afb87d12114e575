import type { ProbeSpec } from './catalog.ts';

/** Where a probe goes: into the network namespace of a sandbox's process, or into a container. */
export interface ProbedContainer {
  /** Process of the sandbox, as this agent sees pids. */
  readonly pid: number;
  readonly containerId: string;
  /** The replica's address in that namespace. */
  readonly address: string;
}

/** One answer; `message` has the HTTP status, the errno or the command's last words. */
export interface ProbeResult {
  readonly ok: boolean;
  readonly message: string;
}

/** Asks a replica how it is. Never throws for an answer that does not come: that is a failed probe. */
export interface Prober {
  /** `timeoutMs` bounds the whole probe. Throws CANCELLED when the signal aborts. */
  probe(
    target: ProbedContainer,
    check: ProbeSpec['check'],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ProbeResult>;
  close(): void;
}
