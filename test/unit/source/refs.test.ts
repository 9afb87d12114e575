import assert from 'node:assert/strict';
import fs, { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
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
    mock.restoreAll();
    syncBuiltinESMExports();
    repository.remove();
    rmSync(aside, { recursive: true, force: true });
  });

  /** Watches a repository; gives who waits for the next hint and how many there were since it is watched. */
  async function watched(
    wanted?: WantedRef,
    path = repository.directory,
  ): Promise<{ readonly after: (act: () => unknown) => Promise<void>; readonly hints: () => number }> {
    let hints = 0;
    await watchRefs(path, wanted, () => (hints += 1), stop.signal);
    hints = 0;
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
    const { after } = await watched();
    await after(() => repository.commit('second'));
    await after(() => repository.commit('third'));
  });

  it('tells of another branch that HEAD leads to, and of commits there', async () => {
    repository.git('branch', 'team/other');
    const { after } = await watched();
    await after(() => repository.git('symbolic-ref', 'HEAD', 'refs/heads/team/other'));
    await sleep(100);
    await after(() => repository.commit('second'));
  });

  it('tells of a branch in folders that come and go, and when refs are packed', async () => {
    const { after } = await watched({ branch: 'team/shop/next' });
    await after(() => repository.git('branch', 'team/shop/next'));
    await sleep(100); // the folders are told of one by one
    await after(() => repository.git('branch', '-f', 'team/shop/next', repository.commit('second')));
    await after(() => repository.git('pack-refs', '--all', '--prune'));
    await sleep(100);
    await after(() => repository.git('branch', '-f', 'team/shop/next', repository.commit('third')));
    await after(() => repository.git('branch', '-D', 'team/shop/next'));
  });

  it('tells once that it watches: what has moved until then was not heard of', async () => {
    let hints = 0;
    const begun = watchRefs(repository.directory, undefined, () => (hints += 1), stop.signal);
    repository.commit('second');
    await begun;
    assert.equal(hints, 1);
  });

  it('looks as often for thousands of refs as for a few, and watches no more', async () => {
    const head = repository.git('rev-parse', 'HEAD');
    const create = (length: number, name: (at: number) => string): void => {
      const lines = Array.from({ length }, (_, at) => `create refs/${name(at)} ${head}\n`);
      repository.feed(lines.join(''), '-c', 'core.fsync=none', 'update-ref', '--stdin');
    };
    create(2_000, (at) => `changes/${String(at)}/head`);
    // whoever looks asks one of these
    const asked = [
      ...(['statSync', 'readdirSync', 'readFileSync'] as const).map((name) => mock.method(fs, name)),
      ...(['stat', 'readdir', 'readFile'] as const).map((name) => mock.method(fs.promises, name)),
    ];
    const begun = mock.method(fs, 'watch');
    syncBuiltinESMExports();
    const branch = await watched({ branch: 'main' });
    const tag = await watched({ tag: 'v1' });
    await watched({ commit: head });
    create(1_000, (at) => `heads/topic-${String(at)}`);
    await tag.after(() => repository.git('-c', 'core.fsync=none', 'pack-refs', '--all', '--prune'));
    await tag.after(() => repository.git('tag', 'v1'));
    await branch.after(() => repository.commit('second'));
    assert.equal(begun.mock.callCount(), 6, 'a repository, its refs and their kind, of each of both');
    const times = asked.reduce((sum, { mock: { calls } }) => sum + calls.length, 0);
    assert.ok(times < 200, `${String(times)} files and folders are looked at`);
  });

  it('has one look wait for a file system that does not answer', async () => {
    const { after, hints } = await watched();
    let answer = (): void => undefined;
    const silence = new Promise<void>((resolve) => (answer = resolve));
    const { readFile } = fs.promises;
    const { mock: reads } = mock.method(fs.promises, 'readFile', async (...args: Parameters<typeof readFile>) => {
      await silence;
      return readFile(...args);
    });
    syncBuiltinESMExports();
    for (let at = 0; at < 5; at += 1) {
      repository.commit('more');
      await sleep(20);
    }
    assert.deepEqual([reads.callCount(), hints()], [1, 0]);
    await after(answer);
  });

  it('tells of a tag', async () => {
    const { after } = await watched({ tag: 'v1' });
    await after(() => repository.git('tag', 'v1'));
  });

  it('tells of a push to a bare repository', async () => {
    const bare = join(aside, 'fleet.git');
    repository.git('clone', '-q', '--bare', '.', bare);
    const { after } = await watched({ branch: 'main' }, bare);
    repository.commit('second');
    await after(() => repository.git('push', '-q', bare, 'main'));
  });

  it('tells of a commit in a linked work tree', async () => {
    const linked = join(aside, 'linked');
    repository.git('worktree', 'add', '-q', linked, '-b', 'linked');
    const { after } = await watched(undefined, linked);
    await after(() =>
      repository.git('-C', linked, 'commit', '-q', '--allow-empty', '--author=A <a@b>', '-m', 'second'),
    );
    await after(() => repository.git('-C', linked, 'checkout', '-q', '--detach'));
  });

  it('is silent about other branches, about what is not committed, and where a commit is wanted', async () => {
    const seen = [
      await watched({ branch: 'main' }),
      await watched({ tag: 'main' }),
      await watched({ commit: repository.git('rev-parse', 'HEAD') }),
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
    const { hints } = await watched();
    await watched(undefined, join(aside, 'nothing'));
    renameSync(repository.directory, join(aside, 'moved'));
    renameSync(join(aside, 'moved'), repository.directory);
    stop.abort();
    const before = hints();
    repository.commit('second');
    await sleep(200);
    assert.equal(hints(), before);
  });
});
