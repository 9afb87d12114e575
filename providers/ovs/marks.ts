/** external_ids of our Port rows beside EXTERNAL_IDS of the model. Those of the inside are written once the inside is in place. */
export const MARKS = {
  /** Fingerprint of the spec last applied. */
  spec: 'plumbline-spec',
  /** `10.1.0.5/24` */
  address: 'plumbline-address',
  gateway: 'plumbline-gateway',
  mac: 'plumbline-mac',
  mtu: 'plumbline-mtu',
  /** Bits a second that the sandbox's own qdisc holds it to. */
  egress: 'plumbline-egress',
  /** `egress` where the kernel cannot hold it to that. */
  unsupported: 'plumbline-unsupported',
  /** `on` where flows hold the port to its addresses. */
  antiSpoofing: 'plumbline-anti-spoofing',
} as const;

/** external_ids of the Open_vSwitch row and of bridges: before this stands the key of other_config whose original it keeps. */
export const ORIGINAL = 'plumbline-original:';

/** What ORIGINAL keeps of one key. */
export interface Original {
  readonly fleet: string;
  /** Absent: the key was not set. */
  readonly value?: string;
  /** What we wrote last. */
  readonly wrote: string;
  /** Of a key that is read at the start: which ovs-vswitchd ran when it was first written, and what that one had read. */
  readonly ran?: Ran;
}

/** What a daemon that started then had read; no value: the key was not set. */
export interface Ran {
  readonly start: string;
  readonly value?: string;
}

/**
 * What the ovs-vswitchd of this start has read of a key that says `value` and is about to be written: what was noted of that start.
 * One that started since we wrote the key read what we wrote; `value` may be a hand's that came later.
 */
export function hadRead(start: string, value: string | undefined, original: Original | undefined): Ran {
  if (original?.ran?.start === start) return original.ran;
  const read = original ? original.wrote : value;
  return read === undefined ? { start } : { start, value: read };
}

export function writeOriginal(original: Original): string {
  return JSON.stringify(original);
}

/** Undefined when the text is none of ours. */
export function readOriginal(text: string | undefined): Original | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { fleet, value: before, wrote, ran } = value as Readonly<Record<string, unknown>>;
    if (typeof fleet !== 'string' || typeof wrote !== 'string') return undefined;
    const had = readRan(ran);
    return {
      fleet,
      ...(typeof before === 'string' ? { value: before } : {}),
      wrote,
      ...(had === undefined ? {} : { ran: had }),
    };
  } catch {
    return undefined;
  }
}

function readRan(ran: unknown): Ran | undefined {
  const { start, value } = (ran ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof start !== 'string') return undefined;
  return typeof value === 'string' ? { start, value } : { start };
}
