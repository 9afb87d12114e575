import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { difference, golden } from '../../support/golden.ts';

describe('golden', () => {
  let folder = '';
  let update: string | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'golden-'));
    update = process.env['UPDATE'];
    delete process.env['UPDATE'];
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    if (update === undefined) delete process.env['UPDATE'];
    else process.env['UPDATE'] = update;
  });

  it('accepts the same text and no other', () => {
    writeFileSync(join(folder, 'a.txt'), 'one\ntwo\n');
    golden('a.txt', 'one\ntwo\n', folder);
    assert.throws(() => {
      golden('a.txt', 'one\nthree\n', folder);
    }, /a\.txt differs; .*npm run update\n {2}one\n- two\n\+ three/);
  });

  it('fails on a missing file and names the command', () => {
    assert.throws(() => {
      golden('missing.txt', 'text\n', folder);
    }, /missing\.txt does not exist; .*npm run update\ntext/);
  });

  it('writes the file when asked to', () => {
    process.env['UPDATE'] = '1';
    golden('deep/new.txt', 'text\n', folder);
    assert.equal(readFileSync(join(folder, 'deep/new.txt'), 'utf8'), 'text\n');
  });

  it('shows changed lines with three lines around them', () => {
    const old = ['1', '2', '3', '4', '5', '6', '7', '8', '9'].join('\n');
    assert.equal(difference(old, old.replace('5', 'five')), '  …\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  …');
    assert.equal(difference('a', 'a\nb'), '  a\n+ b');
  });
});
