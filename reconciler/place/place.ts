import { createBook } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { AppSpec, Resource } from '../model/catalog.ts';
import { decide } from '../model/decide.ts';
import type { Demand, Placement } from '../model/replica.ts';
import type { Proposal } from '../model/reservations.ts';
import { addressPool } from './addresses.ts';
import type { AddressPool } from './addresses.ts';
import { candidateFinder } from './filters.ts';
import type { Candidates, Removal } from './filters.ts';
import { choose, demandOf, groupOf, obstacle, seat, weightsOf } from './group.ts';
import type { Group, Weights } from './group.ts';
import { hostProposals } from './hosts.ts';
import { noAddress, noGrowth, nowhere } from './reasons.ts';
import { survey } from './survey.ts';
import type { Misplaced, PlaceInput, Survey } from './survey.ts';
import { hostName, hostTable } from './table.ts';
import type { HostTable } from './table.ts';

/** A replica that got no host, or not the room that it asks for, and why. */
export interface Unplaceable {
  readonly replica: string;
  readonly app: string;
  readonly reasons: readonly Removal[];
  /** For people: what removed the hosts, the nearest miss and what would make room. */
  readonly message: string;
}

export interface PlaceResult {
  /** In the order in which they must be decided: hosts, releases, resizes, placements. */
  readonly proposals: readonly Proposal[];
  /** The placements as they will be when all is accepted. */
  readonly placements: ReadonlyMap<string, Placement>;
  readonly unplaceable: readonly Unplaceable[];
  /** Replicas that give up host and address for good. */
  readonly releases: readonly string[];
  /** Unwanted replicas that wait until nothing of them runs. */
  readonly leaving: readonly string[];
  /** Replicas that stay only because errors in the repository forbid to remove them. */
  readonly kept: readonly string[];
  readonly misplaced: readonly Misplaced[];
}

/** A Network that has left the catalog rests its addresses this long: its own word cannot be read. */
const QUARANTINE = 600_000;

/** Placing under way: the book is ahead of the store by the proposals. */
export interface Run {
  readonly input: PlaceInput;
  readonly book: Book;
  readonly survey: Survey;
  readonly table: HostTable;
  readonly candidates: (app: AppSpec) => Candidates;
  /** By candidates and demand: Apps of one size share them. */
  readonly weights: Map<Candidates, Map<string, Weights>>;
  readonly pool: (network: string) => AddressPool | undefined;
  /** App → its placements. */
  readonly placed: ReadonlyMap<string, readonly Placement[]>;
  readonly proposals: Proposal[];
  readonly unplaceable: Unplaceable[];
}

/** Decides a proposal as the store will; false when it would be refused. */
function propose({ book, input, proposals }: Pick<Run, 'book' | 'input' | 'proposals'>, proposal: Proposal): boolean {
  const { verdicts, deltas } = decide(book, { id: '', now: input.now, proposals: [proposal] });
  if (verdicts[0]?.accepted !== true) return false;
  book.apply(deltas);
  proposals.push(proposal);
  return true;
}

function release({ input }: Pick<Run, 'input'>, { replica, network }: Placement): Proposal {
  const rest = input.catalog.networks.get(network)?.spec.quarantine ?? QUARANTINE;
  return { op: 'release', replica, quarantineUntil: input.now + rest };
}

/** Everything that makes or takes room before anybody new is seated: hosts, releases, resizes (smaller ones first). */
function prepare(input: PlaceInput): Run {
  const book = createBook(input.snapshot);
  const found = survey(input);
  const early = { input, book, proposals: [] as Proposal[] };
  const unplaceable: Unplaceable[] = [];
  for (const proposal of hostProposals(input.hosts, input.snapshot, input.catalog)) propose(early, proposal);
  for (const placement of found.releases) propose(early, release(early, placement));
  const grows = (resize: Survey['resizes'][number]): number => resize.demand.memory - resize.placement.demand.memory;
  for (const { placement, demand } of [...found.resizes].sort((a, b) => grows(a) - grows(b)))
    if (!propose(early, { op: 'resize', replica: placement.replica, demand }))
      unplaceable.push(noGrowth(book, placement, demand));
  const table = hostTable(input.hosts, book);
  const pools = new Map<string, AddressPool>();
  const pool = (name: string): AddressPool | undefined => {
    const network = input.catalog.networks.get(name);
    const made = pools.get(name) ?? (network && addressPool(name, network.spec, book, input.now));
    if (made) pools.set(name, made);
    return made;
  };
  const candidates = candidateFinder(input.catalog, table);
  return { ...early, survey: found, table, candidates, weights: new Map(), pool, placed: byApp(book), unplaceable };
}

function byApp(book: Book): ReadonlyMap<string, readonly Placement[]> {
  const placed = new Map<string, Placement[]>();
  for (const placement of book.placements.values()) {
    const list = placed.get(placement.app);
    if (list) list.push(placement);
    else placed.set(placement.app, [placement]);
  }
  return placed;
}

