import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endChild } from '../support/child.ts';

const START = new URL('../../cli/start.js', import.meta.url);

/** `npm start` on the simulated runtime, without its set-up, and what it prints used by somebody who stands in another repository. */
describe('npm start', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'plumb-start-'));
  let child: ChildProcess;
  let out = '';
  before(async () => {
    execFileSync('git', ['init', '-q', elsewhere]);
    execFileSync('git', [
      '-C',
      elsewhere,
      '-c',
      'user.name=A',
      '-c',
      'user.email=a@b',
      'commit',
      '-q',
      '--allow-empty',
      '-m',
      'x',
    ]);
    const code = `const { start } = await import(${JSON.stringify(START.href)}); process.exit(await start(['--simulated']));`;
    child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout?.on('data', (text) => (out += String(text)));
    for (let tries = 0; tries < 1200 && !out.includes('Ctrl-C takes everything down'); tries += 1) {
      assert.equal(child.exitCode, null, out);
      await sleep(100);
    }
  });
  after(async () => {
    await endChild(child, 'SIGKILL');
    rmSync(elsewhere, { recursive: true });
  });

  it('shows the table, and commands that work as they are printed', () => {
    assert.match(out, /\nrevision [0-9a-f]{7} {2}Synced, Healthy\n/);
    const [paste = '', ...tries] = [...out.matchAll(/^ {2}(?: {2})?((?:export|sed|rm|plumb) .*)$/gm)].map(
      ([, line]) => line,
    );
    assert.ok(tries.length >= 5, out);
    for (const line of tries) {
      // a new terminal each time; the status of a plan or a drain is 2 where something is to do
      const { stdout, stderr, status } = spawnSync('bash', ['-c', `${paste}\n${line ?? ''}`], {
        cwd: elsewhere,
        encoding: 'utf8',
      });
      assert.doesNotMatch(stderr, /\[[A-Z_]+\]/, line);
      assert.ok(status === 0 || status === 2, `${line ?? ''}: ${String(status)} ${stderr}`);
      if (line?.includes('plumb')) assert.notEqual(stdout, '', line);
    }
  });

  it('takes everything down when it is interrupted', async () => {
    const [, dir = ''] = /REPO=(\S+)\/repo/.exec(out) ?? [];
    assert.ok(existsSync(dir));
    assert.equal(await endChild(child, 'SIGINT'), 0);
    assert.ok(!existsSync(dir));
  });
});
