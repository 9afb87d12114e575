import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Store } from '../../reconciler/model/store.ts';
import { openSource } from '../../reconciler/source/source.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { hostRecord } from '../support/reservations.ts';
import { makeRepository } from '../support/repository.ts';
import { draftOf, numbers } from '../support/store-writer.ts';

const full = (error: unknown): boolean => error instanceof PlumbError && error.code === 'DISK_FULL' && error.retry;

describe('a full disk', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  let mount: string;
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), 'plumb-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', mount]);
  });
  afterEach(() => {
    execFileSync('umount', ['-l', mount]);
    rmSync(mount, { recursive: true, force: true });
  });

  const ballast = (): string => join(mount, 'ballast');
  function fill(): void {
    const { bavail, bsize } = statfsSync(mount);
    writeFileSync(ballast(), Buffer.alloc(bavail * bsize));
  }
  function free(): void {
    rmSync(ballast(), { force: true });
  }

  async function count(store: Store): Promise<readonly [number, number]> {
    const { hosts } = await store.reservations.snapshot();
    return [hosts.size, (await store.journal.verify()).entries];
  }
  const commit = (store: Store, number: number): Promise<unknown> => {
    const record = hostRecord(`h${String(number)}`, { rack: 'r'.repeat(5000) });
    return store.reservations.commit({ id: String(number), now: 0, proposals: [{ op: 'host', record }] });
  };

  it('refuses writes, keeps what was there, and goes on when there is space', async () => {
    const state = join(mount, 'state');
    let store = await openEmbedded(state, { clock: () => 1 });
    await commit(store, 0);
    await store.journal.append([draftOf(1, 0)]);
    fill();
    // the rest of the last block of each file may still take something
    const more = Array.from({ length: 4 }, (_, index) => draftOf(1, index + 1));
    await assert.rejects(store.journal.append([...more, ...more]), full);
    await assert.rejects(commit(store, 1), full);
    await assert.rejects(store.leases.acquire('x', 'y'.repeat(5000), 10), full);
    assert.deepEqual(await count(store), [1, 1]);
    assert.equal(await store.leases.get('x'), undefined);
    await store.close();
    store = await openEmbedded(state, { clock: () => 1 });
    assert.deepEqual(await count(store), [1, 1]);
    free();
    await commit(store, 1);
    await store.journal.append([draftOf(1, 1)]);
    assert.deepEqual(await count(store), [2, 2]);
    await store.close();
  });

  it('never leaves anything half, however often it comes and goes', async () => {
    const state = join(mount, 'state');
    let store = await openEmbedded(state, { clock: () => 1 });
    const pick = numbers(42);
    const kept = { hosts: 0, entries: 0, refused: 0 };
    for (let round = 0; round < 60; round++) {
      if (round % 2 === 0) fill();
      else free();
      await Promise.all(
        Array.from({ length: 1 + pick(6) }, async (_, step) => {
          const number = round * 10 + step;
          const drafts = Array.from({ length: 1 + pick(5) }, (__, index) => draftOf(number, index));
          const write = pick(2) === 0 ? commit(store, number) : store.journal.append(drafts);
          const entries = await write.catch((error: unknown) => {
            assert.ok(full(error) && round % 2 === 0, String(error));
            return undefined;
          });
          if (entries === undefined) kept.refused++;
          else if (Array.isArray(entries)) kept.entries += entries.length;
          else kept.hosts++;
        }),
      );
      assert.deepEqual(await count(store), [kept.hosts, kept.entries]);
      if (pick(5) > 0) continue;
      await store.close();
      store = await openEmbedded(state, { clock: () => 1 });
      assert.deepEqual(await count(store), [kept.hosts, kept.entries]);
    }
    assert.ok(kept.refused > 10, `${String(kept.refused)} writes were refused`);
    await store.close();
  });

  it('says so when a store cannot even be made', async () => {
    mkdirSync(join(mount, 'state'));
    fill();
    await assert.rejects(openEmbedded(join(mount, 'state'), { clock: () => 1 }), full);
    free();
    await (await openEmbedded(join(mount, 'state'), { clock: () => 1 })).close();
  });

  it('keeps the last good revision when the mirror has no space', async () => {
    const repository = makeRepository();
    repository.write('web.yaml', 'a: 1\n');
    const first = repository.commit('first');
    const cacheDir = join(mount, 'git');
    const source = await openSource({ url: repository.directory, cacheDir, env: process.env, clock: () => 1 });
    assert.equal((await source.fetch()).revision, first);
    fill();
    const pick = numbers(7);
    repository.write('web.yaml', Buffer.from(Array.from({ length: 500_000 }, () => pick(256))));
    const second = repository.commit('second');
    const result = await source.fetch();
    assert.deepEqual([result.revision, result.error?.code], [first, 'DISK_FULL']);
    assert.equal((await source.files(first)).length, 1);
    free();
    assert.equal((await source.fetch()).revision, second);
    repository.remove();
  });
});
