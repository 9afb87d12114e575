import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dockerClient } from '../../providers/containers/client.ts';
import { createProber } from '../../providers/probes/index.ts';
import type { Visitor } from '../../providers/probes/visitor.ts';
import { nodeVisitor, perlVisitor } from '../../providers/probes/visitor.ts';
import type { ProbeSpec } from '../../reconciler/model/catalog.ts';
import type { ProbedContainer } from '../../reconciler/model/probe.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { ensureTestImage, TEST_IMAGE } from '../support/image.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const never = new AbortController().signal;

/** Processes of this one whose command line begins so. */
function children(program: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+([0-9]+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
        return (
          Number(parent) === process.pid && readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').startsWith(program)
        );
      } catch {
        return false;
      }
    });
}

describe('probes into a network namespace without any route to it', { skip }, () => {
  const client = dockerClient();
  const exec = client.engine.exec.bind(client.engine);
  const targets: ProbedContainer[] = [];

  before(async () => {
    await ensureTestImage();
    await removeContainers('plumb-probe-');
    const script = 'mkdir /w; echo hi > /w/index.html; httpd -p 80 -h /w; nc -ll -p 81 -e sleep 60 & exec sleep 1000';
    for (const n of ['0', '1']) {
      const id = await docker(
        'run',
        '-d',
        '--name',
        `plumb-probe-${n}`,
        '--network',
        'none',
        TEST_IMAGE,
        'sh',
        '-c',
        script,
      );
      const pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', id));
      targets.push({ pid, containerId: id, address: '127.0.0.1' });
    }
    // only the second one serves port 82
    await docker('exec', '-d', 'plumb-probe-1', 'httpd', '-f', '-p', '82', '-h', '/w');
    const prober = createProber({ exec });
    for (const [target, port] of [
      [targets[0], 80],
      [targets[0], 81],
      [targets[1], 82],
    ] as const) {
      assert.ok(target);
      for (let i = 0; !(await prober.probe(target, { type: 'tcp', port }, 1000, never)).ok; i += 1) {
        assert.ok(i < 200, `port ${String(port)} is served`);
        await sleep(50);
      }
    }
    prober.close();
  });
  after(async () => {
    await removeContainers('plumb-probe-');
    client.close();
  });

  const ways: readonly (readonly [string, () => readonly Visitor[]])[] = [
    ['the perl process', () => [perlVisitor()].filter((visitor) => visitor !== undefined)],
    [
      'a Node process each, where there is no perl',
      () => [perlVisitor('no-such-perl'), nodeVisitor()].filter((visitor) => visitor !== undefined),
    ],
  ];
  for (const [name, visitors] of ways)
    it(`by ${name}`, async () => {
      const prober = createProber({ exec, visitors: visitors() });
      const probe = async (n: number, check: ProbeSpec['check'], timeout = 5000) => {
        const target = targets[n];
        assert.ok(target);
        const { ok, message } = await prober.probe(target, check, timeout, never);
        return `${ok ? 'ok' : 'failed'}: ${message}`;
      };
      try {
        assert.equal(await probe(0, { type: 'http', port: 80, path: '/' }), 'ok: HTTP 200');
        assert.equal(await probe(0, { type: 'http', port: 80, path: '/none' }), 'failed: HTTP 404');
        assert.equal(await probe(0, { type: 'tcp', port: 81 }), 'ok: connected');
        assert.equal(await probe(0, { type: 'http', port: 81, path: '/' }, 1500), 'failed: no answer in time');
        assert.match(await probe(0, { type: 'tcp', port: 82 }), /^failed: connect: ECONNREFUSED/);
        assert.equal(await probe(1, { type: 'tcp', port: 82 }), 'ok: connected');
      } finally {
        prober.close();
      }
    });

  it('comes home after each, and keeps many probes at once apart', async () => {
    const prober = createProber({ exec });
    const [first, second] = targets as [ProbedContainer, ProbedContainer];
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => {
        const quiet = new AbortController().signal;
        return prober.probe(i % 2 === 0 ? first : second, { type: 'tcp', port: 82 }, 10_000, quiet);
      }),
    );
    assert.deepEqual(
      answers.map((answer) => answer.ok),
      answers.map((_, i) => i % 2 === 1),
    );
    const [pid] = children('perl');
    const home = readlinkSync('/proc/self/ns/net');
    assert.equal(readlinkSync(`/proc/${String(pid)}/ns/net`), home, 'it holds no sandbox’s namespace');
    prober.close();
  });

  it('survives the end of its process, and a sandbox that is gone', async () => {
    const prober = createProber({ exec });
    const [target] = targets as [ProbedContainer];
    const check = { type: 'tcp', port: 80 } as const;
    assert.equal((await prober.probe(target, check, 5000, never)).ok, true);
    const [pid] = children('perl');
    assert.ok(pid, 'a perl process runs');
    process.kill(pid, 'SIGKILL');
    assert.equal((await prober.probe(target, check, 5000, never)).ok, true);
    assert.match(
      (await prober.probe({ ...target, pid: 2 ** 22 - 1 }, check, 5000, never)).message,
      /^namespace: ENOENT/,
    );
    prober.close();
    for (let i = 0; children('perl').length > 0; i += 1) {
      assert.ok(i < 200, 'it ends with its prober');
      await sleep(20);
    }
  });

  it('runs commands in the container and leaves none behind', async () => {
    const prober = createProber({ exec });
    const [target] = targets as [ProbedContainer];
    const run = (...command: string[]) => prober.probe(target, { type: 'exec', command }, 60_000, never);
    assert.deepEqual(await run('test', '-f', '/w/index.html'), { ok: true, message: 'exit 0' });
    assert.deepEqual(await run('sh', '-c', 'echo not yet >&2; exit 7'), { ok: false, message: 'exit 7: not yet' });
    assert.equal((await run('no-such-program')).ok, false);
    const late = await prober.probe(target, { type: 'exec', command: ['sleep', '777'] }, 3000, never);
    assert.deepEqual(late, { ok: false, message: 'no answer within 3000 ms' });
    assert.doesNotMatch(await docker('top', 'plumb-probe-0'), /sleep 777/);
    prober.close();
  });
});
