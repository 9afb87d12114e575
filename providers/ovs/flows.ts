import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Exec } from '../exec/exec.ts';
import { gathered } from '../exec/gather.ts';

/** A port whose frames must carry its own addresses. */
export interface Guarded {
  readonly ofport: number;
  readonly mac: string;
  readonly address: string;
}

/** `PL`, then 16 bits of the fleet, then 32 of the port: what else is in the table is never touched. */
function prefix(fleet: string): string {
  return `504c${createHash('sha256').update(fleet).digest('hex').slice(0, 4)}`;
}

/** The cookie of one port's flows, as 16 hexadecimal digits; another number, MAC or address gives another cookie. */
export function cookieOf(fleet: string, { ofport, mac, address }: Guarded): string {
  const text = `${String(ofport)} ${mac} ${address}`;
  return `${prefix(fleet)}${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
}

/** The flows of one port: ARP and IPv4 from its own MAC and address as if there were no flows, nothing else. */
function flowsOf(fleet: string, port: Guarded): readonly string[] {
  const head = (priority: number): string =>
    `cookie=0x${cookieOf(fleet, port)},table=0,priority=${String(priority)},in_port=${String(port.ofport)}`;
  const source = `dl_src=${port.mac}`;
  return [
    `${head(2110)},arp,${source},arp_sha=${port.mac},arp_spa=${port.address},actions=NORMAL`,
    `${head(2110)},ip,${source},nw_src=${port.address},actions=NORMAL`,
    `${head(2100)},actions=drop`,
  ];
}

/** Text of a bundle that makes these the fleet's only flows, all at once. */
export function bundleOf(fleet: string, ports: readonly Guarded[]): string {
  const old = `delete cookie=0x${prefix(fleet)}00000000/0xffffffff00000000`;
  return [old, ...ports.flatMap((port) => flowsOf(fleet, port).map((flow) => `add ${flow}`)), ''].join('\n');
}

/** The cookies under which a dump has a port's flows whole: two that pass on and one that drops. */
export function wholeCookies(dump: string): ReadonlySet<string> {
  const actions = new Map<string, string[]>();
  for (const match of dump.matchAll(/cookie=0x([0-9a-f]+),.* actions=(\S+)/g)) {
    const cookie = (match[1] ?? '').padStart(16, '0');
    actions.set(cookie, [...(actions.get(cookie) ?? []), match[2] ?? '']);
  }
  const whole = [...actions].filter(([, list]) => list.sort().join() === 'NORMAL,NORMAL,drop');
  return new Set(whole.map(([cookie]) => cookie));
}

/** The fleet's flows on a host's bridges. All throw OVS_UNAVAILABLE when ovs-vswitchd does not answer. */
export interface Flows {
  /** Cookies of the ports whose flows are whole, as last read; read again when old (milliseconds) or when ovs-vswitchd is another. */
  cookies(bridge: string, age: number, signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Makes the flows of these ports the fleet's only ones; what is asked for meanwhile shares the next run. */
  sync(fleet: string, bridge: string, ports: () => readonly Guarded[]): Promise<undefined>;
}

interface Sync {
  readonly fleet: string;
  readonly ports: () => readonly Guarded[];
}
interface Read {
  readonly cookies: ReadonlySet<string>;
  readonly incarnation: string;
  readonly at: number;
}

/** Flows by ovs-ofctl. `runDir` holds ovs-vswitchd's sockets; one is made anew whenever it starts. `limit` is milliseconds. */
export function systemFlows(exec: Exec, runDir: string, limit: number): Flows {
  const reads = new Map<string, Read>();
  const dumps = new Map<string, (signal: AbortSignal) => Promise<Read>>();
  const syncs = new Map<string, (sync: Sync) => Promise<undefined>>();
  const busy = new Set<string>();

  async function incarnation(bridge: string): Promise<string> {
    const file = await stat(`${runDir}/${bridge}.mgmt`).catch(() => undefined);
    return file ? `${String(file.ino)} ${String(file.ctimeMs)}` : 'none';
  }

  async function ofctl(args: readonly string[], input?: string): Promise<string> {
    const options = { signal: AbortSignal.timeout(limit), ...(input === undefined ? {} : { input }) };
    const finished = await exec.run('ovs-ofctl', args, options);
    if (finished.status === 0) return finished.stdout;
    throw new PlumbError('OVS_UNAVAILABLE', `ovs-ofctl ${args.join(' ')}: ${finished.stderr || 'no answer'}`);
  }

  async function dump(bridge: string, asked: readonly AbortSignal[]): Promise<readonly Read[]> {
    const at = performance.now();
    const current = await incarnation(bridge);
    const text = await ofctl(['--no-names', 'dump-flows', bridge, 'cookie=0x504c000000000000/0xffff000000000000']);
    const read = { cookies: wholeCookies(text), incarnation: current, at };
    // a sync that ran meanwhile knows better
    if ((reads.get(bridge)?.at ?? 0) < at && !busy.has(bridge)) reads.set(bridge, read);
    return asked.map(() => read);
  }

  async function replace(bridge: string, asked: readonly Sync[]): Promise<readonly undefined[]> {
    busy.add(bridge);
    try {
      for (const fleet of new Set(asked.map((one) => one.fleet))) {
        const ports = asked.findLast((one) => one.fleet === fleet)?.ports() ?? [];
        reads.delete(bridge);
        const current = await incarnation(bridge);
        await ofctl(['--bundle', 'add-flows', bridge, '-'], bundleOf(fleet, ports));
        const cookies = new Set(ports.map((port) => cookieOf(fleet, port)));
        reads.set(bridge, { cookies, incarnation: current, at: performance.now() });
      }
    } finally {
      busy.delete(bridge);
    }
    return asked.map(() => undefined);
  }

  return {
    async cookies(bridge, age, signal) {
      signal.throwIfAborted();
      const read = reads.get(bridge);
      if (read && performance.now() - read.at <= age && read.incarnation === (await incarnation(bridge)))
        return read.cookies;
      const run = dumps.get(bridge) ?? gathered<AbortSignal, Read>((asked) => dump(bridge, asked));
      dumps.set(bridge, run);
      return (await run(signal)).cookies;
    },
    sync(fleet, bridge, ports) {
      const run = syncs.get(bridge) ?? gathered<Sync, undefined>((asked) => replace(bridge, asked));
      syncs.set(bridge, run);
      return run({ fleet, ports });
    },
  };
}
