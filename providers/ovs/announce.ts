import type { Exec } from '../exec/exec.ts';
import { gathered } from '../exec/gather.ts';

/** Who has an address, and behind which bridge. */
export interface Announcement {
  readonly bridge: string;
  /** Number of the port now; undefined once it is gone. */
  readonly ofport: () => number | undefined;
  readonly mac: string;
  readonly address: string;
}

/** Tells the wire who has an address: ARP requests and replies at once and again after 1, 2 and 4 s, in the background. */
export type Announce = (announcement: Announcement) => void;

/** Milliseconds after the first. More than one second apart: Linux takes a new address of a neighbour only so often (locktime). */
const AGAIN = [1100, 2200, 4400] as const;
/** Repetitions go out at multiples of this, milliseconds, all that are due in one run; so they stay as far apart. */
const TOGETHER = 1100;

function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A gratuitous ARP frame (RFC 5227, 3) without a VLAN tag, as hexadecimal digits. Some machines heed requests only, some replies only. */
export function gratuitousArp(kind: 'request' | 'reply', mac: string, address: string): string {
  const own = mac.replaceAll(':', '');
  const ip = hex(address.split('.').map(Number));
  const target = kind === 'request' ? '000000000000' : own;
  return `ffffffffffff${own}08060001080006040${kind === 'request' ? '001' : '002'}${own}${ip}${target}${ip}`;
}

/** Lines for `ovs-ofctl bundle`: frames that enter the bridge as if the port had sent them. */
export function announcementLines({ ofport, mac, address }: Announcement): readonly string[] {
  const port = ofport();
  if (port === undefined || port <= 0) return [];
  return (['request', 'reply'] as const).map(
    (kind) => `packet-out in_port=${String(port)},packet=${gratuitousArp(kind, mac, address)},actions=NORMAL`,
  );
}

/** Announces by ovs-ofctl, in one run for all that is due. A lost one is no error: the replica's first frame says the same. */
export function systemAnnounce(exec: Exec, limit: number): Announce {
  const send = gathered<Announcement, undefined>(async (due) => {
    for (const bridge of new Set(due.map((one) => one.bridge))) {
      const lines = due.filter((one) => one.bridge === bridge).flatMap(announcementLines);
      const options = { input: `${lines.join('\n')}\n`, signal: AbortSignal.timeout(limit) };
      if (lines.length > 0) await exec.run('ovs-ofctl', ['-O', 'OpenFlow14', 'bundle', bridge, '-'], options);
    }
    return due.map(() => undefined);
  });
  /** What is to be repeated at each multiple. */
  const slots = new Map<number, Announcement[]>();
  const repeat = (announcement: Announcement, slot: number): void => {
    const others = slots.get(slot);
    if (others) {
      others.push(announcement);
      return;
    }
    const together = [announcement];
    slots.set(slot, together);
    const wait = slot * TOGETHER - performance.now();
    setTimeout(() => {
      slots.delete(slot);
      for (const one of together) void send(one);
    }, wait).unref();
  };
  return (announcement) => {
    void send(announcement);
    const now = performance.now();
    for (const delay of AGAIN) repeat(announcement, Math.ceil((now + delay) / TOGETHER));
  };
}
