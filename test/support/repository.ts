import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A real Git repository with a work tree in a directory of its own. */
export interface Repository {
  readonly directory: string;
  git(...args: readonly string[]): string;
  /** Runs git with that standard input. */
  feed(input: string | Buffer, ...args: readonly string[]): string;
  write(path: string, content: string | Uint8Array): void;
  /** Commits all there is and gives the id. */
  commit(subject: string, author?: string): string;
  remove(): void;
}

const ENV = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_COMMITTER_NAME: 'Tester',
  GIT_COMMITTER_EMAIL: 'tester@example.org',
};

/** Makes a repository on branch main without commits. */
export function makeRepository(): Repository {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-repo-'));
  const feed: Repository['feed'] = (input, ...args) =>
    execFileSync('git', args, {
      cwd: directory,
      env: ENV,
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    }).trim();
  const git: Repository['git'] = (...args) => feed('', ...args);
  git('init', '-q', '-b', 'main');
  return {
    directory,
    git,
    feed,
    write: (path, content) => {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    },
    commit: (subject, author = 'Ann Example <ann@example.org>') => {
      git('add', '-A');
      git('commit', '-q', '--allow-empty', `--author=${author}`, '-m', subject);
      return git('rev-parse', 'HEAD');
    },
    remove: () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
