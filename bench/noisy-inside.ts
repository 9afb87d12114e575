/**
 * How fast plumb-quiet-0 counts, alone and beside the spinners of plumb-noise-*, in turns. Run in a host as `node noisy-inside.js
 * ROUNDS SECONDS`; prints `{"rates": [[ALONE, BESIDE], …], "cpus": [OWN, SPINNERS]}`, counts a second. Spinners are stopped and go on by signals, of which nobody else is told.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [rounds = '7', seconds = '4'] = process.argv.slice(2);
const docker = (...argv: readonly string[]): string => execFileSync('docker', argv, { encoding: 'utf8' }).trim();

const pid = docker('inspect', '-f', '{{.State.Pid}}', 'plumb-quiet-0');
/** What it has counted to; empty for an instant, while it writes. */
function count(): number {
  for (;;) {
    const text = readFileSync(`/proc/${pid}/root/dev/shm/count`, 'utf8');
    if (text.endsWith('\n')) return Number(text);
  }
}
const spinners = docker('ps', '--filter', 'name=plumb-noise-', '--format', '{{.Names}}')
  .split('\n')
  .flatMap((name) => docker('top', name, '-o', 'pid').split('\n').slice(1).map(Number));

function signal(name: NodeJS.Signals): void {
  for (const one of spinners) process.kill(one, name);
}

/** Counts a second. */
async function rate(): Promise<number> {
  await sleep(500);
  const [before, began] = [count(), performance.now()];
  await sleep(1000 * Number(seconds));
  return (1000 * (count() - before)) / (performance.now() - began);
}

const found: (readonly [number, number])[] = [];
for (let round = 0; round < Number(rounds); round += 1) {
  signal('SIGSTOP');
  const alone = await rate();
  signal('SIGCONT');
  found.push([alone, await rate()]);
}
const cpusOf = (one: number | string): string | undefined =>
  /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync(`/proc/${String(one)}/status`, 'utf8'))?.[1];
process.stdout.write(`${JSON.stringify({ rates: found, cpus: [cpusOf(pid), cpusOf(spinners[0] ?? 1)] })}\n`);
