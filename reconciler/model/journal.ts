import type { Because, Disruption, FieldDiff, Origin, Verb } from './change.ts';
import type { Ref } from './ref.ts';

/** What is written before and after each change, and of what else happens. One line of JSON each. */
export type EntryDraft =
  | {
      readonly type: 'intent';
      /** Joins an intent to its outcome. */
      readonly trace: string;
      readonly revision: string;
      readonly author: string;
      readonly host: string;
      readonly ref: Ref;
      readonly verb: Verb;
      readonly because: Because;
      readonly disruption: Disruption;
      readonly fields: readonly FieldDiff[];
      readonly origin?: Origin;
    }
  | {
      readonly type: 'outcome';
      readonly trace: string;
      readonly host: string;
      readonly ref: Ref;
      /** `interrupted`: the process ended between intent and outcome; written at the next start. */
      readonly result: 'done' | 'conflict' | 'failed' | 'interrupted';
      readonly did?: string;
      readonly code?: string;
      readonly error?: string;
      readonly facts?: Readonly<Record<string, string | number>>;
    }
  | {
      readonly type: 'event';
      readonly host: string;
      readonly level: 'info' | 'warn' | 'error';
      /** CamelCase: RevisionSynced, Converged, Drift, Fight, CrashLoop, SourceStale … */
      readonly reason: string;
      readonly message: string;
      readonly revision?: string;
      readonly author?: string;
      readonly ref?: Ref;
      /** Of a change that was given up: the revision that its App goes back to. */
      readonly back?: string;
    };

/** A draft as kept: numbered, timed and chained. `hash` is SHA-256 over the canonical JSON of all other members. */
export type Entry = EntryDraft & {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly prev: string;
  readonly hash: string;
};

export interface EntryFilter {
  /** Entries with at least this number. */
  readonly from?: number;
  readonly ref?: Ref;
  readonly types?: readonly EntryDraft['type'][];
}

/** What a view is asked for. */
export interface EntryQuery extends Omit<EntryFilter, 'from'> {
  /** Of what there is only the last so many; all if absent. */
  readonly last?: number;
  /** Of a fleet only what this host wrote. */
  readonly host?: string;
}
