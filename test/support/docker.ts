import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs the docker program on the default socket and gives what it prints. */
export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { timeout: 60_000 })).stdout.trim();
}

/** Removes all containers whose name begins so. */
export async function removeContainers(prefix: string): Promise<void> {
  const ids = await docker('ps', '-aq', '--filter', `name=^/${prefix}`);
  if (ids !== '') await docker('rm', '-f', ...ids.split('\n'));
}
