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

/** The tree of a folder (`''` is the root) at a revision; undefined when there is none. */
export async function treeId(git: Git, revision: string, path: string): Promise<string | undefined> {
  const name = `${revision}:${path}`;
  const text = await git.objects(['--batch-check=%(objectname) %(objecttype)'], `${name}\n`, READ_DEADLINE);
  return /^([0-9a-f]{40,64}) tree$/.exec(text.toString().trimEnd())?.[1];
}
