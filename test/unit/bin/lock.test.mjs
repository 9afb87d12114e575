import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { startTime, withLock } from '../../../bin/house/lock.mjs';

const MODULE = new URL('../../../bin/house/lock.mjs', import.meta.url).href;

describe('lock', () => {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'lock-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('lets one process in at a time', async () => {
    const log = join(folder, 'log');
    writeFileSync(log, '');
    const code = `const { withLock } = await import(${JSON.stringify(MODULE)});
      const { appendFileSync } = await import('node:fs');
      await withLock(${JSON.stringify(join(folder, 'lock'))}, async () => {
        appendFileSync(${JSON.stringify(log)}, 'in\\n');
        await new Promise((resolve) => setTimeout(resolve, 50));
        appendFileSync(${JSON.stringify(log)}, 'out\\n');
      });`;
    const statuses = await Promise.all(
      [1, 2, 3, 4].map(
        () =>
          new Promise((resolve) => spawn(process.execPath, ['--input-type=module', '-e', code]).on('close', resolve)),
      ),
    );
    assert.deepEqual(statuses, [0, 0, 0, 0]);
    assert.equal(readFileSync(log, 'utf8'), 'in\nout\n'.repeat(4));
    assert.deepEqual(readdirSync(join(folder, 'lock')), []);
  });

  it('does not wait for a dead process, nor for another that got its pid', async () => {
    const dead = join(folder, 'lock');
    mkdirSync(dead);
    writeFileSync(join(dead, '999999999-1'), '');
    writeFileSync(join(dead, `${process.ppid}-1`), '');
    assert.equal(await withLock(dead, async () => 'done'), 'done');
    assert.deepEqual(readdirSync(dead), []);
  });

  it('waits for a living one, says for whom, and goes on when it is gone', async () => {
    const holder = join(folder, `${process.ppid}-${startTime(process.ppid)}`);
    writeFileSync(holder, '');
    let waited = 0;
    const result = await withLock(
      folder,
      async () => 'done',
      (pid) => {
        waited = pid;
        rmSync(holder);
      },
    );
    assert.deepEqual([result, waited], ['done', process.ppid]);
  });

  it('is free again after an error', async () => {
    await assert.rejects(
      withLock(folder, () => Promise.reject(new Error('failed'))),
      /failed/,
    );
    assert.deepEqual(readdirSync(folder), []);
  });
});
