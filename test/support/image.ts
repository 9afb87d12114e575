import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The image that tests run. */
export const TEST_IMAGE = 'plumbline/busybox:1';

async function busybox(): Promise<string> {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    try {
      await access(path);
      return path;
    } catch {
      // the other place
    }
  }
  throw new Error('busybox is missing: apt-get install busybox-static');
}

/** Makes TEST_IMAGE of the machine's static busybox, unless Docker has it. `docker`: arguments before the subcommand. */
export async function ensureTestImage(docker: readonly string[] = []): Promise<string> {
  try {
    await run('docker', [...docker, 'image', 'inspect', TEST_IMAGE], { timeout: 30_000 });
    return TEST_IMAGE;
  } catch {
    // not there
  }
  const program = await busybox();
  const root = await mkdtemp(join(tmpdir(), 'plumbline-image-'));
  try {
    await Promise.all(['bin', 'tmp', 'etc', 'www'].map((name) => mkdir(join(root, name))));
    await cp(program, join(root, 'bin/busybox'));
    const { stdout } = await run(program, ['--list'], { timeout: 10_000 });
    const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
    await Promise.all(applets.map((name) => symlink('busybox', join(root, 'bin', name))));
    const tar = join(root, '..', `${root.split('/').at(-1) ?? ''}.tar`);
    try {
      await run('tar', ['-C', root, '-cf', tar, '.'], { timeout: 60_000 });
      await run('docker', [...docker, 'import', tar, TEST_IMAGE], { timeout: 60_000 });
    } finally {
      await rm(tar, { force: true });
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return TEST_IMAGE;
}
