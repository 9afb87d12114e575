import type { CardFacts } from '../providers/host/inventory/cards.ts';
import type { OvsFacts } from '../providers/ovs/facts.ts';
import { stringify } from 'yaml';
import type { Inventory } from '../providers/host/inventory/inventory.ts';
import type { HostFacts } from '../reconciler/model/replica.ts';
import { formatBytes } from '../reconciler/model/units.ts';
import type { Host } from '../schemas/types.ts';

/** What `plumb host facts` tells: what a machine is, and what it has. */
export interface MachineFacts extends HostFacts {
  readonly inventory: Inventory;
  /** What ethtool knows of its network cards. */
  readonly cards?: readonly CardFacts[];
  /** What its Open vSwitch says of itself; absent where it does not answer. */
  readonly ovs?: OvsFacts;
}

/** A DNS label made from a hostname. */
export function hostName(text: string): string {
  const label = (text.split('.')[0] ?? '').toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-');
  return (
    label
      .replace(/^[^a-z]+/, 'h')
      .slice(0, 40)
      .replace(/-+$/, '') || 'h1'
  );
}

/** The Host document of a machine, to be committed: valid as it is, with the labels of its Zone still to be written in. */
export function hostDocument(facts: MachineFacts, name: string = hostName(facts.hostname)): string {
  const { hostname, machineId } = facts;
  const document = {
    apiVersion: 'plumbline/v1',
    kind: 'Host',
    metadata: { name, labels: {} },
    spec: { machine: machineId === '' ? { hostname } : { machineId }, hardware: hardwareOf(facts) },
  };
  const head = '# made by plumb host facts; add the labels that its Zone selects, and spec.topology (rack, switch)';
  return `${head}\n${stringify(document, { lineWidth: 0 })}`;
}

/** What it has, as far as Tunings select hosts by it. */
function hardwareOf({
  kernel,
  inventory: { cpu, memory, nics, disks },
}: MachineFacts): NonNullable<Host['spec']['hardware']> {
  const { vendor, model, cores, nodes } = cpu;
  return {
    cpu: { vendor, model, cores, ...(nodes.length > 0 ? { nodes: nodes.length } : {}) },
    memory: formatBytes(memory.bytes),
    kernel,
    nics: nics.map(({ name, driver, vendor: maker, model: type, speed }) => ({
      name,
      driver,
      ...(maker === undefined ? {} : { vendor: maker }),
      ...(type === undefined ? {} : { model: type }),
      ...(speed === undefined ? {} : { speed }),
    })),
    disks: disks.map(({ name, rotational, model: type }) => ({
      name,
      rotational,
      ...(type === undefined ? {} : { model: type }),
    })),
  };
}
