import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endChild } from '../support/child.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PLUMB = join(ROOT, 'bin', 'plumb');

describe('an up that is stopped while git is asked', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-stop-'));
  const at = (name: string): string => join(dir, name);
  after(() => {
    rmSync(dir, { recursive: true });
  });

  it('ends well, and says nothing against the repository', async () => {
    cpSync(join(ROOT, 'examples', 'manifests', 'shop'), at('repo'), { recursive: true });
    for (const argv of [
      ['init', '-q'],
      ['add', '-A'],
      ['-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '-qm', 'x'],
    ])
      execFileSync('git', ['-C', at('repo'), ...argv]);
    // once there is a file "hang", git does not answer what the repository has
    mkdirSync(at('bin'));
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    const hang = `if [ -e ${at('hang')} ]; then case "$*" in *ls-remote*) touch ${at('hangs')}; exec sleep 600;; esac; fi`;
    writeFileSync(at('bin/git'), `#!/bin/sh\n${hang}\nexec ${real} "$@"\n`);
    chmodSync(at('bin/git'), 0o755);
    const env = { ...process.env, PATH: `${at('bin')}:${process.env['PATH'] ?? ''}` };
    const argv = ['up', '-o', 'json', '--repo', at('repo'), '--simulated', '--host', 'h1', '--state-dir', at('state')];
    const up = spawn(process.execPath, [PLUMB, ...argv], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    up.stdout.on('data', (text) => (out += String(text)));
    for (let tries = 0; tries < 1200 && !out.includes('"Converged"'); tries += 1) await sleep(100);
    writeFileSync(at('hang'), '');
    for (let tries = 0; tries < 1200 && !existsSync(at('hangs')); tries += 1) await sleep(100);
    assert.ok(existsSync(at('hangs')), 'git was asked again');
    assert.equal(await endChild(up, 'SIGTERM'), 0);
    const events = spawnSync(process.execPath, [PLUMB, 'events', '--state-dir', at('state')], { encoding: 'utf8' });
    assert.match(events.stdout, / Converged /);
    assert.doesNotMatch(events.stdout, /SourceStale|PassFailed|was stopped/);
  });
});
