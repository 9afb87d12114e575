import { randomBytes, randomInt } from 'node:crypto';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Exec } from '../exec/exec.ts';
import { gathered } from '../exec/gather.ts';

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

/** `ip -batch` of the host, shared by all callers. Gives the errors of the caller's own lines. */
function hostBatch(exec: Exec, limit: number): (lines: readonly string[]) => Promise<readonly string[]> {
  return gathered<readonly string[], readonly string[]>(async (groups) => {
    const options = { input: groups.flat().join('\n'), signal: AbortSignal.timeout(limit), silent: true } as const;
    const finished = await exec.run('ip', ['-force', '-batch', '-'], options);
    const errors = batchErrors(finished.stderr);
    const total = finished.status !== 0 && errors.size === 0 ? finished.stderr || 'ip did not run' : undefined;
    let line = 0;
    return groups.map((lines) => {
      const own = lines.flatMap((_, i) => errors.get(line + i) ?? total ?? []);
      line += lines.length;
      return own;
    });
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
  // deleted one by one each link costs some 20 ms of waiting in the kernel, as a group they wait together
  const unlinkAll = gathered<readonly string[], undefined>(async (groups) => {
    const group = String(randomInt(2 ** 20, 2 ** 31));
    const devices = groups.flat();
    const lines = devices.map((device) => `link set dev ${device} group ${group}`);
    const errors = await host([...lines, `link del group ${group}`]);
    const real = errors.find((error) => !/Cannot find device|No such device/.test(error));
    if (real !== undefined) throw new PlumbError('PORT_FAILED', `${devices.join(', ')} could not be deleted: ${real}`);
    return groups.map(() => undefined);
  });
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
      if (devices.length > 0) await unlinkAll(devices);
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
