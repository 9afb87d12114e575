import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { replaceFile, replaceFileSync, sweepDrafts, type Replacing } from '../../../disk/replace.ts';
import { errnoOf, isDiskFull } from '../../../reconciler/model/errors.ts';

type Replace = (path: string, text: string, options?: Replacing) => Promise<void>;

const ways: readonly (readonly [string, Replace])[] = [
  ['replaceFile', replaceFile],
  ['replaceFileSync', async (...asked) => replaceFileSync(...asked)],
];

for (const [name, replace] of ways)
  describe(name, () => {
    const root = mkdtempSync(join(tmpdir(), 'plumb-replace-'));
    after(() => rmSync(root, { recursive: true }));

    it('makes the directory and the file, for its owner only', async () => {
      const path = join(root, 'made', 'one.json');
      await replace(path, 'one');
      assert.equal(readFileSync(path, 'utf8'), 'one');
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(statSync(join(root, 'made')).mode & 0o777, 0o700);
    });

    it('replaces the file by another one, and gives it the mode that is asked for', async () => {
      const path = join(root, 'two');
      await replace(path, 'old');
      const { ino } = statSync(path);
      await replace(path, 'new', { durable: false, mode: 0o640 });
      assert.equal(readFileSync(path, 'utf8'), 'new');
      assert.notEqual(statSync(path).ino, ino, 'who has the old one open goes on reading it');
      assert.equal(statSync(path).mode & 0o777, 0o640);
    });

    it('leaves the old file and no draft when it cannot', async () => {
      const folder = join(root, 'three');
      mkdirSync(join(folder, 'file', 'below'), { recursive: true });
      await assert.rejects(replace(join(folder, 'file'), 'x'), (error) =>
        /^(EISDIR|ENOTEMPTY|EEXIST)$/.test(errnoOf(error)),
      );
      assert.deepEqual(readdirSync(folder), ['file']);
    });

    it('lets many replace one file at once: one of them wins, whole', async () => {
      const path = join(root, 'four', 'file');
      const texts = Array.from({ length: 20 }, (_, at) => String(at).repeat(50_000));
      await Promise.all(texts.map((text) => replace(path, text)));
      assert.ok(texts.includes(readFileSync(path, 'utf8')));
      assert.deepEqual(readdirSync(join(root, 'four')), ['file']);
    });
  });

describe('a failed system call', () => {
  it('is known by its errno', () => {
    const full = (code: string): boolean => isDiskFull(Object.assign(new Error('no'), { code }));
    assert.deepEqual(['ENOSPC', 'EDQUOT', 'EACCES'].map(full), [true, true, false]);
    assert.equal(isDiskFull('ENOSPC'), false);
    assert.throws(
      () => chmodSync('/nowhere/at/all', 0),
      (error) => errnoOf(error) === 'ENOENT',
    );
    assert.equal(errnoOf(new Error('no')), 'EIO');
  });
});

describe('drafts that a killed process left', () => {
  const root = mkdtempSync(join(tmpdir(), 'plumb-drafts-'));
  after(() => rmSync(root, { recursive: true }));
  const lay = (name: string, minutes: number): void => {
    const then = Date.now() / 1000 - minutes * 60;
    if (name.endsWith('/')) mkdirSync(join(root, name));
    else writeFileSync(join(root, name), '');
    utimesSync(join(root, name), then, then);
  };
  it('go once nobody can be writing them any more; all else stays', async () => {
    for (const name of ['a.json.0011223344ff.new', 'b.json']) lay(name, 61);
    lay('c.json.0011223344ff.new', 50);
    lay('new-abc/', 61);
    await sweepDrafts(root);
    assert.deepEqual(readdirSync(root).sort(), ['b.json', 'c.json.0011223344ff.new', 'new-abc']);
    await sweepDrafts(root, (name) => name.startsWith('new-'));
    assert.deepEqual(readdirSync(root).sort(), ['b.json', 'c.json.0011223344ff.new']);
    await sweepDrafts(join(root, 'nowhere'));
  });
});
