import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, asked, NODES } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import { coresAt, coresOf, cpuOf } from './cores.ts';
import { demandOf } from './asks.ts';
import type { PlaceInput } from './input.ts';
import { placedOf, refusal, scaled, trial } from './trial.ts';
import type { Trial } from './trial.ts';

/** What would have to be there beside what is, so that the rest finds a home; absent where nothing lacks. */
export interface Missing extends Partial<Demand> {
  readonly addresses?: number;
}

/** Whether an App can have that many replicas. */
export interface ScaleAnswer {
  readonly app: string;
  /** As Git has it. */
  readonly from: number;
  readonly to: number;
  /** How many of them have or find a home as Git asks for. */
  readonly placed: number;
  readonly missing: Missing;
  /** For people: what stands in the way; absent when all fit. */
  readonly message?: string;
}

export interface Scaling {
  /** All find a home. */
  readonly fits: boolean;
  readonly apps: readonly ScaleAnswer[];
  /** The world as it would be, for further questions. */
  readonly input: PlaceInput;
}

/**
 * What the rest of the replicas asks for beyond what the hosts that may take them have left of it, each resource by itself.
 * Where each would do by itself and yet no host has all: of those that some host lacks.
 */
function roomMissing({ run }: Trial, { spec }: Resource<AppSpec>, rest: number): Partial<Demand> {
  const demand = demandOf(spec);
  const keys = asked(demand);
  const { table } = run;
  const { free, worth } = table;
  const cores = coresOf(spec);
  const rows = [...run.candidates(spec).rows];
  const times = (key: keyof Demand, row: number, each: number): number =>
    Math.max(0, Math.floor((free[key][row] ?? 0) / each));
  // pinned cores are whole ones of a NUMA node
  const slotsOfCores = (row: number): number => {
    const each = coresAt(table, cores, row);
    const ofNodes = NODES.reduce((sum, node) => sum + times(node, row, each), 0);
    return Math.min(times('cpu', row, cpuOf(each, worth[row] ?? 1)), ofNodes);
  };
  const slots = (key: keyof Demand, row: number): number =>
    key === 'cpu' && cores > 0 ? slotsOfCores(row) : times(key, row, amountOf(demand, key));
  const lacking = (key: keyof Demand): number =>
    Math.max(0, rest - rows.reduce((sum, row) => sum + Math.min(rest, slots(key, row)), 0));
  const whole = rows.some((row) => keys.every((key) => slots(key, row) > 0));
  const apart = !whole && keys.every((key) => lacking(key) === 0);
  const lack = (key: keyof Demand): number =>
    apart && rows.some((row) => slots(key, row) === 0) ? rest : lacking(key);
  const missing: Partial<Record<keyof Demand, number>> = {};
  // whole cores, as on the host where they are the fewest
  const least = rows.reduce((few, row) => Math.min(few, coresAt(table, cores, row)), Infinity);
  const each = (key: keyof Demand): number =>
    key === 'cpu' && cores > 0 && rows.length > 0 ? 1000 * least : amountOf(demand, key);
  for (const key of keys) if (lack(key) > 0) missing[key] = lack(key) * each(key);
  return missing;
}

/** How many addresses there are too few for all that is wanted in the App's Network. */
function addressesMissing(after: Trial, { spec }: Resource<AppSpec>): number {
  const { run, input } = after;
  const count = run.pool(spec.network, spec.zone)?.count();
  if (!count) return 0;
  const homeless = [...input.catalog.apps.values()]
    .filter((other) => other.spec.network === spec.network)
    .reduce((sum, { name, spec: { replicas } }) => sum + replicas - placedOf(after, name), 0);
  return Math.max(0, homeless - (count.total - count.owned - count.resting));
}

function answer(after: Trial, app: Resource<AppSpec>, to: number): ScaleAnswer {
  const refused = after.unplaceable.filter((one) => one.app === app.name);
  const placed = to - refused.length;
  const asked = { ...app, spec: { ...app.spec, replicas: to } };
  const addresses = placed < to ? addressesMissing(after, asked) : 0;
  const missing = { ...roomMissing(after, asked, to - placed), ...(addresses === 0 ? {} : { addresses }) };
  const message = (refusal(after, app.name) ?? refused[0])?.message;
  const from = app.spec.replicas;
  return { app: app.name, from, to, placed, missing, ...(message === undefined ? {} : { message }) };
}

/** Whether so many replicas of Apps of the catalog can be placed, beside all others, by a dry run of `place`. */
export function scale(input: PlaceInput, replicas: ReadonlyMap<string, number>): Scaling {
  const { catalog } = input;
  const now = trial(input).input;
  const after = trial({ ...now, catalog: scaled(catalog, replicas) });
  const apps = [...replicas].flatMap(([name, to]) => {
    const app = catalog.apps.get(name);
    return app ? [answer(after, app, to)] : [];
  });
  return { fits: apps.every(({ placed, to }) => placed >= to), apps, input: after.input };
}
