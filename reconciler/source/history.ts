import { PlumbError } from '../model/errors.ts';
import type { Git } from './git.ts';
import { READ_DEADLINE } from './mirror.ts';

/** Who made a commit, when, and its first line. */
export interface CommitInfo {
  readonly revision: string;
  readonly author: string;
  readonly email: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly subject: string;
}

/** Reads one commit, names as they were written (a .mailmap in the repository has no say). */
export async function readCommit(git: Git, revision: string): Promise<CommitInfo> {
  const text = await git.text(
    ['log', '-1', '--no-notes', '--encoding=UTF-8', '--format=%H%x00%an%x00%ae%x00%at%x00%s', revision, '--'],
    READ_DEADLINE,
  );
  const [id = '', author = '', email = '', at = '', subject = ''] = text.trimEnd().split('\0');
  return { revision: id, author, email, time: Number(at) * 1000, subject };
}

/** The id of the commit that last changed a line (1-based) of a file (path inside the repository) as of a revision. */
export async function blameLine(git: Git, revision: string, file: string, line: number): Promise<string> {
  const range = `${String(line)},${String(line)}`;
  const text = await git.text(['blame', '--porcelain', '-L', range, revision, '--', file], READ_DEADLINE);
  const id = /^[0-9a-f]{40,64}/.exec(text)?.[0];
  if (id === undefined) throw new PlumbError('REVISION_NOT_FOUND', `No commit is known for ${file}:${String(line)}`);
  return id;
}

/** Paths below a folder ('' is the root) that differ between two commits, relative to that folder. */
export async function changedBetween(git: Git, from: string, to: string, folder: string): Promise<readonly string[]> {
  const text = await git.text(
    ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--no-ext-diff', '--no-textconv', from, to, '--'].concat(
      folder === '' ? [] : [`:(top,literal)${folder}`],
    ),
    READ_DEADLINE,
  );
  const prefix = folder === '' ? 0 : folder.length + 1;
  return text
    .split('\0')
    .filter((path) => path !== '')
    .map((path) => path.slice(prefix));
}
