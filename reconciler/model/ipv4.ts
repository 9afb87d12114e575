/** An IPv4 address in dotted decimals as a number from 0 to 2³²−1; undefined when it is not one (leading zeros are refused). */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
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
