import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { makeDirectory, makeDirectorySync } from '../../../disk/directory.ts';

type Make = (path: string, mode?: number) => Promise<void>;

const ways: readonly (readonly [string, Make])[] = [
  ['makeDirectory', makeDirectory],
  ['makeDirectorySync', async (...asked) => makeDirectorySync(...asked)],
];

for (const [name, make] of ways)
  describe(name, () => {
    const root = mkdtempSync(join(tmpdir(), 'plumb-directory-'));
    after(() => rmSync(root, { recursive: true }));

    it('makes what is missing above as well, each with the mode', async () => {
      await make(join(root, 'a', 'b', 'c'), 0o700);
      for (const path of ['a', 'a/b', 'a/b/c']) assert.equal(statSync(join(root, path)).mode & 0o777, 0o700);
    });

    it('leaves what is there, also behind a link', async () => {
      await make(join(root, 'there'), 0o700);
      await make(join(root, 'there'), 0o755);
      assert.equal(statSync(join(root, 'there')).mode & 0o777, 0o700);
      symlinkSync('there', join(root, 'link'));
      await make(join(root, 'link'));
      await make(join(root, 'link', 'below'));
      assert.ok(existsSync(join(root, 'there', 'below')));
      await make('/');
    });

    it('makes one directory for many who ask at once', async () => {
      const paths = Array.from({ length: 20 }, (_, n) => join(root, 'many', 'deep', String(n % 4)));
      await Promise.all(paths.map((path) => make(path)));
      for (const path of paths) assert.ok(existsSync(path));
    });

    it('says what is in the way', async () => {
      writeFileSync(join(root, 'file'), '');
      symlinkSync('nowhere', join(root, 'dangling'));
      await assert.rejects(make(join(root, 'file')), { code: 'EEXIST' });
      await assert.rejects(make(join(root, 'file', 'below', 'it')), { code: 'ENOTDIR' });
      await assert.rejects(make(join(root, 'dangling', 'below')), { code: 'EEXIST' });
    });

    it('ends where a directory takes none', { skip: process.platform !== 'linux' && 'needs /proc' }, async () => {
      for (const path of ['/proc/plumb', '/proc/plumb/below/it', '/proc/self/fd/plumb/below'])
        await assert.rejects(make(path), { code: 'ENOENT' });
    });
  });
