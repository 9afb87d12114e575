import { PlumbError } from '../../model/errors.ts';
import type { Delta } from '../../model/reservations.ts';
import { fieldsOf } from './context.ts';
import type { Context, StreamReply } from './context.ts';
import { createSharing } from './sharing.ts';

/** A place in the log of commits. The stamp stands for all commits up to it: after a failover the same number may be another place. */
export interface Position {
  readonly cursor: number;
  /** Undefined when only the number is known. */
  readonly stamp: string | undefined;
}

export interface LoggedCommit extends Position {
  readonly deltas: readonly Delta[];
}

/** Commits read at once. */
const CHUNK = 500;

/** The key `cursor`: "NUMBER STAMP", missing before the first commit. */
export function positionOf(text: unknown): Position {
  const [cursor = '0', stamp = ''] = typeof text === 'string' ? text.split(' ') : [];
  return { cursor: Number(cursor), stamp };
}

function lost(cursor: number, head: number): PlumbError {
  return new PlumbError('CONFLICT', `The delta log does not reach back to ${String(cursor)}; take a snapshot`, {
    cursor,
    head,
  });
}

/** The next commits behind a position, none at its end. Throws CONFLICT when they are not kept, or the position lies in another history. */
export async function readCommits({ calls, keys }: Context, at: Position): Promise<readonly LoggedCommit[]> {
  const { cursor, stamp } = at;
  // the head first: what is committed between the two is read, and missing from the head
  const replies = await calls.ask(
    ['get', keys.cursor],
    ['xrange', keys.log, `${String(cursor)}-0`, '+', 'COUNT', CHUNK],
  );
  const head = positionOf(replies[0]);
  const logged = (replies[1] as StreamReply).map(([id, list]) => {
    const { s = '', d = '[]' } = fieldsOf(list);
    return { cursor: Number.parseInt(id), stamp: s, text: d };
  });
  const here = logged[0]?.cursor === cursor ? logged.shift() : undefined;
  const other = here !== undefined && stamp !== undefined && here.stamp !== stamp;
  const gap = head.cursor > cursor && logged[0]?.cursor !== cursor + 1;
  if (head.cursor < cursor || other || gap) throw lost(cursor, head.cursor);
  // what the last one said that is known already is not looked into: each tick reads it again, and it may be large
  const { delta } = createSharing();
  return logged.map(({ text, ...position }) => ({
    ...position,
    deltas: (JSON.parse(text) as readonly Delta[]).map(delta),
  }));
}
