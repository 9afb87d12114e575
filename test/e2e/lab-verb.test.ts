import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { labDown, labUp } from '../../lab/lab.ts';
import { ME, remains, verb } from '../support/lab-verb.ts';

const skip = process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs root';

describe('plumb lab', { skip }, () => {
  it('goes through up, status, exec, cut, kill, boot and down, in text and JSON', async () => {
    const where = ['--name', `verb-${ME}`];
    try {
      const up = await verb('up', ...where, '--hosts', '1', '-o', 'json');
      assert.equal(up.code, 0);
      assert.match(up.err, /^h1 is up after [\d.]+ s\n$/);
      assert.deepEqual(
        (JSON.parse(up.out) as { readonly hosts: readonly { readonly name: string }[] }).hosts.map((host) => host.name),
        ['h1'],
      );
      const status = await verb('status', ...where);
      assert.equal(status.code, 0);
      assert.match(status.out, /^h1 +r1 +running +linked +ovsdb-server ovs-vswitchd dockerd/m);
      const exec = await verb('exec', ...where, '-o', 'json', 'h1', '--', 'sh', '-c', 'echo out; exit 3');
      assert.equal(exec.code, 3);
      assert.deepEqual(JSON.parse(exec.out), { version: 1, host: 'h1', code: 3, stdout: 'out\n', stderr: '' });
      await verb('cut', ...where, 'r1');
      assert.match((await verb('status', ...where)).out, /^h1 +r1 +running +cut/m);
      await verb('heal', ...where);
      assert.equal((await verb('kill', ...where, 'h1')).out, 'h1 is dead\n');
      assert.equal((await verb('status', ...where)).code, 2);
      await verb('boot', ...where, 'h1');
      assert.equal((await verb('daemon', ...where, 'h1', 'ovs-vswitchd', 'restart')).code, 0);
      await assert.rejects(verb('daemon', ...where, 'h1', 'sshd', 'stop'), { code: 'USAGE', message: /it is one of/ });
      await assert.rejects(verb('kill', ...where), { code: 'USAGE' });
    } finally {
      assert.match((await verb('down', ...where)).out, /is down/);
      assert.match((await verb('down', ...where)).out, /there is no lab/);
    }
    assert.deepEqual(remains(`verb-${ME}`), []);
    await assert.rejects(verb('status', ...where), { code: 'LAB_FAILED', message: /start one with/ });
  });
});

describe('up', { skip }, () => {
  it('waits also for a dockerd that found its containerd to take too long, and ended', () => {
    const programs = mkdtempSync(join(tmpdir(), 'plumb-slow-'));
    const real = execFileSync('sh', ['-c', 'command -v containerd'], { encoding: 'utf8' }).trim();
    // dockerd waits for 15 s; /run is the host's own
    const slow = `#!/bin/sh\n[ -e /run/slow ] || { touch /run/slow; sleep 20; }\nexec ${real} "$@"\n`;
    writeFileSync(join(programs, 'containerd'), slow, { mode: 0o755 });
    const host = fileURLToPath(new URL('../../lab/runtest.js', import.meta.url));
    const env = { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}` };
    try {
      const { status, stdout, stderr } = spawnSync(process.execPath, [host, 'sh', '-c', 'ls /run/slow; docker ps -q'], {
        env,
        encoding: 'utf8',
      });
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '/run/slow\n', stderr: '' });
    } finally {
      rmSync(programs, { recursive: true });
    }
  });
});

describe('down', { skip }, () => {
  const module = JSON.stringify(new URL('../../lab/lab.js', import.meta.url).href);

  /** Starts an `up` in a process of its own, kills that after `delay` ms, and takes the lab down at once. */
  async function crash(name: string, delay: number): Promise<void> {
    const script = `const { labUp } = await import(${module}); await labUp({ name: '${name}', hosts: 2 });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
    const dir = `/var/tmp/plumbline-lab/${name}`;
    while (!existsSync(dir) && child.exitCode === null) await sleep(1);
    await sleep(delay);
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await labDown({ name });
    assert.deepEqual(remains(name), [], `left by an up killed after ${String(delay)} ms`);
  }

  it('leaves nothing of an up that was killed at any moment', async () => {
    for (const delay of [0, 3, 10, 25, 50, 80, 120, 180, 250, 350, 500, 800])
      await crash(`crash-${ME}-${String(delay)}`, delay);
    // late children of the killed ups must not bring anything back
    await sleep(500);
    assert.deepEqual(remains(`crash-${ME}`), []);
  });

  it('takes one of several labs and leaves the others', async () => {
    const [one, other] = await Promise.all([
      labUp({ name: `one-${ME}`, hosts: 1 }),
      labUp({ name: `other-${ME}`, hosts: 1 }),
    ]);
    await one.down();
    assert.deepEqual(remains(`one-${ME}`), []);
    assert.equal((await other.exec('h1', ['docker', 'ps'])).code, 0);
    await other.down();
    assert.deepEqual(remains(`other-${ME}`), []);
  });

  it('takes what a stopped up left half-made, and up itself does when it is aborted', async () => {
    const name = `abort-${ME}`;
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort();
    }, 200);
    await assert.rejects(labUp({ name, hosts: 2, signal: stop.signal }), { code: 'CANCELLED' });
    assert.deepEqual(remains(name), []);
  });

  it('finds a lab whose directory was removed by hand', async () => {
    const name = `gone-${ME}`;
    const lab = await labUp({ name, hosts: 1 });
    rmSync(lab.dir, { recursive: true });
    assert.equal((await labDown({ name })).found, true);
    assert.deepEqual(remains(name), []);
  });

  it('never removes a directory that is no lab', async () => {
    const dir = `/var/tmp/nolab-${ME}`;
    mkdirSync(dir);
    writeFileSync(join(dir, 'precious'), '');
    await assert.rejects(labDown({ dir }), { code: 'LAB_FAILED', message: /is not a lab: it holds precious/ });
    assert.ok(existsSync(join(dir, 'precious')));
    rmSync(dir, { recursive: true });
  });
});
