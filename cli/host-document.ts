import { stringify } from 'yaml';
import type { Inventory } from '../providers/host/inventory/inventory.ts';
import type { HostFacts } from '../reconciler/model/replica.ts';

/** What `plumb host facts` tells: what a machine is, and what it has. */
export interface MachineFacts extends HostFacts {
  readonly inventory: Inventory;
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
export function hostDocument({ hostname, machineId }: MachineFacts, name: string = hostName(hostname)): string {
  const document = {
    apiVersion: 'plumbline/v1',
    kind: 'Host',
    metadata: { name, labels: {} },
    spec: { machine: machineId === '' ? { hostname } : { machineId } },
  };
  const head = '# made by plumb host facts; add the labels that its Zone selects, and spec.topology (rack, switch)';
  return `${head}\n${stringify(document, { lineWidth: 0 })}`;
}
