import type { Git } from './git.ts';
import { READ_DEADLINE } from './mirror.ts';

/** The commit that a name leads to; undefined when there is none. The name has been checked. */
export async function commitId(git: Git, name: string): Promise<string | undefined> {
  // --batch-check answers "missing" where rev-parse would print usage and fail
  const text = (await git.objects(['--batch-check=%(objectname) %(objecttype)'], `${name}^{commit}\n`, READ_DEADLINE))
    .toString()
    .trimEnd();
  return /^([0-9a-f]{40,64}) commit$/.exec(text)?.[1];
}

/** Whether a commit is in the repository; false when the repository cannot be read. */
export async function has(git: Git, revision: string): Promise<boolean> {
  return commitId(git, revision).then(
    (id) => id !== undefined,
    () => false,
  );
}

/** Whether a commit is there, and the tree of a folder (`''` is the root) in it, if there is one: both by one process. */
export async function treeId(
  git: Git,
  revision: string,
  path: string,
): Promise<{ readonly commit: boolean; readonly tree?: string }> {
  const names = `${revision}^{commit}\n${revision}:${path}\n`;
  const text = await git.objects(['--batch-check=%(objectname) %(objecttype)'], names, READ_DEADLINE);
  const [first = '', second = ''] = text.toString().split('\n');
  const tree = /^([0-9a-f]{40,64}) tree$/.exec(second)?.[1];
  return { commit: first.endsWith(' commit'), ...(tree === undefined ? {} : { tree }) };
}
