import fc from 'fast-check';
import type { AppSpec } from '../../reconciler/model/catalog.ts';
import type { SpreadLevel } from '../../reconciler/model/topology.ts';
import { resources } from './catalog.ts';
import type { Machine, Sketch } from './catalog.ts';

const label = fc.constantFrom({}, { disk: 'ssd' });
const host = fc.record({
  pool: fc.constantFrom('main', 'main', 'main', 'aux'),
  disk: fc.constantFrom('ssd', 'hdd'),
  rack: fc.nat(3),
  behind: fc.nat(1),
  schedulable: fc.constantFrom(true, true, true, false),
  cpu: fc.constantFrom(2000, 4000),
  disks: fc.constantFrom({}, { disk: 3 * 2 ** 30, spindles: 1000 }, { disk: 2 ** 32, spindles: 2000 }),
  nodes: fc.constantFrom({}, { node0: 3 }, { node0: 2, node1: 2 }, { node0: 5 }),
  reservedCores: fc.constantFrom(1, 2),
  performance: fc.constantFrom(1, 1, 1.5),
});
/** What the machine of a host of a sketch says: every second one has cores of two threads. */
export function machineOf(host: string): Machine {
  return Number(host.slice(1)) % 2 === 0 ? {} : { threadsPerCore: 2 };
}

/** What shares, and what has cores for itself. */
const size = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(100, 500, 1500).map((cpu) => ({ cpu })) },
  { weight: 1, arbitrary: fc.constantFrom(1000, 2000).map((cpu) => ({ cpu, pinned: true as const })) },
);
const app = fc.record({
  replicas: fc.nat(6),
  level: fc.nat(3),
  zone: fc.constantFrom('main', 'main', 'aux'),
  network: fc.constantFrom('net', 'net', 'tiny'),
  hosts: label.map((matchLabels) => ({ matchLabels })),
  resources: fc
    .tuple(size, fc.constantFrom(64, 512))
    .map(([cpu, memory]) => ({ ...resources(cpu.cpu, memory), ...cpu })),
  gang: fc.constantFrom({}, {}, {}, { gang: 'one' }, { gang: 'two' }),
  storage: fc.constantFrom({}, {}, { disk: 2 ** 30 }, { spindles: 500 }),
  spread: fc.constantFrom({}, {}, { host: 1 }, { rack: 2 }, { switch: 3, host: 2 }),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
});
const companion = fc.record({
  field: fc.constantFrom('affinity' as const, 'antiAffinity' as const, 'antiAffinity' as const),
  within: fc.constantFrom('switch' as const, 'rack' as const, 'host' as const),
  required: fc.boolean(),
  of: fc.nat(3),
});

/** Apps with what they ask of those before them by name, so that none wait for each other. */
function accompanied(
  apps: Readonly<Record<string, Omit<Partial<AppSpec>, 'gang'> & { readonly gang: Pick<AppSpec, 'gang'> }>>,
  asked: readonly { field: 'affinity' | 'antiAffinity'; within: SpreadLevel; required: boolean; of: number }[],
): Readonly<Record<string, Partial<AppSpec>>> {
  const names = Object.keys(apps).sort();
  const of = (name: string): Partial<AppSpec> => {
    const before = names.filter((other) => other < name);
    const one = asked['abcd'.indexOf(name)];
    const app = one && before[one.of];
    return one && app !== undefined ? { [one.field]: [{ app, within: one.within, required: one.required }] } : {};
  };
  return Object.fromEntries(
    names.map((name) => {
      const { gang, ...rest } = apps[name] ?? { gang: {} };
      return [name, { ...rest, ...gang, ...of(name) }];
    }),
  );
}

/** Catalogs of up to eight hosts in two zones, four Apps, and a Network with five addresses. */
export const sketch: fc.Arbitrary<Sketch> = fc
  .record({
    hosts: fc.array(host, { maxLength: 8 }),
    apps: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), app, { noNullPrototype: true }),
    asked: fc.array(companion, { minLength: 4, maxLength: 4 }),
    strategy: fc.constantFrom('spread' as const, 'pack' as const),
    overcommit: fc.constantFrom(1, 1, 1.5),
    held: fc.constantFrom({}, {}, {}, { heldOwners: ['*'] }, { heldOwners: ['team'] }, { heldObjects: ['App/a'] }),
  })
  .map(({ hosts, apps: bare, asked, strategy, overcommit, held }): Sketch => {
    const named = hosts.map(
      ({ pool, disk, rack, behind, schedulable, cpu, disks, nodes, reservedCores, performance }, i) => [
        `h${String(i)}`,
        {
          labels: { pool, disk },
          topology: { rack: `r${String(rack)}`, switch: `s${String(behind)}` },
          schedulable,
          capacity: { cpu, ...disks, ...nodes },
          reservedCores,
          performance,
        },
      ],
    );
    const apps = accompanied(bare, asked);
    const readable = Object.entries(apps).filter(([name]) => !('heldObjects' in held && name === 'a'));
    return {
      hosts: Object.fromEntries(named) as NonNullable<Sketch['hosts']>,
      apps: Object.fromEntries(readable),
      zones: {
        main: { hosts: { matchLabels: { pool: 'main' } }, strategy, overcommit: { cpu: overcommit, memory: 1 } },
        aux: { hosts: { matchLabels: { pool: 'aux' } }, levels: [1, 2, 3] },
      },
      networks: {
        net: { quarantine: 5_000 },
        tiny: { vlan: 20, quarantine: 5_000, pool: [['10.2.0.10', '10.2.0.14']] },
      },
      ...held,
    };
  });
/** Catalogs one after the other, each with the milliseconds that have passed. */
export const history: fc.Arbitrary<[Sketch, number][]> = fc.array(fc.tuple(sketch, fc.nat(10_000)), {
  minLength: 1,
  maxLength: 5,
});
