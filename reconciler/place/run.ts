import { createBook, draftOf } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { AppSpec, Resource } from '../model/catalog.ts';
import { decideOne } from '../model/decide.ts';
import type { Demand, Placement } from '../model/replica.ts';
import type { Proposal } from '../model/reservations.ts';
import { addressPool } from './addresses.ts';
import type { AddressPool } from './addresses.ts';
import { neighbourhood, rulesOf } from './affinity.ts';
import type { Rule } from './affinity.ts';
import { candidateFinder } from './filters.ts';
import type { Candidates, Removal } from './filters.ts';
import { demandOf, groupOf, weightsOf } from './group.ts';
import type { Group, Weights } from './group.ts';
import { hostProposals } from './hosts.ts';
import type { HostView } from './hosts.ts';
import { survey } from './survey.ts';
import type { PlaceInput, Survey } from './survey.ts';
import { hostTable } from './table.ts';
import type { HostTable } from './table.ts';

/** A replica that got no host, or not the room that it asks for, and why. */
export interface Unplaceable {
  readonly replica: string;
  readonly app: string;
  readonly reasons: readonly Removal[];
  /** For people: what removed the hosts, the nearest miss and what would make room. */
  readonly message: string;
}

/** Placing under way: the book is ahead of the store by the proposals, and the table agrees with the book. */
export interface Run {
  readonly input: PlaceInput;
  readonly book: Book;
  readonly survey: Survey;
  readonly table: HostTable;
  readonly candidates: (app: AppSpec) => Candidates;
  /** What each App asks of others, and they of it. */
  readonly rules: (app: string) => readonly Rule[];
  /** By candidates and demand: Apps of one size share them. */
  readonly weights: Map<Candidates, Map<string, Weights>>;
  /** The addresses of a Network for a zone. */
  readonly pool: (network: string, zone: string) => AddressPool | undefined;
  readonly proposals: Proposal[];
  /** App → how many more of its replicas that serve may be moved. */
  readonly turns: Map<string, number>;
}

/** A Network that has left the catalog rests its addresses this long: its own word cannot be read. */
const QUARANTINE = 600_000;

/** Decides a proposal as the store will; false when it would be refused. */
export function propose(
  { book, input, proposals }: Pick<Run, 'book' | 'input' | 'proposals'>,
  proposal: Proposal,
): boolean {
  const answer = decideOne(book, proposal, input.now);
  if ('reason' in answer) return false;
  book.apply(answer.deltas);
  proposals.push(proposal);
  return true;
}

/** Gives up a placement; its address rests as long as its Network says. */
export function release({ input }: Pick<Run, 'input'>, { replica, network }: Placement): Proposal {
  const rest = input.catalog.networks.get(network)?.spec.quarantine ?? QUARANTINE;
  return { op: 'release', replica, quarantineUntil: input.now + rest };
}

/** Hosts that are not to be seen now: they take nothing, but what is on them still counts for its rack and switch. */
function absent(views: readonly HostView[], book: Book): readonly HostView[] {
  const seen = new Set(views.map(({ record }) => record.host));
  return [...book.hosts.values()]
    .filter(({ host }) => !seen.has(host))
    .map((record) => ({ record: { ...record, state: 'closed' }, labels: {} }));
}

/** A run over a book: what is free is what the book says. */
export function runOver(
  input: PlaceInput,
  book: Book,
  found: Survey,
  proposals: Proposal[] = [],
  rules?: Run['rules'],
): Run {
  const { side = { part: 0, of: 1 } } = input;
  let made: HostTable | undefined;
  // where nothing is to be placed nobody asks for it; who places asks before the first proposal
  const table = (): HostTable => (made ??= hostTable([...input.hosts, ...absent(input.hosts, book)], book, side));
  const begin = side.part / side.of;
  const pools = new Map<string, AddressPool>();
  const pool = (name: string, zone: string): AddressPool | undefined => {
    const network = input.catalog.networks.get(name)?.spec;
    if (!network) return undefined;
    const key = network.blockSize === undefined ? name : `${name} ${zone}`;
    const known = pools.get(key) ?? addressPool({ name, network, book, now: input.now, zone, from: begin });
    pools.set(key, known);
    return known;
  };
  let finder: Run['candidates'] | undefined;
  let asked = rules;
  return {
    input,
    book,
    proposals,
    survey: found,
    get table() {
      return table();
    },
    candidates: (app) => (finder ??= candidateFinder(input.catalog, table()))(app),
    rules: (app) => (asked ??= rulesOf(input.catalog))(app),
    weights: new Map(),
    pool,
    turns: new Map(found.turns),
  };
}

/** A run after what needs no choice: the hosts as they are now, and the releases. */
export function startRun(input: PlaceInput): Run {
  const { hosts, snapshot, catalog, kept, scope } = input;
  const book = kept ? draftOf(kept.book) : createBook(snapshot);
  const found = survey(input);
  const early = { input, book, proposals: [] as Proposal[] };
  for (const proposal of hostProposals(hosts, snapshot, catalog, scope?.hosts)) propose(early, proposal);
  for (const placement of found.releases) propose(early, release(early, placement));
  return runOver(input, book, found, early.proposals);
}

function weightsIn({ table, weights }: Run, candidates: Candidates, demand: Demand): Weights {
  const sizes = weights.get(candidates) ?? new Map<string, Weights>();
  weights.set(candidates, sizes);
  const key = `${String(demand.cpu)} ${String(demand.memory)} ${String(demand.pids)}`;
  const known = sizes.get(key) ?? weightsOf(table, candidates.rows, demand);
  sizes.set(key, known);
  return known;
}

/** The group of an App as the run stands. */
export function groupIn(run: Run, app: Resource<AppSpec>): Group {
  const { table, input, book, survey: found } = run;
  const candidates = run.candidates(app.spec);
  const { rows, cells } = candidates;
  const around = neighbourhood(table, book, rows, run.rules(app.name));
  const weights = around
    ? weightsOf(
        table,
        rows.filter((row) => around.barredBy[row] === 0),
        demandOf(app.spec),
      )
    : weightsIn(run, candidates, demandOf(app.spec));
  const pack = input.catalog.zones.get(app.spec.zone)?.spec.strategy === 'pack';
  const placed = (found.replicas.get(app.name) ?? []).flatMap((replica) => book.placements.get(replica) ?? []);
  return groupOf(table, app.spec, { rows, cells, weights, pack, around }, placed);
}
