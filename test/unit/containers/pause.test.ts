import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pauseProgram, tarOf } from '../../../providers/containers/pause.ts';

const here = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];

describe('the pause program', () => {
  it('is a small static ELF for each processor, and none for others', () => {
    const machines = { amd64: 62, arm64: 183 };
    for (const [arch, machine] of Object.entries(machines)) {
      const elf = pauseProgram(arch);
      assert.ok(elf && elf.length < 200);
      assert.equal(elf.toString('latin1', 0, 4), '\x7fELF');
      assert.equal(elf.readUInt16LE(18), machine);
      assert.equal(
        elf.readBigUInt64LE(24) - elf.readBigUInt64LE(80),
        120n,
        'entry is the first byte after the headers',
      );
      assert.equal(elf.readBigUInt64LE(96), BigInt(elf.length));
    }
    assert.equal(pauseProgram('riscv64'), undefined);
  });

  it('says for arm64 what an assembler says', () => {
    const words = pauseProgram('arm64')?.subarray(120) ?? Buffer.alloc(0);
    const hex = Array.from({ length: words.length / 4 }, (_, at) => words.readUInt32LE(at * 4).toString(16));
    assert.deepEqual(hex, [
      'd2800000',
      'd2800001',
      'd2800002',
      'd2800003',
      'd2800004',
      'd2800928',
      'd4000001',
      '17fffff9',
    ]);
  });

  it(
    'waits, unmoved by signals that do not kill',
    { skip: here === undefined || process.platform !== 'linux' },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'plumbline-pause-'));
      const path = join(directory, 'pause');
      try {
        writeFileSync(path, pauseProgram(here ?? '') ?? '', { mode: 0o755 });
        const child = spawn(path, { stdio: 'ignore' });
        const gone = once(child, 'exit');
        await once(child, 'spawn');
        for (let i = 0; i < 3; i += 1) {
          child.kill('SIGCONT');
          await sleep(10);
        }
        const [, state = ''] = readFileSync(`/proc/${String(child.pid)}/stat`, 'latin1').split(') ');
        assert.equal(state[0], 'S', 'it sleeps');
        child.kill('SIGKILL');
        assert.deepEqual(await gone, [null, 'SIGKILL']);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  );
});

describe('the tar of one file', () => {
  it('is read by tar, with content and mode', () => {
    const directory = mkdtempSync(join(tmpdir(), 'plumbline-tar-'));
    try {
      for (const size of [0, 129, 512, 1000]) {
        const content = Buffer.alloc(size, 'x');
        writeFileSync(join(directory, 'a.tar'), tarOf('pause', content));
        execFileSync('tar', ['-C', directory, '-xf', join(directory, 'a.tar')]);
        assert.deepEqual(readFileSync(join(directory, 'pause')), content);
        assert.equal(statSync(join(directory, 'pause')).mode & 0o777, 0o755);
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
