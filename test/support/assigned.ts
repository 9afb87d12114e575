import type { AppSpec } from '../../reconciler/model/catalog.ts';
import type { AssignedReplica, Assignment } from '../../reconciler/model/replica.ts';
import { appSpec, catalogOf } from './catalog.ts';

const origin = { revision: 'rev1', file: 'app.yaml', line: 1, column: 1 };

/** The replicas `web-0` and so on of a host, as they are assigned. */
export function assignedTo(host: string, count: number, change: Partial<AppSpec> = {}): readonly AssignedReplica[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `web-${String(at)}`,
    app: 'web',
    owner: 'team',
    spec: appSpec(change),
    placement: {
      replica: `web-${String(at)}`,
      app: 'web',
      zone: 'main',
      host,
      network: 'net',
      address: `10.1.0.${String(10 + at)}`,
      demand: { cpu: 100, memory: 2 ** 26, pids: 16 },
      epoch: 1,
    },
    origin,
    fields: {},
  }));
}

/** An Assignment of so many of them, with Network net and one knob. */
export function assignmentOf(
  host: string,
  generation: number,
  count: number,
  change: Partial<AppSpec> = {},
): Assignment {
  const net = catalogOf({}).networks.get('net');
  return {
    host,
    fleet: 'f',
    generation,
    revision: 'rev1',
    author: 'Ann',
    resync: 30_000,
    replicas: assignedTo(host, count, change),
    networks: net ? [{ name: 'net', spec: net.spec, origin, fields: {} }] : [],
    tuning: [{ kind: 'sysctl', key: 'vm.swappiness', value: '10', origin }],
    keep: { apps: [], owners: [] },
  };
}
