const DOT = 46;
const ZERO = 48;

/**
 * An IPv4 address in dotted decimals, from a place of a text to its end, as a number from 0 to 2³²−1; undefined when it is not one (leading
 * zeros are refused).
 */
export function parseIpv4(text: string, from = 0): number | undefined {
  let value = 0;
  let parts = 0;
  for (let at = from; parts < 4; parts += 1) {
    if (parts > 0 && text.charCodeAt(at++) !== DOT) return undefined;
    const start = at;
    let part = 0;
    for (; at < text.length && text.charCodeAt(at) !== DOT; at += 1) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit < 0 || digit > 9 || (at > start && part === 0)) return undefined;
      part = part * 10 + digit;
      if (part > 255) return undefined;
    }
    if (at === start || (parts === 3 && at < text.length)) return undefined;
    value = value * 256 + part;
  }
  return value;
}

/** The dotted decimals of an address. */
export function formatIpv4(value: number): string {
  const part = (shift: number): string => String((value >>> shift) & 255);
  return `${part(24)}.${part(16)}.${part(8)}.${part(0)}`;
}

/** The addresses of a network of at most a few hundred, in order; none when it is not one. */
export function addressesIn(cidr: string): readonly string[] {
  const { first = 0, last = -1 } = parseCidr(cidr) ?? {};
  return Array.from({ length: last - first + 1 }, (_, at) => formatIpv4(first + at));
}

/** An IPv4 network; first and last include the network's and the broadcast address. */
export interface Cidr {
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** `10.1.0.0/24` as numbers; undefined when it is no network address with a prefix of 0 to 32 (bits behind the prefix must be 0). */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9.]+)\/(0|[1-9][0-9]?)$/.exec(text);
  const first = parseIpv4(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (first === undefined || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  return first % size === 0 ? { first, last: first + size - 1, prefix } : undefined;
}
