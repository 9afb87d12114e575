import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Git } from '../../../reconciler/source/git.ts';
import { readTree } from '../../../reconciler/source/tree.ts';

const KNOWN = 'a'.repeat(40);

/** A repository of a thousand files in deep folders, of which one is new in each revision. */
function gitAt(revision: number): Git {
  const id = (nth: number): string => (nth === revision ? revision.toString(16).padStart(40, '0') : KNOWN);
  const line = (nth: number): string =>
    `100644 blob ${id(nth)}       3\tapps/${'folder/'.repeat(100)}app-${String(nth)}.yaml\0`;
  const listing = Buffer.from(Array.from({ length: 1000 }, (_, nth) => line(nth)).join(''));
  return {
    text: () => Promise.resolve(listing.toString()),
    objects: () => Promise.resolve(Buffer.from(`${id(revision)} blob 3\na: \n`)),
  };
}

describe('what is kept of a file', () => {
  it('does not keep the listing of the tree that it was read from', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = used();
    const kept: string[] = [];
    for (let revision = 0; revision < 60; revision += 1) {
      const files = await readTree(gitAt(revision), 'tree', new Set([KNOWN]));
      for (const { path, blob, bytes } of files) if (bytes) kept.push(path, blob);
    }
    const more = used() - before;
    assert.equal(kept.length, 120);
    // each listing has 770 kB
    assert.ok(more < 5_000_000, `${String(more)} bytes more are in use`);
  });
});
