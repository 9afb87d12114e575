import { selects } from '../../model/catalog.ts';
import type { HostSpec, Resource } from '../../model/catalog.ts';
import { byName, fieldOrigin, foundIn, place } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

/** A Host is in at most one Zone. */
export function zoneClashes(tables: Tables): readonly (Clash & { readonly host: string })[] {
  const zones = byName(tables.Zone);
  if (zones.length < 2) return [];
  return foundIn(tables.Host, (name, host): readonly (Clash & { readonly host: string })[] => {
    const [first, second] = zones.filter(([, zone]) => selects(zone.spec.hosts, host.labels));
    if (first === undefined || second === undefined) return [];
    const clash = {
      host: name,
      code: 'HOST_IN_TWO_ZONES' as const,
      at: host.origin,
      message: `Host ${name} is in two Zones: ${first[0]} (${place(first[1].origin)}) and ${second[0]} (${place(second[1].origin)})`,
      hint: 'change the labels of the Host, or spec.hosts of one Zone',
      holds: [`Host/${name}`, `Zone/${first[0]}`, `Zone/${second[0]}`] as const,
    };
    return [clash];
  });
}

/** Two Hosts that would recognise the same machine. */
export function machineClashes(tables: Tables): readonly Clash[] {
  if (areApart(tables.Host)) return [];
  const seen = new Map<string, readonly [string, Resource<HostSpec>]>();
  return byName(tables.Host).flatMap(([name, host]) => {
    const [field, value] = identity(name, host.spec);
    const key = `${field} ${value}`;
    const other = seen.get(key);
    if (other === undefined) {
      seen.set(key, [name, host]);
      return [];
    }
    const pointer =
      field === 'hostname' && host.spec.machine.hostname === undefined ? '/metadata/name' : `/spec/machine/${field}`;
    return {
      code: 'DUPLICATE_MACHINE',
      at: fieldOrigin(host, pointer),
      message: `Hosts ${other[0]} and ${name} are the same machine: both have the ${field} ${value}`,
      hint: `the other is in ${place(other[1].origin)}`,
      holds: [`Host/${name}`, `Host/${other[0]}`],
    };
  });
}

/** Whether each is recognised by a fact of its own, as mostly. */
function areApart(hosts: Tables['Host']): boolean {
  const known = { machineId: new Set<string>(), hostname: new Set<string>(), address: new Set<string>() };
  hosts.forEach(({ spec }, name) => {
    const [field, value] = identity(name, spec);
    known[field].add(value);
  });
  return known.machineId.size + known.hostname.size + known.address.size === hosts.size;
}

/** By which fact a machine is recognised: the first that is given, else the name as hostname. */
function identity(name: string, { machine }: HostSpec): readonly ['machineId' | 'hostname' | 'address', string] {
  if (machine.machineId !== undefined) return ['machineId', machine.machineId];
  if (machine.hostname !== undefined) return ['hostname', machine.hostname];
  if (machine.address !== undefined) return ['address', machine.address];
  return ['hostname', name];
}
