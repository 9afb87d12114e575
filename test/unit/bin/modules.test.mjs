import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { installModules, staleModules } from '../../../bin/house/npm.mjs';

describe('npm packages', () => {
  let root = '';
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'npm-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  const wanted = {
    '': { version: '1.0.0' },
    'node_modules/a': { version: '2.0.0' },
    'node_modules/other-platform': { version: '1.0.0', optional: true },
  };
  /** @param {string} path @param {object} packages */
  const lock = (path, packages) => writeFileSync(join(root, path), JSON.stringify({ packages }));
  /** @param {object} packages */
  const installed = (packages) => {
    mkdirSync(join(root, 'node_modules/a'), { recursive: true });
    lock('node_modules/.package-lock.json', packages);
  };

  it('is content with the locked versions; optional packages may be missing', () => {
    lock('package-lock.json', wanted);
    installed({ 'node_modules/a': { version: '2.0.0' } });
    assert.equal(staleModules(root), undefined);
  });

  it('says what is missing or another version', () => {
    lock('package-lock.json', wanted);
    assert.match(staleModules(root) ?? '', /node_modules is missing/);
    mkdirSync(join(root, 'node_modules'));
    assert.match(staleModules(root) ?? '', /interrupted/);
    installed({ 'node_modules/a': { version: '1.9.0' } });
    assert.equal(staleModules(root), 'a 2.0.0 is locked, 1.9.0 is installed');
    installed({ 'node_modules/a': { version: '2.0.0' } });
    rmSync(join(root, 'node_modules/a'), { recursive: true });
    assert.equal(staleModules(root), 'a 2.0.0 is locked, none is installed');
  });

  it('refuses a folder without a lock file', () => {
    assert.throws(() => staleModules(root), /not a checkout/);
  });

  it('leaves a link to another checkout alone', async () => {
    lock('package-lock.json', wanted);
    mkdirSync(join(root, 'other'));
    symlinkSync('other', join(root, 'node_modules'));
    await assert.rejects(
      installModules(() => {}, root),
      /is a link and not complete/,
    );
  });
});
