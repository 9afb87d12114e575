import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Fetched, Repository } from '../../../../reconciler/loop/controller/repository.ts';
import { createTracking } from '../../../../reconciler/loop/controller/tracking.ts';
import { catalogOf } from '../../../support/catalog.ts';

const fetched = (revision: string): Fetched => ({ url: 'u', revision, notes: [] }) as unknown as Fetched;

const SILENT = {
  source: () => Promise.resolve(),
  revision: () => Promise.resolve(),
  tellOnce: () => Promise.resolve(),
};

it('who stands by waits for Git only until it has answered once', async () => {
  const asked: { readonly resolve: (source: Fetched) => void; readonly reject: (why: Error) => void }[] = [];
  const repository: Repository = {
    fetch: () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
    catalog: (revision) => Promise.resolve({ ...catalogOf({}), revision }),
    commit: () => assert.fail('nothing is told'),
  };
  const tracking = createTracking(repository, SILENT);
  const first = tracking.ahead(false);
  asked[0]?.resolve(fetched('r1'));
  assert.equal((await first).revision, 'r1');
  assert.equal((await tracking.ahead(true)).revision, 'r1', 'the remote does not answer');
  assert.equal((await tracking.ahead(true)).revision, 'r1');
  assert.equal(asked.length, 2, 'it is asked once at a time');
  asked[1]?.reject(new Error('a remote that hung'));
  await new Promise(setImmediate);
  assert.equal((await tracking.ahead(true)).revision, 'r1', 'a look that fails is no reason to stop');
  asked[2]?.resolve(fetched('r2'));
  await new Promise(setImmediate);
  assert.equal((await tracking.ahead(false)).revision, 'r2');
});

it('who leads keeps one catalog, from which it goes on where it stands by again', async () => {
  let revision = 'r1';
  let compiled = 0;
  let release = (): void => undefined;
  const slow = new Promise<void>((resolve) => (release = resolve));
  const repository: Repository = {
    fetch: () => Promise.resolve(fetched(revision)),
    catalog: async (of) => {
      compiled += 1;
      if (compiled === 2) await slow; // the look ahead that is under way
      return { ...catalogOf({}), revision: of };
    },
    commit: (id) => Promise.resolve({ id, author: 'a', email: 'a@b', at: 0, subject: 's' }),
  };
  const tracking = createTracking(repository, SILENT);
  await tracking.ahead(true);
  const late = tracking.ahead(true);
  revision = 'r2';
  await tracking.checkout({ look: true, allow: false });
  await late;
  release();
  await new Promise(setImmediate);
  assert.equal((await tracking.ahead(false)).revision, 'r2', 'though a look ahead ended after it');
});
