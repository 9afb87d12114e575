import type { Origin } from '../../model/change.ts';
import type { AssignedReplica, Assignment } from '../../model/replica.ts';

type Fields = AssignedReplica['fields'];

/** Where a field stands, by its JSON pointer. */
type Line = readonly [pointer: string, at: readonly [line: number, column: number]];

/**
 * How an Assignment is written: nearly all lines of a manifest are of one file at one revision, which is said once for all of them and not with each. `fields` stays, empty, for
 * agents of the version before, and is all that a controller of it wrote.
 */
interface Folded {
  readonly fields: Fields;
  readonly lines?: readonly {
    readonly revision: string;
    readonly file: string;
    /** Line and column, by JSON pointer. */
    readonly at: Readonly<Record<string, Line[1]>>;
  }[];
}

/** The same lines, those of one file together. */
export function fold(fields: Fields): Folded {
  const files = new Map<string, { revision: string; file: string; at: Line[] }>();
  for (const [pointer, { revision, file, line, column }] of Object.entries(fields)) {
    const key = JSON.stringify([revision, file]);
    const known = files.get(key) ?? { revision, file, at: [] };
    known.at.push([pointer, [line, column]]);
    files.set(key, known);
  }
  if (files.size === 0) return { fields: {} };
  return { fields: {}, lines: [...files.values()].map((one) => ({ ...one, at: Object.fromEntries(one.at) })) };
}

/** An Assignment that was read, as it was before it was written. */
export function unfold(written: Assignment): Assignment {
  const replicas = written.replicas.map((replica) => {
    const { holds } = replica;
    return unfolded(holds ? { ...replica, holds: unfolded(holds) } : replica);
  });
  return { ...written, replicas, networks: written.networks.map(unfolded) };
}

function unfolded<T extends { readonly fields: Fields }>(written: T & Partial<Folded>): T {
  if (!written.lines) return written;
  const { lines, ...rest } = written;
  const all = lines.flatMap(({ revision, file, at }) =>
    Object.entries(at).map(([pointer, [line, column]]): [string, Origin] => [
      pointer,
      { revision, file, line, column },
    ]),
  );
  return { ...(rest as T & object), fields: Object.fromEntries(all) };
}
