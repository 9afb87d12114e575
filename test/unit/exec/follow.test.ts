import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ending, follow } from '../../../providers/exec/follow.ts';

/** Until a process is gone. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${String(pid)}`)) await sleep(10);
}

describe('a program that goes on for ever', { timeout: 120_000 }, () => {
  const says = ['-c', 'echo $$; echo two; exec sleep 600'];

  it('tells its lines until it is not wanted any more', async () => {
    const lines: string[] = [];
    const stop = new AbortController();
    await follow(
      'sh',
      says,
      (line) => {
        lines.push(line);
        if (line === 'two') stop.abort();
      },
      stop.signal,
    );
    assert.equal(lines[1], 'two');
    await gone(Number(lines[0]));
  });

  it('is over where it ends, and where there is none', async () => {
    const { signal } = new AbortController();
    const lines: string[] = [];
    await follow('echo', ['one'], (line) => lines.push(line), signal);
    await follow('/no/such/program', [], (line) => lines.push(line), signal);
    await follow('echo', ['two'], (line) => lines.push(line), AbortSignal.abort());
    assert.deepEqual(lines, ['one']);
  });

  it('is over where there is no descriptor to spare', () => {
    const url = new URL('../../../providers/exec/follow.js', import.meta.url).href;
    const script = `
      import { openSync } from 'node:fs';
      import { follow } from ${JSON.stringify(url)};
      try { for (;;) openSync('/dev/null'); } catch {}
      await follow('echo', ['one'], () => undefined, new AbortController().signal);
      process.stdout.write('over');`;
    const limited = ['-c', 'ulimit -n 64; exec "$@"', '-', process.execPath, '--input-type=module', '-e', script];
    assert.equal(execFileSync('sh', limited, { encoding: 'utf8' }), 'over');
  });

  it('does not begin where the process that listens was killed before the kernel was asked for its end', () => {
    const says = (parent: number): string =>
      spawnSync('setpriv', ending(parent, 'echo', ['$0 two', 'words']), { encoding: 'utf8' }).stdout;
    assert.equal(says(process.pid), '$0 two words\n');
    assert.equal(says(1), '');
  });

  it('ends with the process that listens, also where that is killed', async () => {
    const script = `
      import { follow } from ${JSON.stringify(new URL('../../../providers/exec/follow.js', import.meta.url).href)};
      await follow('sh', ${JSON.stringify(says)}, (line) => console.log(line), new AbortController().signal);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    for await (const piece of child.stdout) {
      text += String(piece);
      if (text.includes('two')) child.kill('SIGKILL');
    }
    await gone(parseInt(text, 10));
  });
});
