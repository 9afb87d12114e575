import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isStatic, tar, testImage } from '../../../lab/image.ts';

function unpack(archive: Uint8Array, look: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-image-'));
  try {
    execFileSync('tar', ['-x', '-C', dir], { input: archive });
    look(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('tar', () => {
  it('is read back by tar: modes, links, directories, contents of every size', () => {
    const contents = [0, 1, 511, 512, 513, 2000].map((size) => Buffer.alloc(size, 'x'));
    const files = contents.map((content, i) => ({ path: `d/f${String(i)}`, mode: 0o640, content }));
    unpack(tar([{ path: 'd/', mode: 0o700 }, ...files, { path: 'd/link', link: 'f1' }]), (dir) => {
      assert.equal(statSync(join(dir, 'd')).mode & 0o7777, 0o700);
      contents.forEach((content, i) => {
        assert.deepEqual(readFileSync(join(dir, `d/f${String(i)}`)), content);
      });
      assert.equal(statSync(join(dir, 'd/f1')).mode & 0o777, 0o640);
      assert.equal(readlinkSync(join(dir, 'd/link')), 'f1');
    });
  });
});

describe('testImage', () => {
  it('has its applets as links, and a version of its own', () => {
    const busybox = Buffer.from('elf');
    for (const tag of ['1', '2'])
      unpack(testImage(busybox, ['busybox', 'httpd', 'sh'], tag), (dir) => {
        assert.equal(readlinkSync(join(dir, 'bin/httpd')), 'busybox');
        assert.deepEqual(readFileSync(join(dir, 'bin/busybox')), busybox);
        assert.equal(readFileSync(join(dir, 'etc/version'), 'utf8'), `${tag}\n`);
        assert.equal(readFileSync(join(dir, 'www/index.html'), 'utf8'), `plumbline ${tag}\n`);
        assert.equal(statSync(join(dir, 'bin/serve')).mode & 0o111, 0o111);
      });
  });

  it('is the same every time', () => {
    const busybox = Buffer.from('elf');
    assert.deepEqual(testImage(busybox, ['sh'], '1'), testImage(busybox, ['sh'], '1'));
  });
});

describe('isStatic', () => {
  // ELF-64, little endian, one program header of the given type
  const elf = (type: number): Uint8Array => {
    const bytes = Buffer.alloc(64 + 56);
    bytes.write('\x7fELF\x02\x01', 0, 'latin1');
    bytes.writeBigUInt64LE(64n, 32);
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(type, 64);
    return bytes;
  };
  it('tells a program that needs a loader from one that does not', () => {
    assert.equal(isStatic(elf(1)), true);
    assert.equal(isStatic(elf(3)), false);
  });
  it('takes no other file for a program', () => {
    assert.equal(isStatic(Buffer.from('#!/bin/sh\n'.padEnd(80))), false);
    assert.equal(isStatic(new Uint8Array()), false);
  });
});
