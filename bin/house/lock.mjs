import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';

/**
 * Runs the body while no other process on this machine runs one under the same folder.
 * Each contender writes a file of its own and then looks for others: of two, at least one sees the other and steps back, so no stale file can ever be taken over wrongly.
 * @template T
 * @param {string} folder
 * @param {() => Promise<T>} body
 * @param {(holder: number) => void} [waiting] called once, with the pid that is waited for
 * @returns {Promise<T>}
 */
export async function withLock(folder, body, waiting = () => {}) {
  mkdirSync(folder, { recursive: true });
  const mine = `${process.pid}-${startTime(process.pid)}`;
  let told = false;
  for (;;) {
    writeFileSync(join(folder, mine), '');
    const other = readdirSync(folder).find((name) => name !== mine && isAlive(folder, name));
    if (other === undefined) break;
    rmSync(join(folder, mine), { force: true });
    if (!told) waiting(Number.parseInt(other, 10));
    told = true;
    await sleep(100 + Math.random() * 300);
  }
  try {
    return await body();
  } finally {
    rmSync(join(folder, mine), { force: true });
  }
}

/**
 * Whether the contender's process still runs; the file of a dead one is removed.
 * @param {string} folder
 * @param {string} name
 */
function isAlive(folder, name) {
  const [pid = '', started] = name.split('-');
  if (startTime(Number(pid)) === started) return true;
  rmSync(join(folder, name), { force: true });
  return false;
}

/**
 * When the process started, which tells a recycled pid apart: kernel ticks, `x` where there is no /proc, empty when it does not run.
 * @param {number} pid
 */
export function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    if (process.platform === 'linux') return '';
  }
  try {
    process.kill(pid, 0);
    return 'x';
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM' ? 'x' : '';
  }
}
