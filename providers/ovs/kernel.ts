import { readFileSync } from 'node:fs';

/** What is seen of a sandbox's eth0 without entering its network namespace. A member is absent where it could not be read. */
export interface Seen {
  readonly address?: boolean;
  readonly gateway?: boolean;
  readonly mac?: string;
  readonly mtu?: number;
  /** False: the namespace has no eth0 at all. Looked for only where the address is missing. */
  readonly device?: false;
}

/** What the kernel says about links: files of /sys and /proc, some hundredths of a millisecond each, so they are read synchronously. */
export interface Kernel {
  /** `up`: both ends of the veth are there and up. */
  device(name: string): 'up' | 'down' | 'absent';
  /** The end of the host's device that a process's network namespace has; `known`: with the MAC and MTU that were read last, if any were. */
  inside(pid: number, device: string, address: string, gateway: string | undefined, link: 'read' | 'known'): Seen;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** An IPv4 address as /proc/net/route writes it: hexadecimal, in the order of a little-endian machine. */
export function routeHex(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return bytes.reverse().join('').toUpperCase();
}

/** Whether /proc/net/fib_trie has it as an address of the namespace itself. */
export function isLocal(fibTrie: string, address: string): boolean {
  const line = `|-- ${address}\n`;
  for (let at = fibTrie.indexOf(line); at >= 0; at = fibTrie.indexOf(line, at + 1)) {
    const next = at + line.length;
    const end = fibTrie.indexOf('\n', next);
    if (
      fibTrie
        .slice(next, end < 0 ? undefined : end)
        .trimStart()
        .startsWith('/32 host LOCAL')
    )
      return true;
  }
  return false;
}

/** Whether /proc/net/route has a default route over this gateway, or, without one, none. */
export function routesBy(routes: string, gateway: string | undefined): boolean {
  const defaults = routes
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((columns) => columns[1] === '00000000' && columns[7] === '00000000');
  if (gateway === undefined) return defaults.length === 0;
  return defaults.some((columns) => columns[2] === routeHex(gateway));
}

/** More devices than this are not remembered. */
const MOST = 2000;

/** The other end of a veth, in the network namespace of a process. */
interface Peer extends Pick<Seen, 'mac' | 'mtu'> {
  readonly pid: number;
}

/** The kernel of this machine; the roots are /sys and /proc. */
export function systemKernel(sysRoot: string, procRoot: string): Kernel {
  /** Of which process's /sys it is known to be that of the device's peer: both ends of a veth have their numbers for life. */
  const known = new Map<string, Peer>();

  // the process's /sys may be another namespace's: only the very peer counts
  function isPeer(pid: number, device: string): boolean {
    const peer = read(`${sysRoot}/class/net/${device}/iflink`);
    return peer !== undefined && read(`${procRoot}/${String(pid)}/root/sys/class/net/eth0/ifindex`) === peer;
  }

  function peerOf(pid: number, device: string, link: 'read' | 'known'): Peer | undefined {
    const before = known.get(device);
    const same = before?.pid === pid;
    if (same && link === 'known') return before;
    if (!same && !isPeer(pid, device)) return undefined;
    const own = `${procRoot}/${String(pid)}/root/sys/class/net/eth0`;
    const [mac, mtu] = [read(`${own}/address`)?.trim(), read(`${own}/mtu`)?.trim()];
    const now = { pid, ...(mac === undefined ? {} : { mac }), ...(mtu === undefined ? {} : { mtu: Number(mtu) }) };
    if (known.size >= MOST) known.clear();
    known.set(device, now);
    return now;
  }

  return {
    device(name) {
      const carrier = read(`${sysRoot}/class/net/${name}/carrier`); // cannot be read while the device is down
      if (carrier !== undefined) return carrier.startsWith('1') ? 'up' : 'down';
      return read(`${sysRoot}/class/net/${name}/ifindex`) === undefined ? 'absent' : 'down';
    },
    inside(pid, device, address, gateway, link) {
      const proc = `${procRoot}/${String(pid)}`;
      const trie = read(`${proc}/net/fib_trie`);
      const routes = read(`${proc}/net/route`);
      const { mac, mtu } = peerOf(pid, device, link) ?? {};
      const local = trie === undefined ? undefined : isLocal(trie, address);
      const none = local === false && /^ *eth0:/m.exec(read(`${proc}/net/dev`) ?? 'eth0:') === null;
      return {
        ...(local === undefined ? {} : { address: local }),
        ...(none ? { device: false } : {}),
        ...(routes === undefined ? {} : { gateway: routesBy(routes, gateway) }),
        ...(mac === undefined ? {} : { mac }),
        ...(mtu === undefined ? {} : { mtu }),
      };
    },
  };
}
