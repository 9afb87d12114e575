import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';

/** Commits into a repository without a work tree, many a second. */
export interface Committer {
  /** Commits these files in place of theirs; resolves when the branch shows it. */
  commit(files: ReadonlyMap<string, string>): Promise<void>;
  close(): void;
}

/** One `git fast-import` for all commits: a process for each would cost more than what is measured. */
export function committerOf(repo: string, branch: string): Committer {
  // what is imported last must be read at once, and is little: loose objects, as a push of them would leave
  execFileSync('git', ['-C', repo, 'config', 'fastimport.unpackLimit', '1000']);
  const argv = ['-C', repo, 'fast-import', '--quiet', '--date-format=now'];
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn('git', argv, {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting: (() => void)[] = [];
  createInterface({ input: child.stdout }).on('line', () => waiting.shift()?.());
  let from = `from refs/heads/${branch}^0\n`;
  const data = (text: string): string => `data ${String(Buffer.byteLength(text))}\n${text}\n`;
  return {
    commit: (files) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        const changes = [...files].map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`).join('');
        const who = 'committer Bench <bench@localhost> now\n';
        child.stdin.write(
          `commit refs/heads/${branch}\n${who}${data('Change')}${from}${changes}\ncheckpoint\n\nprogress done\n\n`,
        );
        from = '';
      }),
    close: () => {
      child.stdin.end();
    },
  };
}
