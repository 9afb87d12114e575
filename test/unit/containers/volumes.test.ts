import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { checkVolumes } from '../../../providers/containers/volumes.ts';

describe('host volumes', () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'plumb-volumes-')));
  mkdirSync(join(dir, 'data', 'web'), { recursive: true });
  symlinkSync('/etc', join(dir, 'data', 'trap'));
  symlinkSync('data', join(dir, 'alias'));
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const check = (path: string): Promise<void> =>
    checkVolumes([{ path: '/data', host: join(dir, path), readOnly: false }]);

  it('are mounted where they really are', async () => {
    await check('data/web');
    await check('data/web/');
  });
  it('are refused behind a symbolic link, at the end or on the way', async () => {
    await assert.rejects(check('data/trap'), /leads to \/etc by a symbolic link/);
    await assert.rejects(check('alias/web'), /leads to .*data\/web/);
  });
  it('are refused when they are not there', async () => {
    await assert.rejects(check('nothing'), /nothing does not exist on this host; make it/);
  });
  it('need nothing of a tmpfs', async () => {
    await checkVolumes([{ path: '/tmp', tmpfs: 1024 }]);
  });
});
