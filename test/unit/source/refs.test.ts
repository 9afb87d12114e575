import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WantedRef } from '../../../reconciler/source/address.ts';
import { watchRefs } from '../../../reconciler/source/refs.ts';
import { makeRepository, type Repository } from '../../support/repository.ts';

describe('the refs of a repository on this machine', () => {
  let repository: Repository;
  let aside: string;
  let stop: AbortController;
  beforeEach(() => {
    repository = makeRepository();
    repository.commit('first');
    aside = mkdtempSync(join(tmpdir(), 'plumb-refs-'));
    stop = new AbortController();
  });
  afterEach(() => {
    stop.abort();
    repository.remove();
    rmSync(aside, { recursive: true, force: true });
  });

  /** Watches a repository; gives who waits for the next hint and how many there were. */
  function watched(
    wanted?: WantedRef,
    path = repository.directory,
  ): { readonly after: (act: () => unknown) => Promise<void>; readonly hints: () => number } {
    let hints = 0;
    watchRefs(path, wanted, () => (hints += 1), stop.signal);
    return {
      hints: () => hints,
      after: async (act) => {
        const before = hints;
        act();
        for (const end = Date.now() + 20_000; hints === before; await sleep(5))
          assert.ok(Date.now() < end, `nothing is heard after ${act.toString()}`);
      },
    };
  }

  it('tells of a commit, of each other', async () => {
    const { after } = watched();
    await after(() => repository.commit('second'));
    await after(() => repository.commit('third'));
  });

  it('tells of another branch that HEAD leads to', async () => {
    repository.git('branch', 'other');
    const { after } = watched();
    await after(() => repository.git('symbolic-ref', 'HEAD', 'refs/heads/other'));
  });

  it('tells of a branch in folders that come and go, and when refs are packed', async () => {
    const { after } = watched({ branch: 'team/shop/next' });
    await after(() => repository.git('branch', 'team/shop/next'));
    await sleep(100); // the folders are told of one by one
    await after(() => repository.git('branch', '-f', 'team/shop/next', repository.commit('second')));
    await after(() => repository.git('pack-refs', '--all', '--prune'));
    await sleep(100);
    await after(() => repository.git('branch', '-f', 'team/shop/next', repository.commit('third')));
    await after(() => repository.git('branch', '-D', 'team/shop/next'));
  });

  it('tells of a tag', async () => {
    const { after } = watched({ tag: 'v1' });
    await after(() => repository.git('tag', 'v1'));
  });

  it('tells of a push to a bare repository', async () => {
    const bare = join(aside, 'fleet.git');
    repository.git('clone', '-q', '--bare', '.', bare);
    const { after } = watched({ branch: 'main' }, bare);
    repository.commit('second');
    await after(() => repository.git('push', '-q', bare, 'main'));
  });

  it('tells of a commit in a linked work tree', async () => {
    const linked = join(aside, 'linked');
    repository.git('worktree', 'add', '-q', linked, '-b', 'linked');
    const { after } = watched(undefined, linked);
    await after(() =>
      repository.git('-C', linked, 'commit', '-q', '--allow-empty', '--author=A <a@b>', '-m', 'second'),
    );
    await after(() => repository.git('-C', linked, 'checkout', '-q', '--detach'));
  });

  it('is silent about other branches, about what is not committed, and where a commit is wanted', async () => {
    const seen = [
      watched({ branch: 'main' }),
      watched({ tag: 'main' }),
      watched({ commit: repository.git('rev-parse', 'HEAD') }),
    ];
    repository.write('web.yaml', 'a: 1\n');
    repository.git('add', '-A');
    repository.git('branch', 'maintenance');
    repository.git('tag', 'v2');
    await sleep(300);
    assert.deepEqual(
      seen.map(({ hints }) => hints()),
      [0, 0, 0],
    );
  });

  it('is silent once it was stopped, and where there is no repository', async () => {
    const { hints } = watched();
    watched(undefined, join(aside, 'nothing'));
    renameSync(repository.directory, join(aside, 'moved'));
    renameSync(join(aside, 'moved'), repository.directory);
    stop.abort();
    const before = hints();
    repository.commit('second');
    await sleep(200);
    assert.equal(hints(), before);
  });
});
