import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { installed, offered, reason, removed, withoutServices } from '../../../bin/house/apt.mjs';
import { npmReason } from '../../../bin/house/npm.mjs';

describe('apt', () => {
  let folder = '';
  let path = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apt-'));
    path = join(folder, 'policy-rc.d');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('reads which packages have a candidate', () => {
    const policy =
      'docker.io:\n  Installed: (none)\n  Candidate: 20.10\n  Version table:\n     20.10 500\n        500 http://deb x\n' +
      'docker-cli:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n';
    assert.deepEqual([...offered(policy)], ['docker.io']);
  });

  it('sees what would be removed', () => {
    const output = 'Reading…\nRemv docker-ce [5:27] []\nRemv busybox [1.35]\nInst docker.io (20.10 Debian)\n';
    assert.deepEqual(removed(output), ['docker-ce', 'busybox']);
  });

  it('sees what would be installed', () => {
    const output = 'Reading…\nInst librte-eal23 (22.11 Debian [amd64])\nInst x (1)\nConf x (1)\nRemv y [1]\n';
    assert.deepEqual(installed(output), ['librte-eal23', 'x']);
  });

  const troubles = [
    { output: 'E: Write error - write (28: No space left on device)', says: /disk is full/ },
    { output: "W: Failed\nErr:1 x\n  Temporary failure resolving 'deb.debian.org'", says: /cannot be reached/ },
    { output: 'E: dpkg was interrupted, you must manually run', says: /dpkg --configure -a/ },
    { output: 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)', says: /ten minutes/ },
    { output: 'Reading…\nE: Something new', says: /E: Something new/ },
  ];
  for (const { output, says } of troubles)
    it(`explains ${says.source}`, () => {
      assert.match(reason(output, ['docker.io']), says);
      assert.match(reason(output, ['docker.io']), /docker\.io/);
    });

  it('holds services back while the body runs, and not after it', async () => {
    await withoutServices(async () => {
      assert.equal(spawnSync(path, ['docker', 'start']).status, 101);
    }, path);
    assert.equal(existsSync(path), false);
    await assert.rejects(
      withoutServices(() => Promise.reject(new Error('apt failed')), path),
      /apt failed/,
    );
    assert.equal(existsSync(path), false);
  });

  it('leaves the policy of an administrator as it is', async () => {
    writeFileSync(path, '#!/bin/sh\nexit 104\n', { mode: 0o755 });
    await withoutServices(async () => undefined, path);
    assert.equal(readFileSync(path, 'utf8'), '#!/bin/sh\nexit 104\n');
  });

  it('allows services again when the set-up was killed, and removes its policy the next time', async () => {
    const module = new URL('../../../bin/house/apt.mjs', import.meta.url).href;
    const code = `const { withoutServices } = await import(${JSON.stringify(module)});
      await withoutServices(async () => process.kill(process.pid, 'SIGKILL'), ${JSON.stringify(path)});`;
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', code]);
    assert.equal(signal, 'SIGKILL');
    assert.equal(spawnSync(path, ['docker', 'start']).status, 0);
    await withoutServices(async () => assert.equal(spawnSync(path).status, 101), path);
    assert.equal(existsSync(path), false);
  });

  it('explains what npm says', () => {
    assert.match(npmReason(1, 'npm error code EAI_AGAIN'), /registry cannot be reached/);
    assert.match(npmReason(1, 'npm error ENOSPC: no space left'), /disk is full/);
    assert.match(
      npmReason(1, 'npm error code EUSAGE\nnpm error Missing: a@1 from lock file\n'),
      /commit the lock:\n {2}Missing: a@1/,
    );
    assert.match(npmReason(127, ''), /npm is missing/);
    assert.match(npmReason(1, 'other words'), /status 1:\nother words/);
  });
});
