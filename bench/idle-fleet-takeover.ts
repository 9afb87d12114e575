import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CONTROLLER_LEASE } from '../reconciler/loop/hearing.ts';
import { replicaId } from '../reconciler/model/replica.ts';
import type { Ports } from '../reconciler/model/store.ts';

const SCRIPT = fileURLToPath(new URL('./idle-fleet-standby.js', import.meta.url));
/** As a controller holds its lease. */
const [TTL, RENEWED] = [8_000, 2_000];
/** The longest that the other one may take to be ready, and then to lead, milliseconds. */
const DEADLINE = 600_000;

/** Leads, as far as the store knows, until the work is done; gives when it last said so, `performance.now()`. */
async function leadUntil(leases: Ports['leases'], work: Promise<unknown>): Promise<number> {
  const stop = new AbortController();
  const done = work.finally(() => stop.abort());
  done.catch(() => undefined); // it is awaited below, once the lease is let be
  while (!stop.signal.aborted) {
    await leases.acquire(CONTROLLER_LEASE, 'leader', TTL);
    await sleep(RENEWED, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  await done;
  await leases.acquire(CONTROLLER_LEASE, 'leader', TTL);
  return performance.now();
}

/** Fails when a process ends before its time, or has worked for too long. */
async function failing(child: ChildProcess): Promise<never> {
  const signal = AbortSignal.timeout(DEADLINE);
  const [code, by] = (await once(child, 'exit', { signal })) as [number | null, string | null];
  throw new Error(`the controller that stood by ended: ${String(code ?? by)}`);
}

/**
 * A leader dies just after it has renewed its lease, and Git says something else of one App, whose host has to be told by the controller that
 * stood by: milliseconds from the leader's last word until that is in Redis.
 */
export async function takeOver(url: string, scale: number, app: string, { leases, ...store }: Ports): Promise<number> {
  const last = await leases.get(CONTROLLER_LEASE);
  if (last) await leases.release(last);
  const { host = '' } = (await store.reservations.snapshot()).placements.get(replicaId(app, 0)) ?? {};
  const before = (await store.mailbox.assignment(host))?.generation ?? 0;
  // the leader has to be there first
  await leases.acquire(CONTROLLER_LEASE, 'leader', TTL);
  const child = fork(SCRIPT, [url, String(scale)]);
  const gone = failing(child);
  gone.catch(() => undefined); // that it ends in the end is right
  try {
    const died = await leadUntil(leases, Promise.race([once(child, 'message'), gone]));
    child.send(app);
    while (!(await store.mailbox.assignment(host, before))) await Promise.race([sleep(10), gone]);
    const took = performance.now() - died;
    const ended = once(child, 'exit');
    child.send('');
    await ended;
    return took;
  } finally {
    child.kill('SIGKILL');
  }
}
