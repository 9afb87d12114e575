import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remoteView } from '../cli/local.ts';
import { endChild } from '../test/support/child.ts';
import { measure, type BenchOptions, type BenchResult } from './bench.ts';
import { app, fleet, setRig, type Rig } from './rig.ts';

/** Pid of `plumb up` as this machine sees it. */
function pidOf(rig: Rig): number {
  const state = join(rig.dir, 'state');
  const found = readdirSync('/proc').find((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return line[0] === process.execPath && line.includes('up') && line.includes(state);
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error('plumb up is not to be found');
  return Number(found);
}

/** Sysctls of a network namespace, with values that are not the kernel's: so many make sixty knobs, with those of Open vSwitch. */
const SYSCTLS: Readonly<Record<string, number | string>> = {
  ...Object.fromEntries(
    ['all', 'default', 'lo'].flatMap((name) =>
      Object.entries({
        accept_redirects: 0,
        accept_source_route: 0,
        arp_announce: 2,
        arp_filter: 1,
        arp_ignore: 1,
        log_martians: 1,
        rp_filter: 2,
        secure_redirects: 0,
        send_redirects: 0,
        shared_media: 0,
      }).map(([key, value]) => [`net.ipv4.conf.${name}.${key}`, value] as const),
    ),
  ),
  ...Object.fromEntries(
    Object.entries({
      tcp_keepalive_time: 601,
      tcp_keepalive_intvl: 61,
      tcp_keepalive_probes: 8,
      tcp_fin_timeout: 21,
      tcp_syn_retries: 4,
      tcp_synack_retries: 4,
      tcp_retries1: 4,
      tcp_retries2: 12,
      tcp_orphan_retries: 2,
      tcp_max_syn_backlog: 4096,
      tcp_max_tw_buckets: 65_536,
      tcp_slow_start_after_idle: 0,
      tcp_mtu_probing: 1,
      tcp_no_metrics_save: 1,
      tcp_notsent_lowat: 131_072,
      tcp_rfc1337: 1,
      tcp_sack: 1,
      tcp_timestamps: 1,
      tcp_window_scaling: 1,
      tcp_ecn: 1,
      tcp_fastopen: 3,
      tcp_abort_on_overflow: 1,
      icmp_echo_ignore_broadcasts: 1,
      icmp_ratelimit: 500,
      ip_default_ttl: 63,
      igmp_max_memberships: 40,
      ip_local_port_range: '20000 60999',
    }).map(([key, value]) => [`net.ipv4.${key}`, value]),
  ),
  'net.core.somaxconn': 8192,
};
const TUNING = `apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: sixty }\nspec: ${JSON.stringify({
  hosts: {},
  sysctls: SYSCTLS,
  ovs: { otherConfig: { 'max-idle': 15_000, 'flow-limit': 150_000 } },
})}\n`;

/** Nothing to do at 100 containers and 60 knobs: a pass beside the floor's own look, and what an idle `up` costs. */
export async function run({ signal, seconds = 600, log }: BenchOptions): Promise<BenchResult> {
  const rig = await setRig('noop', { 'web.yaml': app(100), 'tuning.yaml': TUNING }, signal);
  try {
    const state = join(rig.dir, 'state');
    const argv = rig.plumb('up', '-q', '--log-level', 'debug');
    const child = rig.lab.spawn('h1', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    const passes: number[] = [];
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { refs, changes, ms } = JSON.parse(line.startsWith('{') ? line : '{}') as {
          refs?: unknown;
          changes?: number;
          ms?: number;
        };
        if (refs === '*' && changes === 0 && ms !== undefined) passes.push(ms);
      }
    });
    const view = remoteView(join(state, 'plumb.sock'));
    for (let tries = 0; tries < 600 && !(await view.status().catch(() => undefined)); tries += 1) await sleep(100);
    await view.settle(signal);
    await sleep(5000);
    passes.length = 0;
    rig.commit({ 'fleet.yaml': fleet('resync: 1s, poll: 2s') });
    await view.settle(signal);
    await sleep(2000);
    passes.length = 0;
    await sleep(22_000);
    const ours = [...passes];
    rig.commit({ 'fleet.yaml': fleet('poll: 10s') });
    await sleep(5000);
    await view.settle(signal);
    const look = async (...how: readonly number[]): Promise<number[]> =>
      JSON.parse(await rig.run(process.execPath, rig.script('floor/look.js'), ...how.map(String))) as number[];
    const floor = await look();
    const pid = pidOf(rig);
    const ticks = (): number => {
      const fields =
        readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
          .split(') ')[1]
          ?.split(' ') ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    passes.length = 0;
    const before = ticks();
    log(`idle for ${String(seconds)} s`);
    // as seldom as the passes: what is done twice a minute finds no cache warm
    const [seldom, whole] = await Promise.all([
      look(Math.floor(seconds / 30), 29_000),
      sleep(14_500).then(() => look(Math.floor(seconds / 30) - 1, 29_000, 2)),
      sleep(seconds * 1000),
    ]);
    const share = (ticks() - before) / seconds;
    const atRest = [...passes];
    const rss = Number(/^VmRSS:\s+([0-9]+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024;
    const [host] = (await view.status()).hosts;
    log(`knobs: ${JSON.stringify(host?.knobs)}`);
    await endChild(child);
    return {
      name: 'noop',
      measures: [
        measure('floor: one look', 'ms', floor),
        measure('plumb: one full pass', 'ms', ours, { yardstick: { name: 'floor', samples: floor }, ratioLimit: 1.5 }),
        ...(atRest.length === 0 || seldom.length === 0
          ? []
          : [
              measure('floor: as seldom', 'ms', seldom),
              measure('floor: as seldom, each second look at all that up reads', 'ms', whole),
              measure('idle up: full passes', 'ms', atRest, {
                yardstick: { name: 'floor of the same reads', samples: whole },
                ratioLimit: 1.5,
              }),
            ]),
        measure('idle up: CPU', '% of a core', [share], { limit: 1 }),
        measure('idle up: memory', 'MB', [rss], { limit: 150 }),
      ],
      notes: [
        `idle measured over ${String(seconds)} s; a pass is one list call of Docker (held by a counting test), the floor the same list and reads`,
        'passes every second read what nobody announces but once in 45 s; of those of an idle up each second one does',
      ],
    };
  } finally {
    await rig.down();
  }
}
