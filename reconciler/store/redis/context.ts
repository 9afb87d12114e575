import type { Calls } from './calls.ts';
import type { Ears } from './ears.ts';
import type { Keys } from './keys.ts';
import type { Scripts } from './scripts.ts';

/** How much is kept for those who come late. */
export interface Keep {
  /** Replies for repeated requests, the last ones, and for how long (milliseconds). */
  readonly replies: number;
  readonly replyAge: number;
  /** Commits for followers. */
  readonly commits: number;
  /** Hints of changed Assignments and Reports. */
  readonly mails: number;
  /** Entries of one writer's journal. */
  readonly entries: number;
}

/** What every port of a store on Redis works with. */
export interface Context {
  readonly calls: Calls;
  readonly ears: Ears;
  readonly keys: Keys;
  readonly scripts: Scripts;
  readonly keep: Keep;
  readonly incarnation: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** The server, for messages. */
  readonly shown: string;
}

/** The fields of a stream's entry, or of a hash that came as a list. */
export function fieldsOf(list: readonly string[]): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (let at = 0; at + 1 < list.length; at += 2) fields[list[at] ?? ''] = list[at + 1] ?? '';
  return fields;
}

/** Entries of a stream as a reply has them: ids and fields. */
export type StreamReply = readonly (readonly [id: string, fields: readonly string[]])[];
