import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
  const lockFile = () => writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  /** @param {string} version */
  const installed = (version) => {
    mkdirSync(join(root, 'node_modules/a'), { recursive: true });
    writeFileSync(join(root, 'node_modules/a/package.json'), JSON.stringify({ version }));
    writeFileSync(join(root, 'node_modules/.package-lock.json'), '{}');
  };

  it('is content with the locked versions; optional packages may be missing', () => {
    lockFile();
    installed('2.0.0');
    assert.equal(staleModules(root), undefined);
  });

  it('says what is missing or another version', () => {
    lockFile();
    assert.match(staleModules(root) ?? '', /node_modules is missing/);
    mkdirSync(join(root, 'node_modules'));
    assert.match(staleModules(root) ?? '', /interrupted/);
    installed('1.9.0');
    assert.equal(staleModules(root), 'a 2.0.0 is locked, 1.9.0 is installed');
    installed('2.0.0');
    rmSync(join(root, 'node_modules/a'), { recursive: true });
    assert.equal(staleModules(root), 'a 2.0.0 is locked, none is installed');
  });

  it('refuses a folder without a lock file', () => {
    assert.throws(() => staleModules(root), /not a checkout/);
  });

  it('leaves a link to another checkout alone', async () => {
    lockFile();
    mkdirSync(join(root, 'other'));
    symlinkSync('other', join(root, 'node_modules'));
    const link = lstatSync(join(root, 'node_modules')).ino;
    const said = /** @type {string[]} */ ([]);
    await installModules('a is missing', (line) => void said.push(line), root);
    assert.match(said.join(), /a link and not as package-lock\.json says \(a is missing\)/);
    assert.equal(lstatSync(join(root, 'node_modules')).ino, link);
  });
});
