import { randomBytes } from 'node:crypto';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Exec } from './exec.ts';

/** A veth pair to be made: its end on the host, and the process whose network namespace gets the other. */
export interface Pair {
  readonly device: string;
  readonly pid: number;
  readonly mtu: number;
}

/** Links of the host, by ip and tc. All throw PORT_FAILED with the program's words. */
export interface Links {
  /** Makes the pair and brings the host's end up. False: the sandbox has an eth0 already. */
  pair(pair: Pair): Promise<boolean>;
  /** Deletes links; one that is not there is no error. */
  unlink(devices: readonly string[]): Promise<void>;
  /** Brings it up; with a size, sets its MTU too. */
  raise(device: string, mtu?: number): Promise<void>;
  /** Devices that have an htb qdisc. */
  shaped(signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Why the NIC must not be plugged into a bridge; undefined when it may be. */
  refusal(nic: string, signal: AbortSignal): Promise<string | undefined>;
}

/** A fresh name for the host's end: 14 characters (15 is the limit), never one that was used before. */
export function freshDevice(): string {
  return `pl${randomBytes(6).toString('hex')}`;
}

/** The words of each line of a batch that failed, by 0-based line: iproute2 prints them before `Command failed -:N`. */
export function batchErrors(stderr: string): ReadonlyMap<number, string> {
  const errors = new Map<number, string>();
  let words: string[] = [];
  for (const line of stderr.split('\n')) {
    const failed = /^Command failed .*:(\d+)$/.exec(line.trim());
    if (failed) {
      errors.set(Number(failed[1]) - 1, words.join(' ') || 'failed');
      words = [];
    } else if (line.trim() !== '') {
      words.push(line.trim());
    }
  }
  return errors;
}

interface Queued {
  readonly lines: readonly string[];
  readonly settle: (errors: readonly string[]) => void;
}

/** `ip -batch` of the host: what is asked for while one runs shares the next. Gives the errors of the caller's own lines. */
function hostBatch(exec: Exec, limit: number): (lines: readonly string[]) => Promise<readonly string[]> {
  let queue: Queued[] = [];
  let busy = false;

  async function drain(): Promise<void> {
    if (busy) return;
    busy = true;
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      const input = batch.flatMap((queued) => queued.lines).join('\n');
      const finished = await exec.run('ip', ['-force', '-batch', '-'], { input, signal: AbortSignal.timeout(limit) });
      const errors = batchErrors(finished.stderr);
      const total = finished.status !== 0 && errors.size === 0 ? finished.stderr || 'ip did not run' : undefined;
      let line = 0;
      for (const queued of batch) {
        const own = queued.lines.flatMap((_, i) => errors.get(line + i) ?? total ?? []);
        line += queued.lines.length;
        queued.settle(own);
      }
    }
    busy = false;
  }

  return (lines) =>
    new Promise((settle) => {
      queue.push({ lines, settle });
      setImmediate(() => void drain());
    });
}

interface Address {
  readonly family: string;
  readonly local: string;
  readonly scope: string;
}
interface Link {
  readonly master?: string;
  readonly addr_info?: readonly Address[];
}

/** Why a NIC described by `ip -json addr show` and the default routes of `ip -json route` must be left alone. */
export function refusalOf(
  nic: string,
  links: readonly Link[],
  routes: readonly { readonly dev?: string }[],
): string | undefined {
  const advice =
    'name a NIC of its own for the replicas, or move the address to the bridge by hand and plug the NIC in yourself';
  const [link] = links;
  if (!link) return `the host has no NIC ${nic}`;
  const held = link.addr_info?.find((address) => address.scope === 'global');
  if (held) return `${nic} carries the host's address ${held.local}, which would be cut off; ${advice}`;
  if (routes.some((route) => route.dev === nic)) return `the host's default route leads over ${nic}; ${advice}`;
  if (link.master !== undefined && link.master !== 'ovs-system')
    return `${nic} belongs to ${link.master} already; ${advice}`;
  return undefined;
}

/** Links of this machine. `limit` is milliseconds that a program may take. */
export function systemLinks(exec: Exec, limit: number): Links {
  const host = hostBatch(exec, limit);
  const json = async (args: readonly string[], signal: AbortSignal): Promise<readonly never[]> => {
    const finished = await exec.run('ip', ['-json', ...args], { signal });
    const value: unknown = finished.stdout.trim() === '' ? [] : JSON.parse(finished.stdout);
    return Array.isArray(value) ? (value as never[]) : [];
  };
  return {
    async pair({ device, pid, mtu }) {
      const size = `mtu ${String(mtu)}`;
      const errors = await host([
        `link add ${device} ${size} type veth peer name eth0 ${size} netns ${String(pid)}`,
        `link set ${device} up`,
      ]);
      const [first] = errors;
      if (first === undefined) return true;
      if (first.includes('File exists')) return false;
      throw new PlumbError('PORT_FAILED', `the veth ${device} could not be made: ${first}`);
    },
    async unlink(devices) {
      if (devices.length === 0) return;
      const errors = await host(devices.map((device) => `link del ${device}`));
      const real = errors.find((error) => !/Cannot find device|No such device/.test(error));
      if (real !== undefined)
        throw new PlumbError('PORT_FAILED', `${devices.join(', ')} could not be deleted: ${real}`);
    },
    async raise(device, mtu) {
      const [error] = await host([`link set ${device} up${mtu === undefined ? '' : ` mtu ${String(mtu)}`}`]);
      if (error !== undefined) throw new PlumbError('PORT_FAILED', `${device} could not be brought up: ${error}`);
    },
    async shaped(signal) {
      const finished = await exec.run('tc', ['qdisc', 'show'], { signal });
      if (finished.status !== 0) throw new PlumbError('PORT_FAILED', `tc qdisc show: ${finished.stderr}`);
      const devices = finished.stdout.matchAll(/^qdisc htb \S+ dev (\S+)/gm);
      return new Set([...devices].map((match) => match[1] ?? ''));
    },
    async refusal(nic, signal) {
      const [links, routes] = await Promise.all([
        json(['address', 'show', 'dev', nic], signal),
        json(['route', 'show', 'default'], signal),
      ]);
      return refusalOf(nic, links, routes);
    },
  };
}
