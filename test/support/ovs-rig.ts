import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Change, Desired, Known, Observed } from '../../reconciler/model/change.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import { nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import { macOf } from '../../reconciler/model/replica.ts';
import type { BridgeSpec, PortSpec } from '../../reconciler/model/resources.ts';
import type { OvsSpec, OvsState } from '../../providers/ovs/index.ts';
import type { PortSeen } from '../../providers/ovs/state.ts';

/** Runs a program to its end and gives what it wrote; throws if it fails. */
export function sh(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Whether a program ends well. */
export function ok(file: string, ...args: string[]): boolean {
  try {
    sh(file, ...args);
    return true;
  } catch {
    return false;
  }
}

/** Until the check holds, at most so many milliseconds. */
export async function until(check: () => boolean | Promise<boolean>, limit = 60_000): Promise<void> {
  const end = performance.now() + limit;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not so within ${String(limit)} ms: ${check.toString()}`);
    await sleep(50);
  }
}

/** Until somebody listens on a TCP port of the network namespace that a process is in. */
export async function listens(pid: number | undefined, port: number): Promise<void> {
  const row = new RegExp(`^ *\\d+: \\S+:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `, 'm');
  const home = readlinkSync('/proc/self/ns/net');
  await until(
    () =>
      readlinkSync(`/proc/${String(pid)}/ns/net`) !== home &&
      ['tcp', 'tcp6'].some((table) => row.test(readFileSync(`/proc/${String(pid)}/net/${table}`, 'latin1'))),
  );
}

export const FLEET = 'ovs-test';

export interface Rig {
  readonly ctx: Context;
  readonly provider: Provider<OvsSpec, OvsState>;
  /** Starts a process in a network namespace of its own and makes it the replica's sandbox. */
  sandbox(replica: string): Promise<number>;
  /** Runs a program in the replica's network namespace. */
  inside(replica: string, ...command: string[]): string;
  /** Whether an answer comes within so many seconds, ten unless told: a busy machine may take long to switch the first frame. */
  pings(from: string, to: string, seconds?: number): boolean;
  pid(replica: string): number;
  /** Observes, diffs and applies what is wanted, once; gives the changes that were made. */
  converge(...wanted: readonly Desired<OvsSpec>[]): Promise<readonly Change<OvsSpec>[]>;
  changes(...wanted: readonly Desired<OvsSpec>[]): Promise<readonly Change<OvsSpec>[]>;
  port(replica: string): Promise<Known<PortSeen>>;
  /** Ends the sandboxes and deletes all that carries the fleet's mark. */
  clear(): Promise<void>;
}

const origin = { revision: 'test', file: 'test.yaml', line: 1, column: 1 };

/** What is wanted, as the plan would say it. */
export function wantBridge(spec: BridgeSpec): Desired<OvsSpec> {
  return { ref: refOf('bridge', spec.name), spec, dependsOn: [], origin };
}

function portSpec(replica: string, address: string, more: Partial<PortSpec> = {}): PortSpec {
  const vlan = more.vlan ?? 100;
  const fixed = { replica, bridge: 'br-test', datapath: 'netdev', prefix: 24, mtu: 1500, antiSpoofing: false } as const;
  return { ...fixed, vlan, address, mac: macOf(vlan, address), ...more };
}

export function wantPort(replica: string, address: string, more: Partial<PortSpec> = {}): Desired<OvsSpec> {
  return { ref: refOf('port', replica), spec: portSpec(replica, address, more), dependsOn: [], origin };
}

export function wantConfig(key: string, value: string): Desired<OvsSpec> {
  return { ref: refOf('ovs-config', key), spec: { key, value }, dependsOn: [], origin };
}

/** A world with sandboxes of our own making. */
export function rig(provider: Provider<OvsSpec, OvsState>): Rig {
  const children = new Map<string, ChildProcess>();
  const world = new Map<Ref, Observed>();
  let serial = 0;
  const ctx: Context = { signal: new AbortController().signal, fleet: FLEET, world };

  const pid = (replica: string): number => children.get(replica)?.pid ?? -1;
  const observe = async (wanted: readonly Desired<OvsSpec>[]): Promise<readonly Observed<OvsState>[]> =>
    provider.observe(
      ctx,
      wanted.map((one) => one.ref),
    );

  async function changes(...wanted: readonly Desired<OvsSpec>[]): Promise<readonly Change<OvsSpec>[]> {
    return provider.diff(wanted, await observe(wanted));
  }

  return {
    ctx,
    provider,
    pid,
    changes,
    async sandbox(replica) {
      children.get(replica)?.kill('SIGKILL');
      const child = spawn('unshare', ['-n', 'sleep', '600'], { stdio: 'ignore' });
      children.set(replica, child);
      const home = readlinkSync('/proc/self/ns/net');
      await until(() => readlinkSync(`/proc/${String(child.pid)}/ns/net`) !== home);
      const ref = refOf('sandbox', replica);
      const state = { id: `sandbox-${String((serial += 1))}`, running: true, pid: child.pid, fingerprint: '' };
      world.set(ref, { known: true, ref, owned: true, state });
      return child.pid ?? -1;
    },
    inside: (replica, ...command) => sh('nsenter', `--net=/proc/${String(pid(replica))}/ns/net`, ...command),
    pings: (from, to, seconds = 10) => {
      const ping = ['ping', '-q', '-c', '1', '-i', '0.2', '-w', String(seconds), to];
      return ok('nsenter', `--net=/proc/${String(pid(from))}/ns/net`, ...ping);
    },
    async converge(...wanted) {
      const made = await changes(...wanted);
      await Promise.all(made.map((change) => provider.apply(change, ctx)));
      return made;
    },
    async port(replica) {
      const [seen] = await provider.observe(ctx, [refOf('port', replica)]);
      if (seen?.known !== true) throw new Error(`port/${replica} is not known: ${JSON.stringify(seen)}`);
      return seen as Known<PortSeen>;
    },
    async clear() {
      const seen = await provider.observe(ctx);
      const gone = provider.diff([], seen).filter((change) => nameOf(change.ref) !== '');
      for (const kind of ['port/', 'bridge/', 'ovs-config/'])
        await Promise.all(
          gone.filter((change) => change.ref.startsWith(kind)).map((change) => provider.apply(change, ctx)),
        );
      // a bridge is judged again once its ports are gone
      for (const change of provider.diff([], await provider.observe(ctx))) await provider.apply(change, ctx);
      for (const child of children.values()) child.kill('SIGKILL');
    },
  };
}
