import { selects } from '../../model/catalog.ts';
import type { NetworkSpec, Resource, Selector } from '../../model/catalog.ts';
import { parseCidr } from '../../model/ipv4.ts';
import { byName, fieldOrigin, place } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

type Named = readonly [name: string, network: Resource<NetworkSpec>];

/**
 * Networks that cannot both be on one host: the same VLAN on one bridge, overlapping addresses, or one bridge described
 * in two ways. On hosts of their own (another site, another rack) all that is allowed.
 */
export function networkClashes(tables: Tables): readonly Clash[] {
  const networks = byName(tables.Network);
  return networks.flatMap((one, at) =>
    networks.slice(at + 1).flatMap((two) => {
      const clashes = pairClashes(one, two);
      return clashes.length > 0 && meet(tables, one, two) ? clashes : [];
    }),
  );
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

function pairClashes([first, one]: Named, [second, two]: Named): readonly Clash[] {
  const holds = [`Network/${first}`, `Network/${second}`] as const;
  const clashes: Clash[] = [];
  const say = (code: Clash['code'], pointer: string, message: string, hint: string): void => {
    const other = place(fieldOrigin(one, pointer));
    clashes.push({ code, at: fieldOrigin(two, pointer), message: `${message} (${other})`, hint, holds });
  };
  const [a, b] = [one.spec, two.spec];
  if (a.bridge === b.bridge && a.vlan === b.vlan) {
    const message = `Network ${second} has VLAN ${String(b.vlan)} on bridge ${b.bridge}, as Network ${first} has`;
    say('VLAN_CLASH', '/spec/vlan', message, 'give one of them another VLAN, bridge or hosts');
  }
  if (overlap(a, b)) {
    const message = `the addresses ${b.cidr} of Network ${second} overlap with ${a.cidr} of Network ${first}`;
    say('CIDR_CLASH', '/spec/cidr', message, 'give one of them other addresses or hosts');
  }
  if (a.bridge === b.bridge && a.datapath !== b.datapath) {
    const message = `bridge ${b.bridge} is ${b.datapath} in Network ${second} and ${a.datapath} in Network ${first}`;
    say('BRIDGE_CLASH', '/spec/datapath', message, 'a bridge has one datapath');
  }
  if (a.bridge === b.bridge && a.uplink !== undefined && b.uplink !== undefined && a.uplink !== b.uplink) {
    const message = `bridge ${b.bridge} has the uplink ${b.uplink} in Network ${second} and ${a.uplink} in Network ${first}`;
    say('BRIDGE_CLASH', '/spec/uplink', message, 'a bridge has one uplink; a second could make a loop');
  }
  return clashes;
}
