import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixedPart, fixedSandboxPart } from '../providers/containers/spec.ts';
import { appearanceOf } from '../providers/simulated/appearance.ts';
import { steadyClock } from '../reconciler/loop/clock.ts';
import { createRehearsal, type Rehearsal, type Tally } from '../reconciler/loop/rehearsal/rehearsal.ts';
import { expand } from '../reconciler/plan/expand.ts';
import { createReopening } from '../reconciler/store/reopening.ts';
import type { LogFlags } from './flags.ts';
import { operationalLog } from './log.ts';
import { fleetStore, type StoreFlags } from './fleet-store.ts';
import type { Io } from './io.ts';
import { rehearsalOf, type RehearsalFlags } from './rehearsal-options.ts';
import type { ServeFlags } from './serve.ts';

/** `plumb agent --simulated HOSTS`: until SIGINT or SIGTERM, then their leases are let go; 0 after that. Throws USAGE, STORE_LOCKED. */
export async function rehearse(
  count: string,
  flags: RehearsalFlags & StoreFlags & LogFlags & ServeFlags,
  io: Io,
): Promise<number> {
  const { hosts, behaviour, capacity, every } = rehearsalOf(count, flags);
  const far = createReopening(fleetStore(flags, { writer: 'simulated' }, io));
  const rehearsal = createRehearsal({
    hosts,
    holder: `simulated on ${hostname()}/${randomUUID().slice(0, 8)}`,
    far,
    facts: (host) => ({ hostname: host, machineId: '', addresses: [], capacity, kernel: 'simulated', cgroup: 'v2' }),
    behaviour,
    appearance: (host) => (assignment, containers) =>
      appearanceOf({
        host,
        fleet: assignment.fleet,
        desired: expand(assignment),
        containers,
        fixed: { container: fixedPart, sandbox: fixedSandboxPart },
      }),
    clock: steadyClock(),
    random: Math.random,
    log: operationalLog(flags),
  });
  far.onBack(() => {
    rehearsal.resend();
  });
  const ended = new AbortController();
  const telling = tellOften(rehearsal, every, flags, io, ended.signal);
  try {
    if (flags.quiet !== true)
      io.err(`plumb agent of ${count} simulated hosts, ${hosts[0] ?? ''} to ${hosts.at(-1) ?? ''}\n`);
    await rehearsal.run(io.signal);
  } finally {
    ended.abort();
    await telling;
    await far.close();
  }
  return 0;
}

async function tellOften(
  rehearsal: Rehearsal,
  every: number,
  { output, quiet }: ServeFlags,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  let before = rehearsal.tally();
  while (quiet !== true && !signal.aborted) {
    await sleep(every, undefined, { signal }).catch(() => undefined);
    const now = rehearsal.tally();
    io.out(
      output === 'json' ? `${JSON.stringify({ version: 1, at: Date.now(), ...now })}\n` : line(now, before, every),
    );
    before = now;
  }
}

/** As `600 hosts, 598 heard, 2 silent; 600 replicas, 597 ready, 2 starting, 1 crashing; 300 renewals and 4 reports a second`. */
function line(now: Tally, before: Tally, every: number): string {
  const rate = (of: 'renewals' | 'reports'): string => ((now[of] - before[of]) / (every / 1000)).toFixed(0);
  const some = (count: number, word: string): string => (count === 0 ? '' : `, ${String(count)} ${word}`);
  const hosts = `${String(now.hosts)} hosts, ${String(now.heard)} heard${some(now.silent, 'silent')}`;
  const replicas = `${String(now.replicas)} replicas, ${String(now.ready)} ready${some(now.starting, 'starting')}${some(now.stopping, 'stopping')}${some(now.crashing, 'crashing')}`;
  const trouble = some(now.failures - before.failures, 'calls failed');
  return `${hosts}; ${replicas}; ${rate('renewals')} renewals and ${rate('reports')} reports a second${trouble}\n`;
}
