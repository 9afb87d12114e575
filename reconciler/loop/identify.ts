import { PlumbError } from '../model/errors.ts';
import type { Catalog, HostSpec, Resource } from '../model/catalog.ts';
import type { HostFacts } from '../model/replica.ts';

function names({ name, spec: { machine } }: Resource<HostSpec>, facts: HostFacts): boolean {
  if (machine.machineId !== undefined) return machine.machineId === facts.machineId;
  if (machine.hostname !== undefined) return machine.hostname === facts.hostname;
  if (machine.address !== undefined) return facts.addresses.includes(machine.address);
  return name === facts.hostname;
}

/** The Host document that names this machine; one that was asked for by name must exist. Throws HOST_NOT_NAMED with the document to commit. */
export function identify(catalog: Catalog, facts: HostFacts, asked?: string): Resource<HostSpec> {
  const found =
    asked === undefined ? [...catalog.hosts.values()].find((host) => names(host, facts)) : catalog.hosts.get(asked);
  if (found) return found;
  const name =
    asked ??
    (facts.hostname
      .toLowerCase()
      .replace(/[^a-z0-9-]/g, '-')
      .slice(0, 40) ||
      'host');
  const document = [
    'apiVersion: plumbline/v1',
    'kind: Host',
    `metadata: { name: ${name} }`,
    'spec:',
    facts.machineId === ''
      ? `  machine: { hostname: ${facts.hostname} }`
      : `  machine: { machineId: ${facts.machineId} }`,
  ].join('\n');
  const who =
    asked === undefined ? `no Host document names this machine (${facts.hostname})` : `there is no Host ${asked}`;
  throw new PlumbError('HOST_NOT_NAMED', `${who}; commit one, with the labels of its Zone:\n\n${document}\n`);
}
