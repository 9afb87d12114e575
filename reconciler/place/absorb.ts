import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, asked } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import type { SpreadLevel } from '../model/topology.ts';
import { demandOf } from './asks.ts';
import { coresOf } from './cores.ts';
import type { Candidates } from './filters.ts';
import type { Run } from './run.ts';
import type { HostTable } from './table.ts';

/** Hosts, and all that is on them of Apps that Git has. */
export interface Lost {
  readonly hosts: ReadonlySet<string>;
  readonly replicas: readonly Placement[];
}

/** What is lost asks of a dimension: in all, and at most for one replica. */
interface Want {
  readonly key: Dimension;
  readonly all: number;
  readonly most: number;
}

/** How much of what is lost hosts can take, in the sense of `sharesOf`. */
interface Shares {
  readonly sum: number;
  /** Those of each host, rack or switch, largest first. */
  readonly by: (level: SpreadLevel) => readonly number[];
}

/** So many of the roomiest hosts are asked whether they could take all. */
const ASKED = 20;

const descending = (a: number, b: number): number => b - a;

/** Rows by what they have left of CPU and memory, as parts of what they have: most first. */
function roomiest({ free, part }: HostTable, rows: Int32Array): Int32Array {
  const room = (row: number): number =>
    (free.cpu[row] ?? 0) * (part.cpu[row] ?? 0) + (free.memory[row] ?? 0) * (part.memory[row] ?? 0);
  return rows.toSorted((a, b) => room(b) - room(a) || a - b).slice(0, ASKED);
}

function wantsOf(demands: readonly Demand[]): readonly Want[] {
  const wants = new Map<Dimension, Want>();
  for (const demand of demands)
    for (const key of asked(demand)) {
      const amount = amountOf(demand, key);
      const { all, most } = wants.get(key) ?? { all: 0, most: 0 };
      wants.set(key, { key, all: all + amount, most: Math.max(most, amount) });
    }
  return [...wants.values()];
}

/**
 * Where a replica finds no room on a host, others have taken there, of some dimension, more than what is free but for the largest demand: of all
 * that is lost at least the share that is reckoned here, the smallest over the dimensions. In all dimensions together no more than all can be
 * taken. So hosts whose shares come to the number of dimensions are never all without room.
 */
function sharesOf(table: HostTable, rows: readonly number[], wants: readonly Want[]): Shares {
  const shares = rows.map((row) =>
    wants.reduce(
      (least, { key, all, most }) => Math.min(least, Math.max(0, (table.free[key][row] ?? 0) - most) / all),
      Infinity,
    ),
  );
  const domains = { switch: table.switchOf, rack: table.rackOf };
  const by = (level: SpreadLevel): readonly number[] => {
    if (level === 'host') return shares.toSorted(descending);
    const sums: number[] = [];
    for (const [index, row] of rows.entries()) {
      const domain = domains[level][row] ?? 0;
      sums[domain] = (sums[domain] ?? 0) + (shares[index] ?? 0);
    }
    return sums.filter((sum) => sum > 0).sort(descending);
  };
  return { sum: shares.reduce((sum, share) => sum + share, 0), by };
}

/** Neither others nor a block of addresses have a say in where its replicas go: else only a dry run can tell. */
function isPlain({ rules, input }: Run, { name, spec }: Resource<AppSpec>): boolean {
  const network = input.catalog.networks.get(spec.network)?.spec;
  const anyAddress = network !== undefined && network.blockSize === undefined;
  return anyAddress && spec.gang === undefined && coresOf(spec) === 0 && rules(name).length === 0;
}

/** Tells without a dry run, where it can, that all that is on some hosts finds a home when these are lost. False says nothing. */
export function createAbsorbing(run: Run): (lost: Lost) => boolean {
  const { table, book, input } = run;
  const roomy = new Map<Candidates, Int32Array>();
  const addresses = new Map<string, number>();

  function addressesLeft({ network, zone }: AppSpec): number {
    const known = addresses.get(network);
    if (known !== undefined) return known;
    const count = run.pool(network, zone)?.count();
    const left = count ? count.total - count.owned - count.resting : 0;
    addresses.set(network, left);
    return left;
  }

  /** Whether so many more of an App may be on a host, in its rack and behind its switch. */
  function maySpread({ name, spec }: Resource<AppSpec>, row: number, more: number): boolean {
    const limited = SPREAD_LEVELS.filter((level) => spec.spread[level] !== undefined);
    if (limited.length === 0) return true;
    const home = table.views[row]?.record;
    const there = [...run.placed(name)].map((id) => book.hosts.get(book.placements.get(id)?.host ?? ''));
    return limited.every(
      (level) => there.filter((one) => one?.[level] === home?.[level]).length + more <= (spec.spread[level] ?? 0),
    );
  }

  /** Whether one of the roomiest hosts could take all that is lost, and each of the App: wherever others go, it can take the next. */
  function oneTakes(app: Resource<AppSpec>, more: number, { hosts }: Lost, wants: readonly Want[]): boolean {
    const candidates = run.candidates(app.spec);
    const rows = roomy.get(candidates) ?? roomiest(table, candidates.rows);
    roomy.set(candidates, rows);
    return rows.some(
      (row) =>
        !hosts.has(table.views[row]?.record.host ?? '') &&
        wants.every(({ key, all }) => (table.free[key][row] ?? 0) >= all) &&
        maySpread(app, row, more),
    );
  }

  /** Whether all of its hosts can: also without the best of those that may have as many of the App as its limits let. */
  function allTake({ name, spec }: Resource<AppSpec>, shares: Shares, wants: readonly Want[]): boolean {
    const replicas = Math.max(spec.replicas, run.placed(name).size);
    let { sum } = shares;
    for (const level of SPREAD_LEVELS) {
      const limit = spec.spread[level];
      if (limit === undefined) continue;
      const full = Math.floor(replicas / limit);
      for (const share of shares.by(level).slice(0, full)) sum -= share;
    }
    return sum >= wants.length;
  }

  return (lost) => {
    const counts = new Map<string, number>();
    for (const { app } of lost.replicas) counts.set(app, (counts.get(app) ?? 0) + 1);
    const apps = [...counts.keys()].flatMap((name) => input.catalog.apps.get(name) ?? []);
    if (!apps.every((app) => isPlain(run, app) && addressesLeft(app.spec) >= lost.replicas.length)) return false;
    const wants = wantsOf(
      lost.replicas.flatMap(({ app }) => {
        const spec = input.catalog.apps.get(app)?.spec;
        return spec ? [demandOf(spec)] : [];
      }),
    );
    const known = new Map<Candidates, Shares>();
    const sharesFor = (app: Resource<AppSpec>): Shares => {
      const candidates = run.candidates(app.spec);
      const isLeft = (row: number): boolean => !lost.hosts.has(table.views[row]?.record.host ?? '');
      const shares = known.get(candidates) ?? sharesOf(table, [...candidates.rows].filter(isLeft), wants);
      known.set(candidates, shares);
      return shares;
    };
    return apps.every(
      (app) => oneTakes(app, counts.get(app.name) ?? 0, lost, wants) || allTake(app, sharesFor(app), wants),
    );
  };
}
