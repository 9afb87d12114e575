import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SOUND } from '../../support/manifests.ts';
import { makeRepository } from '../../support/repository.ts';

const PLUMB = fileURLToPath(new URL('../../../../bin/plumb', import.meta.url));
const STORE = ['--store', 'redis://127.0.0.1:1'];

describe('a directory in which nothing can be made', () => {
  const repository = makeRepository();
  const repo = repository.directory;
  const dir = mkdtempSync(join(tmpdir(), 'plumb-no-room-'));
  before(() => {
    for (const [path, text] of Object.entries(SOUND)) repository.write(path, text);
    repository.commit('First');
    writeFileSync(join(dir, 'file'), '');
  });
  after(() => {
    repository.remove();
    rmSync(dir, { recursive: true });
  });

  // a directory that is there and takes no entries, and one that would be below a file
  const places = [...(existsSync('/proc/self') ? ['/proc/plumb/state'] : []), join(dir, 'file', 'state')];
  const here = ['--repo', repo, '--host', 'h1', '--simulated'];
  for (const place of places)
    for (const { argv, code = 1, says = /\[STORE_UNAVAILABLE\]/ } of [
      { argv: ['up', ...here, '--state-dir', place] },
      { argv: ['up', ...here, '--state-dir', dir, '--socket', join(place, 'plumb.sock')] },
      { argv: ['apply', ...here, '--state-dir', place] },
      { argv: ['plan', ...here, '--state-dir', place] },
      { argv: ['agent', '--host', 'h1', '--simulated', ...STORE, '--state-dir', place] },
      { argv: ['controller', '--repo', repo, ...STORE, '--state-dir', place] },
      { argv: ['validate', `${repo}@main`], code: 2 },
      { argv: ['status', '--state-dir', place], says: /\[NOT_RUNNING\]/ },
      { argv: ['history', '--state-dir', place], code: 0, says: /^$/ },
      { argv: ['why', 'container/web-0', '--state-dir', place], says: /nothing is known here .*\[NOT_RUNNING\]/ },
      { argv: ['init', place], says: /name a folder that can be written \[USAGE\]/ },
    ])
      it(`${argv.filter((word) => word !== repo).join(' ')} ends and says so`, () => {
        const { status, signal, stderr } = spawnSync(process.execPath, [PLUMB, ...argv], {
          env: { PATH: process.env['PATH'], HOME: dir, PLUMB_CACHE_DIR: place },
          encoding: 'utf8',
          timeout: 120_000,
          killSignal: 'SIGKILL',
        });
        assert.deepEqual([status, signal], [code, null], stderr);
        assert.match(stderr, says);
      });

  it('a socket whose path is too long for one is refused, and nothing is left of it', () => {
    const socket = join(dir, 's'.repeat(120));
    const argv = ['up', ...here, '--state-dir', join(dir, 'long'), '--socket', socket];
    const { status, stderr } = spawnSync(process.execPath, [PLUMB, ...argv], { encoding: 'utf8', timeout: 120_000 });
    assert.deepEqual([status, readdirSync(dir).filter((name) => name.startsWith('ss'))], [1, []]);
    assert.match(stderr, /its path has \d+ bytes; give --socket a path of at most 107 bytes .*\[STORE_UNAVAILABLE\]/);
  });
});
