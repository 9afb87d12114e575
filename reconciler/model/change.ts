import type { Ref } from './ref.ts';

/** Where a value was written: the commit's file and the 1-based line and column in it. */
export interface Origin {
  readonly revision: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wanted of one thing, and which document (and line, for each field) says so. */
export interface Desired<Spec = unknown> {
  readonly ref: Ref;
  readonly spec: Spec;
  /** Refs that must be converged before this one. */
  readonly dependsOn: readonly Ref[];
  /** Those of `dependsOn` that a new one may be made beside: it must only not start before them (`Context.ready`). */
  readonly startsAfter?: readonly Ref[];
  readonly origin: Origin;
  /** Field path of `spec` (`/memory`) → the line that sets it, where one does. */
  readonly fields?: Readonly<Record<string, Origin>>;
}

/** What was really seen. */
export interface Known<State = unknown> {
  readonly known: true;
  readonly ref: Ref;
  readonly state: State;
  /** Carries our mark; only then may it be changed or deleted. */
  readonly owned: boolean;
  /** Guard of a later compare-and-set, e.g. a container id. */
  readonly version?: string;
  /** What this machine cannot hold; diff leaves these fields alone, status shows them. */
  readonly limitations?: readonly Limitation[];
  /** Who else sets it, now or one day. */
  readonly claims?: readonly Claim[];
}

/** A thing that could not be seen now. It is never taken for absent. */
export interface Unknown {
  readonly known: false;
  readonly ref: Ref;
  readonly why: string;
}

export type Observed<State = unknown> = Known<State> | Unknown;

export type Verb = 'create' | 'update' | 'replace' | 'delete' | 'adopt';
/** What the change does to a running replica. */
export type Disruption = 'none' | 'restart' | 'recreate' | 'move';
/** Why the change is there. */
export type Because = 'new' | 'spec changed' | 'drift' | 'exited' | 'unhealthy' | 'removed' | 'recovery' | 'pressure';

/** One field that differs; `path` is a JSON pointer into the spec. */
export interface FieldDiff {
  readonly path: string;
  readonly have: unknown;
  readonly want: unknown;
}

/** One step towards what is wanted: plain data, printable and storable. */
export interface Change<Spec = unknown> {
  readonly ref: Ref;
  /** Name of the provider that applies it. */
  readonly provider: string;
  readonly verb: Verb;
  /** Absent when deleting. */
  readonly want?: Spec;
  /** The observed state; absent when creating. */
  readonly have?: unknown;
  readonly fields: readonly FieldDiff[];
  readonly disruption: Disruption;
  readonly because: Because;
  /** `version` of what was observed: apply throws CONFLICT when it no longer holds. */
  readonly guard?: string;
}

/** A change that is not made now, with the reason in words. */
export interface HeldChange {
  readonly change: Change;
  readonly reason: string;
}

export interface Summary {
  readonly add: number;
  readonly change: number;
  readonly move: number;
  readonly replace: number;
  readonly destroy: number;
}

/** What will be done, in order: each wave's changes are independent of each other. */
export interface Plan {
  readonly revision: string;
  readonly waves: readonly (readonly Change[])[];
  readonly held: readonly HeldChange[];
  readonly summary: Summary;
}

/** What a provider says after it applied a change: words for the journal, and what it now sees, for later waves. */
export interface Evidence {
  readonly did: string;
  readonly observed?: Observed;
  /** Small facts worth keeping in the journal: image digest, container id. */
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** How a change ended; each ends in exactly one way. */
export type Outcome =
  | { readonly change: Change; readonly result: 'done'; readonly evidence: Evidence }
  | { readonly change: Change; readonly result: 'conflict'; readonly error: string }
  | {
      readonly change: Change;
      readonly result: 'failed';
      readonly code: string;
      readonly error: string;
      readonly retry: boolean;
    }
  | { readonly change: Change; readonly result: 'held'; readonly error: string }
  | { readonly change: Change; readonly result: 'skipped'; readonly error: string };

/** A field that the kernel or a daemon cannot or will not hold as wanted. It is shown in status, not retried in haste. */
export interface Limitation {
  readonly ref: Ref;
  readonly path: string;
  readonly state: Exclude<KnobState, 'InSync'>;
  readonly why: string;
  /** The kernel's name of why it was refused, as EBUSY. */
  readonly errno?: string;
  /** The value that was refused: what is said of it says nothing of another. */
  readonly want?: unknown;
  /** What a person does about it: a command, or where it is set. */
  readonly fix?: string;
}

/** Somebody beside Plumbline who sets a value: another program, or a file that is read when the machine boots. */
export interface Claim {
  readonly ref: Ref;
  /** Who, and where that is said: `/etc/sysctl.d/99-local.conf:3`. */
  readonly by: string;
  /** As `at the next boot`, `while it runs`. */
  readonly when: string;
  /** What it is set to; absent where that is not known. */
  readonly value?: string;
  /** What leaves it to Git. */
  readonly fix: string;
}

/** How the kernel or a daemon stands to one value that is asked of it. */
export type KnobState = 'InSync' | 'Drifted' | 'Unsupported' | 'Refused' | 'NeedsRestart';
