import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemExec, type Exec } from '../../../providers/exec/exec.ts';
import { launcher } from '../../../providers/exec/launcher.ts';

const signal = AbortSignal.timeout(120_000);
const sh = (script: string): readonly [string, readonly string[]] => ['sh', ['-c', script]];

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
function opened(...args: Parameters<typeof launcher>): ReturnType<typeof launcher> {
  const made = launcher(...args);
  open.push(made);
  return made;
}

/** Who starts programs, each by itself. */
const WAYS: Readonly<Record<string, () => Exec>> = {
  'Node itself': () => systemExec(),
  'a process of its own': () => opened(),
  'Node, where there is no perl': () => opened('/no/perl'),
};

for (const [way, make] of Object.entries(WAYS))
  describe(`programs started by ${way}`, () => {
    it('gives status, output and errors', async () => {
      const finished = await make().run(...sh('echo out; echo err >&2; exit 3'), { signal });
      assert.deepEqual(finished, { status: 3, stdout: 'out\n', stderr: 'err' });
    });

    it('hands arguments over as they are', async () => {
      const args = ['%s|', 'two words', '', '-', '$HOME', 'ü\n'];
      const { stdout } = await make().run('printf', args, { signal });
      assert.equal(stdout, 'two words||-|$HOME|ü\n|');
    });

    it('feeds and reads more than a pipe holds', async () => {
      const input = 'abcdefg\n'.repeat(200_000);
      const { status, stdout } = await make().run('cat', [], { signal, input });
      assert.equal(status, 0);
      assert.ok(stdout === input);
    });

    it('goes on where a program does not read its input, and where its output is not wanted', async () => {
      const input = 'x'.repeat(1_000_000);
      const finished = await make().run(...sh('echo out; echo err >&2'), { signal, input, silent: true });
      assert.deepEqual(finished, { status: 0, stdout: '', stderr: 'err' });
    });

    it('says that a program is missing', async () => {
      const { status, stderr } = await make().run('/no/such/program', [], { signal });
      assert.equal(status, -1);
      assert.match(stderr, /no\/such\/program.*(ENOENT|No such file)/);
    });

    it('runs as many at once as it may, and tells them apart', async () => {
      const exec = make();
      const numbers = Array.from({ length: 30 }, (_, n) => n);
      const all = await Promise.all(
        numbers.map((n) => exec.run(...sh(`echo ${String(n)}; exit ${String(n)}`), { signal })),
      );
      assert.deepEqual(
        all.map(({ status, stdout }) => [status, stdout]),
        numbers.map((n) => [n, `${String(n)}\n`]),
      );
    });

    it('kills a program whose time is over', async () => {
      const exec = make();
      const { status } = await exec.run('sleep', ['600'], { signal: AbortSignal.timeout(50) });
      assert.equal(status, -1);
      assert.equal((await exec.run('true', [], { signal })).status, 0);
      assert.equal((await exec.run('true', [], { signal: AbortSignal.abort() })).status, -1);
    });

    it('leaves one behind that does not end, and goes on with others', async () => {
      const exec = make();
      const stop = new AbortController();
      const file = join(mkdtempSync(join(tmpdir(), 'exec-')), 'pid');
      // what it prints to stays open, as of a program that hangs in the kernel
      const hanging = exec.run(...sh(`sleep 600 & echo $! > ${file}; wait`), { signal: stop.signal });
      while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(10);
      stop.abort();
      try {
        assert.deepEqual(await hanging, { status: -1, stdout: '', stderr: 'it was killed and does not end' });
        assert.equal((await exec.run('true', [], { signal })).status, 0);
      } finally {
        process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
        rmSync(dirname(file), { recursive: true });
      }
    });
  });

describe('a process that starts programs', () => {
  const parentOf = (pid: number): number =>
    Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]);
  const itsPid = async (exec: Exec): Promise<number> =>
    Number((await exec.run(...sh('echo $PPID'), { signal })).stdout);

  it('holds nothing of what it has left behind', async () => {
    const exec = opened();
    const pid = await itsPid(exec);
    const held = (): number => readdirSync(`/proc/${String(pid)}/fd`).length;
    const children = (): string =>
      spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.trim();
    const before = held();
    const directory = mkdtempSync(join(tmpdir(), 'exec-'));
    const file = join(directory, 'pid');
    const stop = new AbortController();
    const hanging = exec.run(...sh(`sleep 600 & echo $! > ${file}; wait`), { signal: stop.signal });
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(10);
    try {
      assert.ok(held() > before, 'its pipes');
      stop.abort();
      await hanging;
      // with the next one it is buried as well
      for (const at = performance.now(); held() > before || children() !== '';) {
        assert.ok(performance.now() - at < 60_000, `${String(held())} descriptors, ${String(before)} before`);
        await exec.run('true', [], { signal });
      }
    } finally {
      process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
      rmSync(directory, { recursive: true });
    }
  });

  it('is not this one, and one for all', async () => {
    const exec = opened();
    const pid = await itsPid(exec);
    assert.equal(parentOf(pid), process.pid);
    assert.equal(await itsPid(exec), pid);
  });

  it('is started again after its end, and what ran then has failed', async () => {
    const exec = opened();
    const pid = await itsPid(exec);
    const running = exec.run('sleep', ['5'], { signal });
    const at = performance.now();
    while (!execFileSync('ps', ['-o', 'args=', '--ppid', String(pid)], { encoding: 'utf8' }).includes('sleep')) {
      assert.ok(performance.now() - at < 60_000);
      await sleep(20);
    }
    process.kill(pid, 'SIGKILL');
    assert.deepEqual(await running, { status: -1, stdout: '', stderr: 'perl, which starts programs, ended' });
    assert.notEqual(await itsPid(exec), pid);
  });

  it('does not end by what is sent to all of a terminal, and its programs do', async () => {
    const exec = opened();
    const pid = await itsPid(exec);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, name);
    assert.equal(await itsPid(exec), pid);
    assert.equal((await exec.run(...sh('kill -INT $$; sleep 60'), { signal })).status, -1);
  });

  it('fails while there are no descriptors left, and works again once there are', () => {
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { launcher } from ${JSON.stringify(new URL('../../../providers/exec/launcher.js', import.meta.url).href)};
      const exec = launcher();
      const signal = new AbortController().signal;
      const taken = [];
      try { for (;;) taken.push(openSync('/dev/null')); } catch {}
      const failed = await exec.run('true', [], { signal });
      for (const descriptor of taken) closeSync(descriptor);
      process.stdout.write(JSON.stringify([failed, await exec.run('true', [], { signal })]));
      await exec.close();`;
    const limited = ['-c', 'ulimit -n 64; exec "$@"', '-', process.execPath, '--input-type=module', '-e', script];
    assert.deepEqual(JSON.parse(execFileSync('sh', limited, { encoding: 'utf8' })), [
      { status: -1, stdout: '', stderr: 'perl could not be started: EMFILE' },
      { status: 0, stdout: '', stderr: '' },
    ]);
  });

  it('is gone once it was let go', async () => {
    const exec = launcher();
    const pid = await itsPid(exec);
    await exec.close();
    assert.throws(() => process.kill(pid, 0), /ESRCH/);
    await exec.close();
  });
});
