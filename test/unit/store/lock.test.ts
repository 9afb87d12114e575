import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { lockHost } from '../../../reconciler/store/embedded/lock.ts';

const locked =
  (words: string) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === 'STORE_LOCKED' && error.message.includes(words);

describe('host lock', () => {
  const key = `test ${String(process.pid)}`;

  it('is held by one, who is named to the next, and given back', async () => {
    const lock = await lockHost(key, { state: '/var/lib/x' });
    await assert.rejects(lockHost(key), locked(`${String(process.pid)}, state /var/lib/x`));
    const other = await lockHost(`${key} other`);
    await lock.release();
    await (await lockHost(key)).release();
    await other.release();
  });

  it('ends with kill -9 and does not keep a process alive', async () => {
    const module = new URL('../../../reconciler/store/embedded/lock.js', import.meta.url).href;
    const script = `const { lockHost } = await import(${JSON.stringify(module)}); await lockHost(${JSON.stringify(key)}); console.log('held');`;
    const run = (more = ''): ReturnType<typeof spawn> =>
      spawn(process.execPath, ['--input-type=module', '-e', script + more], { stdio: ['ignore', 'pipe', 'inherit'] });
    const holder = run('setInterval(() => undefined, 1000);');
    if (holder.stdout) await once(holder.stdout, 'data');
    await assert.rejects(lockHost(key), locked(String(holder.pid)));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await lockHost(key)).release();
    const [status] = (await once(run(), 'exit')) as [number];
    assert.equal(status, 0);
  });
});
