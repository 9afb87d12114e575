import type { Network } from '../../../schemas/types.ts';
import type { NetworkSpec } from '../../model/catalog.ts';
import { formatIpv4, parseCidr, parseIpv4 } from '../../model/ipv4.ts';
import type { Cidr } from '../../model/ipv4.ts';
import { parseDuration, parseRate } from '../../model/units.ts';
import { defined, filled } from './say.ts';
import type { Say } from './say.ts';
import { selectorOf } from './selector.ts';

type Range = readonly [first: number, last: number];

/** The Network's spec in plain units, with the pool of addresses worked out. */
export function networkSpec({ spec }: Network, say: Say): NetworkSpec {
  const cidr = parseCidr(spec.cidr);
  if (cidr === undefined) {
    const address = parseIpv4(spec.cidr.split('/')[0] ?? '');
    const prefix = Number(spec.cidr.split('/')[1]);
    const hint =
      address !== undefined && prefix <= 32
        ? `the network address is ${formatIpv4(address - (address % 2 ** (32 - prefix)))}/${String(prefix)}`
        : 'as 10.1.0.0/24';
    say('/spec/cidr', 'BAD_VALUE', `"${spec.cidr}" is not an IPv4 network`, hint);
  }
  const servers = spec.dns?.servers ?? [];
  for (const [at, server] of servers.entries()) {
    if (parseIpv4(server) === undefined)
      say(`/spec/dns/servers/${String(at)}`, 'BAD_VALUE', `"${server}" is not an IPv4 address`, 'as 192.0.2.53');
  }
  return {
    vlan: spec.vlan,
    cidr: spec.cidr,
    pool:
      cidr === undefined ? [] : poolOf(spec, cidr, say).map(([first, last]) => [formatIpv4(first), formatIpv4(last)]),
    quarantine: parseDuration(filled(spec.quarantine)),
    hosts: selectorOf(spec.hosts),
    bridge: filled(spec.bridge),
    datapath: filled(spec.datapath),
    mtu: filled(spec.mtu),
    antiSpoofing: filled(spec.antiSpoofing),
    dns: { servers, search: spec.dns?.search ?? [] },
    ...defined<Pick<NetworkSpec, 'gateway' | 'blockSize' | 'isolation' | 'uplink' | 'egress' | 'ingress'>>({
      gateway: spec.gateway,
      blockSize: blockSizeOf(spec, cidr, say),
      isolation: spec.isolation,
      uplink: spec.uplink,
      egress: rateOf(spec.egress, '/spec/egress', say),
      ingress: rateOf(spec.ingress, '/spec/ingress', say),
    }),
  };
}

/** A rate in bits a second; below 8 kbit/s nothing useful passes and the kernel's shapers round to nothing. */
export function rateOf(rate: string | number | undefined, pointer: string, say: Say): number | undefined {
  if (rate === undefined) return undefined;
  const bits = parseRate(rate);
  if (bits < 8000)
    say(
      pointer,
      'BAD_VALUE',
      `a rate of ${String(bits)} bit/s is too small`,
      'at least 8k; M and G are mega- and gigabits',
    );
  return bits;
}

function poolOf(spec: Network['spec'], cidr: Cidr, say: Say): readonly Range[] {
  const gateway = gatewayOf(spec, cidr, say);
  const ranges = spec.ranges?.map((text, at) => rangeOf(text, cidr, `/spec/ranges/${String(at)}`, say));
  const excluded = filled(spec.exclude).map((text, at) => rangeOf(text, cidr, `/spec/exclude/${String(at)}`, say));
  const holes = [...excluded, ...edges(cidr), ...(gateway === undefined ? [] : [[gateway, gateway] as const])];
  const given = (ranges ?? [[cidr.first, cidr.last] as const]).filter((range) => range !== undefined);
  return less(
    merged(given),
    holes.filter((hole) => hole !== undefined),
  );
}

/** The network's and the broadcast address; a /31 and a /32 have neither (RFC 3021). */
function edges({ first, last, prefix }: Cidr): readonly Range[] {
  return prefix >= 31
    ? []
    : [
        [first, first],
        [last, last],
      ];
}

/** A block may be as large as the Network, not larger. */
function blockSizeOf({ blockSize, cidr: text }: Network['spec'], cidr: Cidr | undefined, say: Say): number | undefined {
  if (blockSize !== undefined && cidr !== undefined && blockSize < cidr.prefix)
    say(
      '/spec/blockSize',
      'BAD_VALUE',
      `a block of /${String(blockSize)} is larger than ${text}`,
      `from ${String(cidr.prefix)} to 30`,
    );
  return blockSize;
}

function gatewayOf({ gateway, cidr: text }: Network['spec'], cidr: Cidr, say: Say): number | undefined {
  if (gateway === undefined) return undefined;
  const address = parseIpv4(gateway);
  if (address === undefined) {
    say('/spec/gateway', 'BAD_VALUE', `"${gateway}" is not an IPv4 address`, `an address of ${text}`);
  } else if (address < cidr.first || address > cidr.last) {
    say('/spec/gateway', 'GATEWAY_OUTSIDE', `the gateway ${gateway} is outside of ${text}`, usable(cidr));
  } else if (edges(cidr).some(([edge]) => edge === address)) {
    const what = address === cidr.first ? 'network' : 'broadcast';
    say('/spec/gateway', 'GATEWAY_OUTSIDE', `the gateway ${gateway} is the ${what} address of ${text}`, usable(cidr));
  } else return address;
  return undefined;
}

function usable(cidr: Cidr): string {
  const inner = cidr.prefix >= 31 ? 0 : 1;
  return `from ${formatIpv4(cidr.first + inner)} to ${formatIpv4(cidr.last - inner)}`;
}

function rangeOf(text: string, cidr: Cidr, pointer: string, say: Say): Range | undefined {
  const [from = '', to = from] = text.split('-');
  const first = parseIpv4(from);
  const last = parseIpv4(to);
  if (first === undefined || last === undefined) {
    say(pointer, 'BAD_VALUE', `"${text}" is not a range of IPv4 addresses`, 'as 10.1.0.10-10.1.0.99');
  } else if (first > last) {
    say(pointer, 'BAD_VALUE', `the range ${text} ends before it starts`, `${to}-${from}`);
  } else if (first < cidr.first || last > cidr.last) {
    say(pointer, 'RANGE_OUTSIDE', `${text} is not inside the Network`, usable(cidr));
  } else return [first, last];
  return undefined;
}

function merged(ranges: readonly Range[]): readonly Range[] {
  const result: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last !== undefined && range[0] <= last[1] + 1)
      result[result.length - 1] = [last[0], Math.max(last[1], range[1])];
    else result.push(range);
  }
  return result;
}

function less(ranges: readonly Range[], holes: readonly Range[]): readonly Range[] {
  return holes.reduce<readonly Range[]>(
    (left, [from, to]) =>
      left.flatMap(([first, last]): readonly Range[] => {
        if (to < first || from > last) return [[first, last]];
        return [...(first < from ? [[first, from - 1] as const] : []), ...(to < last ? [[to + 1, last] as const] : [])];
      }),
    ranges,
  );
}

/** How many addresses a pool holds. */
export function poolSize(pool: NetworkSpec['pool']): number {
  return pool.reduce((sum, [first, last]) => sum + (parseIpv4(last) ?? 0) - (parseIpv4(first) ?? 0) + 1, 0);
}
