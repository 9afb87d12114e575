import { posix } from 'node:path';
import type { Origin } from '../reconciler/model/change.ts';
import { asPlumbError } from '../reconciler/model/errors.ts';
import type { CommitInfo } from '../reconciler/source/history.ts';
import type { Source } from '../reconciler/source/source.ts';
import type { Known } from '../reconciler/loop/status/view.ts';
import type { Io } from './io.ts';
import { followedIn, openFollowed, rememberedSource } from './repository.ts';

/** Which commit wrote a line, with its file as the whole repository has it. Without the repository the line is all there is, with the reason in `unread`. */
export type Blame = (origin: Origin) => Promise<Blamed>;

export interface Blamed extends Pick<Origin, 'file' | 'line' | 'column'> {
  readonly commit?: string;
  readonly author?: string;
  /** ISO 8601, UTC. */
  readonly date?: string;
  readonly subject?: string;
  readonly unread?: string;
}

/**
 * Looks lines up in the mirror of the repository that what is known comes from, or that this state directory remembers. What the
 * mirror does not have yet is fetched, once; each line is looked up once.
 */
export function createBlame(known: Known, state: string, io: Io): Blame {
  const followed = known.source ? followedIn(known.source) : rememberedSource(state);
  const asked = new Map<string, Promise<Blamed>>();
  let opening: Promise<Source> | undefined;
  let fetching: Promise<unknown> | undefined;

  async function commitOf(source: Source, { revision, file, line }: Origin): Promise<CommitInfo> {
    try {
      return await source.blame(revision, file, line);
    } catch {
      // there is no mirror yet, or it is older
      const { error: silent } = (await (fetching ??= source.fetch())) as { readonly error?: Error };
      if (silent) throw silent;
      return source.blame(revision, file, line);
    }
  }

  async function look(origin: Origin): Promise<Blamed> {
    const { file, line, column } = origin;
    const place = { file: posix.join(followed?.path ?? '', file), line, column };
    if (!followed) return { ...place, unread: 'no controller has said which repository it follows' };
    try {
      const source = await (opening ??= openFollowed(followed, state, io));
      const { revision, author, email, time, subject } = await commitOf(source, origin);
      const date = new Date(time).toISOString();
      return { ...place, commit: revision, author: `${author} <${email}>`, date, subject };
    } catch (error) {
      return { ...place, unread: `${followed.repo}: ${asPlumbError(error).message}` };
    }
  }

  return (origin) => {
    const key = `${origin.revision} ${origin.file}:${String(origin.line)}:${String(origin.column)}`;
    const found = asked.get(key) ?? look(origin);
    asked.set(key, found);
    return found;
  };
}
