import { selects } from '../../model/catalog.ts';
import type { NetworkSpec, Resource, Selector } from '../../model/catalog.ts';
import { parseCidr } from '../../model/ipv4.ts';
import { byName, fieldOrigin, place } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

type Named = readonly [name: string, network: Resource<NetworkSpec>];

/** What two Networks cannot both say on one host; on hosts of their own (another site, another rack) all is allowed. */
function pairwise(tables: Tables, clashesOf: (one: Named, two: Named) => readonly Clash[]): readonly Clash[] {
  const networks = byName(tables.Network);
  return networks.flatMap((one, at) =>
    networks.slice(at + 1).flatMap((two) => {
      const clashes = clashesOf(one, two);
      return clashes.length > 0 && meet(tables, one, two) ? clashes : [];
    }),
  );
}

/** The same VLAN on one bridge. */
export function vlanClashes(tables: Tables): readonly Clash[] {
  return pairwise(tables, (one, two) => {
    const [[first, { spec: a }], [second, { spec: b }]] = [one, two];
    if (a.bridge !== b.bridge || a.vlan !== b.vlan) return [];
    const message = `Network ${second} has VLAN ${String(b.vlan)} on bridge ${b.bridge}, as Network ${first} has`;
    const hint = 'give one of them another VLAN, bridge or hosts';
    return [clash(one, two, 'VLAN_CLASH', '/spec/vlan', message, hint)];
  });
}

/** Overlapping addresses. */
export function cidrClashes(tables: Tables): readonly Clash[] {
  return pairwise(tables, (one, two) => {
    const [[first, { spec: a }], [second, { spec: b }]] = [one, two];
    if (!overlap(a, b)) return [];
    const message = `the addresses ${b.cidr} of Network ${second} overlap with ${a.cidr} of Network ${first}`;
    return [clash(one, two, 'CIDR_CLASH', '/spec/cidr', message, 'give one of them other addresses or hosts')];
  });
}

/** One bridge that is described in two ways. */
export function bridgeClashes(tables: Tables): readonly Clash[] {
  return pairwise(tables, (one, two) => {
    const [[first, { spec: a }], [second, { spec: b }]] = [one, two];
    const clashes: Clash[] = [];
    if (a.bridge !== b.bridge) return clashes;
    if (a.datapath !== b.datapath) {
      const message = `bridge ${b.bridge} is ${b.datapath} in Network ${second} and ${a.datapath} in Network ${first}`;
      clashes.push(clash(one, two, 'BRIDGE_CLASH', '/spec/datapath', message, 'a bridge has one datapath'));
    }
    if (a.uplink !== undefined && b.uplink !== undefined && a.uplink !== b.uplink) {
      const message = `bridge ${b.bridge} has the uplink ${b.uplink} in Network ${second} and ${a.uplink} in Network ${first}`;
      const hint = 'a bridge has one uplink; a second could make a loop';
      clashes.push(clash(one, two, 'BRIDGE_CLASH', '/spec/uplink', message, hint));
    }
    return clashes;
  });
}

/** Whether some host has both; without hosts to ask, whether they select alike. */
function meet(tables: Tables, [, one]: Named, [, two]: Named): boolean {
  for (const host of tables.Host.values()) {
    if (selects(one.spec.hosts, host.labels) && selects(two.spec.hosts, host.labels)) return true;
  }
  return canonicalLabels(one.spec.hosts) === canonicalLabels(two.spec.hosts);
}

function canonicalLabels({ matchLabels }: Selector): string {
  return JSON.stringify(Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function overlap(one: NetworkSpec, two: NetworkSpec): boolean {
  const [a, b] = [parseCidr(one.cidr), parseCidr(two.cidr)];
  return a !== undefined && b !== undefined && a.first <= b.last && b.first <= a.last;
}

function clash(
  [first, one]: Named,
  [second, two]: Named,
  code: Clash['code'],
  pointer: string,
  message: string,
  hint: string,
): Clash {
  const told = `${message} (${place(fieldOrigin(one, pointer))})`;
  return { code, at: fieldOrigin(two, pointer), message: told, hint, holds: [`Network/${first}`, `Network/${second}`] };
}
