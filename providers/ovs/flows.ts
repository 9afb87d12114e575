import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Exec } from './exec.ts';

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
export function flowsOf(fleet: string, port: Guarded): readonly string[] {
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
  cookies(fleet: string, bridge: string, age: number, signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Makes the flows of these ports the fleet's only ones; what is asked for meanwhile shares the next run. */
  sync(fleet: string, bridge: string, ports: () => readonly Guarded[]): Promise<void>;
}

interface Read {
  readonly cookies: ReadonlySet<string>;
  readonly incarnation: string;
  readonly at: number;
}

/** Flows by ovs-ofctl. `runDir` holds ovs-vswitchd's sockets; one is made anew whenever it starts. `limit` is milliseconds. */
export function systemFlows(exec: Exec, runDir: string, limit: number): Flows {
  const reads = new Map<string, Read>();
  const next = new Map<string, Promise<void>>();
  const running = new Map<string, Promise<void>>();

  async function incarnation(bridge: string): Promise<string> {
    const file = await stat(`${runDir}/${bridge}.mgmt`).catch(() => undefined);
    return file ? `${String(file.ino)} ${String(file.ctimeMs)}` : 'none';
  }

  async function ofctl(args: readonly string[], input: string | undefined, signal: AbortSignal): Promise<string> {
    const finished = await exec.run('ovs-ofctl', args, { signal, ...(input === undefined ? {} : { input }) });
    if (finished.status === 0) return finished.stdout;
    throw new PlumbError('OVS_UNAVAILABLE', `ovs-ofctl ${args.join(' ')}: ${finished.stderr || 'no answer'}`);
  }

  async function replace(fleet: string, bridge: string, ports: () => readonly Guarded[]): Promise<void> {
    const bundle = bundleOf(fleet, ports());
    reads.delete(bridge);
    await ofctl(['--bundle', 'add-flows', bridge, '-'], bundle, AbortSignal.timeout(limit));
  }

  return {
    async cookies(fleet, bridge, age, signal) {
      const now = performance.now();
      const current = await incarnation(bridge);
      const read = reads.get(bridge);
      if (read?.incarnation === current && now - read.at <= age) return read.cookies;
      const args = ['--no-names', 'dump-flows', bridge, `cookie=0x${prefix(fleet)}00000000/0xffffffff00000000`];
      const cookies = wholeCookies(await ofctl(args, undefined, signal));
      reads.set(bridge, { cookies, incarnation: current, at: now });
      return cookies;
    },
    sync(fleet, bridge, ports) {
      const waiting = next.get(bridge);
      if (waiting) return waiting;
      const before = running.get(bridge) ?? Promise.resolve();
      const run = before
        .catch(() => undefined)
        .then(async () => {
          await new Promise((resolve) => setImmediate(resolve));
          next.delete(bridge);
          running.set(bridge, run);
          await replace(fleet, bridge, ports);
        });
      next.set(bridge, run);
      return run;
    },
  };
}