/** Most critical level first, then the App whose replicas are largest, then by name. */
function inOrder({ input, table }: Run): readonly Resource<AppSpec>[] {
  const sum = (column: Float64Array): number =>
    Math.max(
      1,
      column.reduce((total, value) => total + value, 0),
    );
  const cpu = sum(table.all.cpu);
  const memory = sum(table.all.memory);
  const size = ({ spec }: Resource<AppSpec>): number => {
    const demand: Demand = demandOf(spec);
    return demand.cpu / cpu + demand.memory / memory;
  };
  const order = (a: Resource<AppSpec>, b: Resource<AppSpec>): number =>
    a.spec.level - b.spec.level || size(b) - size(a) || (a.name < b.name ? -1 : 1);
  return [...input.catalog.apps.values()].sort(order);
}

function weightsIn({ table, weights }: Run, candidates: Candidates, demand: Demand): Weights {
  const sizes = weights.get(candidates) ?? new Map<string, Weights>();
  weights.set(candidates, sizes);
  const key = `${String(demand.cpu)} ${String(demand.memory)} ${String(demand.pids)}`;
  const known = sizes.get(key) ?? weightsOf(table, candidates.rows, demand);
  sizes.set(key, known);
  return known;
}

/** The group of an App in this run. */
export function groupIn(run: Run, app: Resource<AppSpec>): Group {
  const { table, input, placed } = run;
  const candidates = run.candidates(app.spec);
  const weights = weightsIn(run, candidates, demandOf(app.spec));
  const pack = input.catalog.zones.get(app.spec.zone)?.spec.strategy === 'pack';
  return groupOf(table, app.spec, candidates.rows, weights, placed.get(app.name) ?? [], pack);
}

type Wish = { readonly replica: string; readonly from?: Placement };

/** Takes a replica out of its place, or puts it back, in table and counters. */
function lift({ table }: Run, group: Group, from: Placement, sign: 1 | -1): void {
  const row = table.rows.get(from.host);
  if (row !== undefined) seat(table, group, row, from.demand, sign);
}

/** Where a replica goes: one that must leave its place stays on its host if it can. */
function rowFor({ table }: Run, group: Group, { from }: Wish): number | undefined {
  const row = from && table.rows.get(from.host);
  const stays = row !== undefined && group.rows.includes(row) && obstacle(table, group, row) === undefined;
  return stays ? row : choose(table, group);
}

/** Places one replica; false when it finds no host or no address. */
function settle(run: Run, app: Resource<AppSpec>, group: Group, wish: Wish): boolean {
  const { table } = run;
  const { replica, from } = wish;
  if (from) lift(run, group, from, -1);
  const row = rowFor(run, group, wish);
  const address = run.pool(app.spec.network)?.next();
  if (row === undefined || address === undefined) {
    if (from) lift(run, group, from, 1);
    return false;
  }
  if (from) propose(run, release(run, from));
  const { zone, network, spread } = app.spec;
  const epoch = (from?.epoch ?? 0) + 1;
  const placement = {
    replica,
    app: app.name,
    zone,
    host: hostName(table, row),
    network,
    address,
    demand: group.demand,
    epoch,
  };
  const hostEpoch = table.views[row]?.record.epoch ?? 0;
  if (!propose(run, { op: 'place', placement, hostEpoch, spread })) return false;
  seat(table, group, row, group.demand, 1);
  return true;
}

/** Places the replicas of one App in turn. Once one finds nothing, those after it would not either. */
export function settleApp(run: Run, app: Resource<AppSpec>, wishes: readonly Wish[], group: Group): void {
  let failed: Omit<Unplaceable, 'replica'> | undefined;
  for (const wish of wishes) {
    if (failed && !wish.from) {
      run.unplaceable.push({ ...failed, replica: wish.replica });
      continue;
    }
    failed = settle(run, app, group, wish) ? undefined : failure(run, app, group);
    if (failed) run.unplaceable.push({ ...failed, replica: wish.replica });
  }
}

function failure(run: Run, app: Resource<AppSpec>, group: Group): Omit<Unplaceable, 'replica'> {
  const pool = run.pool(app.spec.network);
  const full = pool && pool.next() === undefined && choose(run.table, group) !== undefined;
  const why = full
    ? noAddress(run.input.catalog, app.spec.network, pool.count(), run.table)
    : nowhere(run.input.catalog, run.table, group, app, run.candidates(app.spec).removals);
  return { app: app.name, ...why };
}

/**
 * Proposes a host and an address for every replica that wants one, gives up what nobody wants, and moves nothing that need
 * not move. Equal input gives equal output. `until` is called before each App's turn and may end the run by returning true.
 */
export function runPlacing(input: PlaceInput, until?: (run: Run, app: Resource<AppSpec>) => boolean): Run {
  const run = prepare(input);
  for (const app of inOrder(run)) {
    if (until?.(run, app) === true) break;
    const wishes = run.survey.wanted.get(app.name) ?? [];
    if (wishes.length > 0) settleApp(run, app, wishes, groupIn(run, app));
  }
  return run;
}

/** `runPlacing`, told as proposals and what could not be done. */
export function place(input: PlaceInput): PlaceResult {
  const { proposals, book, unplaceable, survey: found } = runPlacing(input);
  const ids = (placements: readonly Placement[]): readonly string[] => placements.map(({ replica }) => replica);
  return {
    proposals,
    placements: book.placements,
    unplaceable,
    releases: ids(found.releases),
    leaving: ids(found.leaving),
    kept: ids(found.kept),
    misplaced: found.misplaced,
  };
}
