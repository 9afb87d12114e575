import { createBook } from '../reconciler/model/book.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import type { HostView } from '../reconciler/place/hosts.ts';
import { place } from '../reconciler/place/place.ts';
import { measure } from './bench.ts';
import type { BenchOptions, BenchResult, Measure } from './bench.ts';
import { fabric } from './fabric.ts';
import { logarithm, percentage, sampled } from './floor/sample.ts';
import type { Sampled, SampledApp, SampledHost, Sampler } from './floor/sample.ts';

const FILL = 0.67;
const LEVELS = ['switch', 'rack', 'host'] as const;

/** A fleet and its Apps as plain numbers, which say the same to every scheduler. */
interface Field {
  readonly hosts: readonly SampledHost[];
  readonly apps: readonly SampledApp[];
}

function fieldOf(views: readonly HostView[], { catalog }: ReturnType<typeof fabric>): Field {
  return {
    hosts: views.map(({ record }) => ({
      switch: Number(record.switch.slice(1)),
      rack: Number(record.rack.slice(1)),
      ...record.allocatable,
    })),
    apps: [...catalog.apps.values()].map(({ spec }) => ({ replicas: spec.replicas, ...spec.resources })),
  };
}

/** Where Plumbline puts them. */
function ours(views: readonly HostView[], { catalog, reports }: ReturnType<typeof fabric>): Sampled {
  const rows = new Map(views.map(({ record }, row) => [record.host, row]));
  const { placements } = place({ catalog, reports, hosts: views, snapshot: createBook(), assignments: [], now: 0 });
  return [...catalog.apps.values()].map(({ name, spec }) =>
    Int32Array.from({ length: spec.replicas }, (_, ordinal) => {
      const at = placements.get(`${name}-${String(ordinal)}`);
      return (at && rows.get(at.host)) ?? -1;
    }),
  );
}

/** For each App and domain, how far its replicas are from the share of the domain's capacity. */
function deviations(
  { hosts, apps }: Field,
  level: (typeof LEVELS)[number],
  where: Sampled,
): { readonly share: number; readonly most: number } {
  const domain = (host: number): number => (level === 'host' ? host : (hosts[host]?.[level] ?? 0));
  const capacity: number[] = [];
  for (const [at, { cpu }] of hosts.entries()) capacity[domain(at)] = (capacity[domain(at)] ?? 0) + cpu;
  const total = capacity.reduce((sum, cpu) => sum + cpu, 0);
  let away = 0;
  let replicas = 0;
  let most = 0;
  for (const [at, app] of apps.entries()) {
    const counts = new Float64Array(capacity.length);
    for (const host of where[at] ?? []) if (host >= 0) counts[domain(host)] = (counts[domain(host)] ?? 0) + 1;
    for (const [d, count] of counts.entries()) {
      const off = Math.abs(count - (app.replicas * (capacity[d] ?? 0)) / total);
      away += off / 2;
      most = Math.max(most, off);
    }
    replicas += app.replicas;
  }
  return { share: (away / replicas) * 100, most };
}

/** Capacity of the hosts in use above what all replicas need of the scarcer resource, in percent. */
function waste({ hosts, apps }: Field, where: Sampled): number {
  const used = new Set(where.flatMap((list) => [...list]));
  const share = (key: 'cpu' | 'memory'): number => {
    const asked = apps.reduce((sum, app) => sum + app.replicas * app[key], 0);
    const open = hosts.reduce((sum, host, at) => sum + (used.has(at) ? host[key] : 0), 0);
    return asked / open;
  };
  return (1 / Math.max(share('cpu'), share('memory')) - 1) * 100;
}

interface Contest {
  readonly ours: Sampled;
  readonly samples: readonly { readonly name: string; readonly where: Sampled }[];
}

function contest(strategy: 'spread' | 'pack'): Contest & { readonly field: Field } {
  const fleet = fabric({ fill: FILL, strategy, hard: false });
  const views = hostViews(fleet.catalog, fleet.reports, createBook());
  const field = fieldOf(views, fleet);
  const samplers: readonly Sampler[] = [logarithm(views.length), percentage(views.length)];
  const samples = samplers.map((sampler) => ({
    name: `sampling ${String(sampler.size)}`,
    where: sampled(field.hosts, field.apps, sampler, strategy === 'spread'),
  }));
  return { field, ours: ours(views, fleet), samples };
}

/** One figure of ours beside the same of each sampler; the better of those is the yardstick. */
function compare(
  what: string,
  unit: string,
  { ours: mine, samples }: Contest,
  figure: (where: Sampled) => number,
): readonly Measure[] {
  const theirs = samples.map(({ name, where }) => ({ name, samples: [figure(where)] }));
  const [yardstick] = theirs.toSorted((a, b) => (a.samples[0] ?? 0) - (b.samples[0] ?? 0));
  return [
    measure(`${what}: ours`, unit, [figure(mine)], { ratioLimit: 1, ...(yardstick && { yardstick }) }),
    ...theirs.map(({ name, samples: of }) => measure(`${what}: ${name}`, unit, of)),
  ];
}

/** How well 150,000 replicas are spread, and packed, beside two samplers. Nothing here is random or timed: one round says all. */
export async function run({ log }: BenchOptions): Promise<BenchResult> {
  const lost = (where: Sampled): number => where.flatMap((list) => [...list]).filter((host) => host < 0).length;
  const spread = contest('spread');
  log('spread');
  const pack = contest('pack');
  const measures = LEVELS.flatMap((level) => [
    ...compare(`${level}, away`, '% of replicas', spread, (where) => deviations(spread.field, level, where).share),
    ...compare(`${level}, most`, 'replicas', spread, (where) => deviations(spread.field, level, where).most),
  ]);
  const unplaced = [spread, pack]
    .flatMap(({ ours: mine, samples }) => [mine, ...samples.map(({ where }) => where)])
    .map(lost);
  return Promise.resolve({
    name: 'quality',
    measures: [...measures, ...compare('packed, waste', '%', pack, (where) => waste(pack.field, where))],
    notes: [
      'away: replicas that would have to move to reach the share of capacity exactly; most: the worst App and place',
      `unplaced: ${unplaced.join(', ')} (spread: ours, samples; packed: ours, samples)`,
    ],
  });
}
