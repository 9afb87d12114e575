import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { explain, family, isStatic, missing, which } from '../../../bin/house/packages.mjs';

describe('packages', () => {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'packages-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** @param {string} name */
  const program = (name) => {
    writeFileSync(join(folder, name), '#!/bin/sh\n');
    chmodSync(join(folder, name), 0o755);
  };

  it('finds programs on the path, and only programs', () => {
    program('there');
    writeFileSync(join(folder, 'text'), '', { mode: 0o644 });
    assert.equal(which('there', `/nonexistent:${folder}`), join(folder, 'there'));
    assert.equal(which('text', folder), undefined);
    assert.equal(which('absent', folder), undefined);
  });

  it('names what is missing, unfit, and needed here', () => {
    program('there');
    program('unfit');
    const need = (/** @type {string} */ name) => ({ program: name, debian: [name], why: 'is tested' });
    const needs = [
      need('there'),
      need('absent'),
      { ...need('unfit'), fits: () => false },
      { ...need('docker-init'), or: ['there'] },
      { ...need('elsewhere'), when: () => false },
    ];
    assert.deepEqual(
      missing(needs, folder).map((one) => one.program),
      ['absent', 'unfit'],
    );
  });

  it('tells a static program from one that needs a loader, and from a script', () => {
    program('script');
    assert.equal(isStatic(join(folder, 'script')), false);
    const copy = join(folder, 'node');
    copyFileSync(process.execPath, copy);
    assert.equal(isStatic(copy), false);
    const elf = Buffer.alloc(120);
    elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    elf.writeBigUInt64LE(64n, 32);
    elf.writeUInt16LE(56, 54);
    elf.writeUInt16LE(1, 56);
    elf.writeUInt32LE(1, 64);
    writeFileSync(copy, elf);
    assert.equal(isStatic(copy), true);
    elf.writeUInt32LE(3, 64);
    writeFileSync(copy, elf);
    assert.equal(isStatic(copy), false);
  });

  const systems = [
    { text: 'ID=debian\nVERSION_ID="13"\n', is: 'debian' },
    { text: 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', is: 'debian' },
    { text: 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', is: 'debian' },
    { text: 'ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n', is: 'Fedora Linux 42' },
    { text: '', is: process.platform },
  ];
  for (const { text, is } of systems)
    it(`knows ${is} from ${JSON.stringify(text)}`, () => assert.equal(family(text), is));

  it('says each package once, with all its reasons', () => {
    const chosen = [
      { program: 'ip', why: 'sets links', name: 'iproute2' },
      { program: 'tc', why: 'shows limits', name: 'iproute2' },
      { program: 'git', why: 'holds what is wanted', name: 'git' },
    ];
    assert.deepEqual(explain(chosen), [
      '  iproute2  ip sets links; tc shows limits',
      '  git       git holds what is wanted',
    ]);
  });
});
