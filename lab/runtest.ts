import { pathToFileURL } from 'node:url';
import { asPlumbError } from '../reconciler/model/errors.ts';
import { labUp } from './lab.ts';

/**
 * Runs a command, usually `node --test FILE…`, as root of a fresh host with its own Docker and Open vSwitch, and takes the host down
 * afterwards. Resolves to the command's exit code. The lab is named after this process, so that several can run at once.
 */
export async function runInFreshHost(argv: readonly string[], signal?: AbortSignal): Promise<number> {
  const lab = await labUp({ name: `test-${String(process.pid)}`, hosts: 1, racks: 1, signal });
  try {
    return (await lab.exec('h1', argv, { stdio: 'inherit', signal })).code;
  } finally {
    await lab.down();
  }
}

/** `node dist/lab/runtest.js CMD [ARG…]` */
async function main(): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      stop.abort();
    });
  try {
    process.exitCode = await runInFreshHost(process.argv.slice(2), stop.signal);
  } catch (error) {
    const { code, message } = asPlumbError(error, 'LAB_FAILED');
    process.stderr.write(`${code}: ${message}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
