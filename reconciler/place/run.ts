import { createBook, draftOf } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { AppSpec, Resource } from '../model/catalog.ts';
import type { Demand } from '../model/demand.ts';
import { decideOne } from '../model/decide.ts';
import type { Disruption } from '../model/disruption.ts';
import type { Placement } from '../model/replica.ts';
import type { Delta, Proposal, Single } from '../model/reservations.ts';
import { neighbourhood, rulesOf } from './affinity.ts';
import type { Rule } from './affinity.ts';
import { alikeIn } from './alike.ts';
import type { Removal } from './filters.ts';
import { groundOver, inverse, tentatively } from './ground.ts';
import type { Ground } from './ground.ts';
import { demandOf } from './asks.ts';
import { coresOf } from './cores.ts';
import { groupOf } from './group.ts';
import type { Group } from './group.ts';
import { hostProposals } from './hosts.ts';
import { mixOf, packingOf } from './packing.ts';
import type { Mix } from './packing.ts';
import { survey } from './survey.ts';
import type { Survey } from './survey.ts';
import type { Wish } from './wishes.ts';
import type { PlaceInput } from './input.ts';
import type { Waiting } from './waiting.ts';
import { weightsOf } from './weights.ts';

/** A replica that got no host, or not the room that it asks for, and why. */
export interface Unplaceable {
  readonly replica: string;
  readonly app: string;
  readonly reasons: readonly Removal[];
  /** For people: what removed the hosts, the nearest miss and what would make room. */
  readonly message: string;
}

/** How many more replicas of an App may be away, and which are. */
export interface Slack {
  readonly left: number;
  readonly away: readonly string[];
}

/** What is known of replicas that make room for more critical ones. */
export interface Preempting {
  /** Bidder → the host where it gets room, and those who make it. */
  readonly claims: Map<string, { readonly host: string; readonly victims: readonly string[] }>;
  /** Replicas that were told to make room in this run. */
  readonly marked: string[];
  /** App → replicas of it that gave up their places in this run, and that want others. */
  readonly displaced: Map<string, readonly Wish[]>;
  /** Host → replicas that moved there because they made room elsewhere. */
  readonly arrived: Map<string, string[]>;
  /** Replicas that took their turn to move in this run. */
  readonly turned: Set<string>;
  /** Replicas that wait for their turn to move, each with its App: they keep the room that is made for them while it may come. */
  readonly waiting: Map<string, Resource<AppSpec>>;
  /** How many replicas have got a place at the expense of others. */
  swaps: number;
  /** Nobody makes room for the App whose turn it is, and why, where somebody could. */
  hopeless: { readonly why?: string } | undefined;
  /** App → how critical it counts; made when it is first asked for. */
  levels: ReadonlyMap<string, number> | undefined;
  /** Level → by row, what all that is less critical takes there; made when it is first asked for. */
  readonly below: Map<number, Demand[]>;
  /** App → how many more of its replicas may be away; made when it is first asked for. */
  readonly slack: Map<string, Slack>;
}

function nothingPreempted(): Preempting {
  return {
    claims: new Map(),
    marked: [],
    displaced: new Map(),
    arrived: new Map(),
    turned: new Set(),
    waiting: new Map(),
    swaps: 0,
    hopeless: undefined,
    levels: undefined,
    below: new Map(),
    slack: new Map(),
  };
}

/** Placing under way: the book is ahead of the store by the proposals. */
export interface Run extends Ground {
  readonly input: PlaceInput;
  readonly survey: Survey;
  /** What each App asks of others, and they of it. */
  readonly rules: (app: string) => readonly Rule[];
  /** The shapes of what the Apps of a Zone ask for. */
  readonly mix: (zone: string) => Mix;
  /** Zone → what is wanted there and has not had its turn. */
  readonly wanted: Map<string, { cpu: number; memory: number }>;
  readonly proposals: Proposal[];
  /** App → how many more of its replicas that serve may be moved. */
  readonly turns: Map<string, number>;
  /** What of each Zone may still be taken away. */
  readonly disruption: Disruption;
  readonly preempting: Preempting;
  /** Which Apps found no room before; absent where nobody remembers. */
  readonly waiting?: Waiting | undefined;
}

/** A Network that has left the catalog rests its addresses this long: its own word cannot be read. */
const QUARANTINE = 600_000;

/** Decides a proposal as the store will; false when it would be refused. */
export function propose(run: Run, proposal: Single): boolean {
  const answer = decideOne(run.book, proposal, run.input.now);
  if ('reason' in answer) return false;
  tentatively(run, answer.deltas);
  run.proposals.push(proposal);
  return true;
}

/** What was proposed since `begin`; `keep` makes it part of the run, else `undo` takes it back. */
export interface Attempt {
  readonly run: Run;
  readonly keep: () => void;
  readonly undo: () => void;
}

/** Accounts of their own for what is only supposed. */
function apart({ claims: _none, marked, arrived, turned, swaps, levels, slack }: Preempting): Preempting {
  return {
    ...nothingPreempted(),
    marked: [...marked],
    arrived: new Map([...arrived].map(([host, there]) => [host, [...there]])),
    turned: new Set(turned),
    swaps,
    levels,
    slack: new Map(slack),
  };
}

/** An attempt that leaves no trace but what is proposed, and that is taken back: what it takes away and spends is on accounts of its own. */
export function supposition(run: Run): Pick<Attempt, 'run' | 'undo'> {
  const { run: part, undo } = attempt(run);
  const { turns, disruption, preempting } = run;
  return {
    run: { ...part, turns: new Map(turns), disruption: disruption.copy(), preempting: apart(preempting) },
    undo,
  };
}

/** A run on the same ground of which all or nothing is kept. What is taken back has never been, for whoever remembers. */
export function attempt(run: Run): Attempt {
  const made: { readonly delta: Delta; readonly back: Delta }[] = [];
  const apply: Run['apply'] = (deltas) => {
    for (const delta of deltas) {
      made.push({ delta, back: inverse(run.book, delta) });
      run.apply([delta], true);
    }
  };
  const part: Run = { ...run, apply, tentative: run.tentative && new Map(), proposals: [] };
  return {
    run: part,
    keep: () => {
      for (const { delta, back } of made)
        run.waiting?.changed(delta, back.type === 'placement' ? back.placement : undefined);
      for (const [key, delta] of part.tentative ?? []) if (!run.tentative?.has(key)) run.tentative?.set(key, delta);
      const places = part.proposals.filter((proposal) => proposal.op === 'place');
      if (places.length > 0) run.proposals.push({ op: 'gang', places });
    },
    undo: () => {
      run.apply(made.map(({ back }) => back).reverse(), true);
      run.turn.group = undefined;
    },
  };
}

/** Proposes what does not depend on each other, without what would be refused. */
export function proposeAll(run: Run, proposals: readonly Single[]): void {
  const deltas: Delta[] = [];
  for (const proposal of proposals) {
    const answer = decideOne(run.book, proposal, run.input.now);
    if ('reason' in answer) continue;
    deltas.push(...answer.deltas);
    run.proposals.push(proposal);
  }
  tentatively(run, deltas);
}

/** Gives up a placement; its address rests as long as its Network says. */
export function release({ input }: Pick<Run, 'input'>, { replica, network }: Placement): Single {
  const rest = input.catalog.networks.get(network)?.spec.quarantine ?? QUARANTINE;
  return { op: 'release', replica, quarantineUntil: input.now + rest };
}

const appsIn = ({ catalog }: PlaceInput, zone: string): readonly Resource<AppSpec>[] =>
  [...catalog.apps.values()].filter(({ spec }) => spec.zone === zone);

function wantedBy({ catalog }: PlaceInput, { wanted }: Survey): Run['wanted'] {
  const sums: Run['wanted'] = new Map();
  for (const [name, { length }] of wanted) {
    const spec = length > 0 ? catalog.apps.get(name)?.spec : undefined;
    if (!spec) continue;
    const sum = sums.get(spec.zone) ?? { cpu: 0, memory: 0 };
    const { cpu, memory } = spec.resources;
    sums.set(spec.zone, { cpu: sum.cpu + length * cpu, memory: sum.memory + length * memory });
  }
  return sums;
}

/** A run on a ground as it stands. */
export function runOn(ground: Ground, input: PlaceInput, found: Survey, known?: Pick<Run, 'rules' | 'mix'>): Run {
  ground.turn.group = undefined;
  for (const replica of [...ground.promised.keys()]) ground.promise(replica);
  let rules = known?.rules;
  const mixes = new Map<string, Mix>();
  const { book, tentative, likes, turn, placed, promised, promise, candidates, pool, apply, renew } = ground;
  return {
    ...{ book, tentative, likes, turn, placed, promised, promise, candidates, pool, apply, renew },
    get table() {
      return ground.table; // made when somebody asks for it
    },
    mix: (zone) => {
      const mix = known?.mix(zone) ?? mixes.get(zone) ?? mixOf(appsIn(input, zone));
      mixes.set(zone, mix);
      return mix;
    },
    wanted: wantedBy(input, found),
    rules: (app) => (rules ??= rulesOf(input.catalog))(app),
    ...{ input, proposals: [], survey: found, turns: new Map(found.turns), disruption: found.disruption.copy() },
    preempting: nothingPreempted(),
  };
}

/** A run after what needs no choice: the hosts as they are now, and the releases. */
export function startRun(input: PlaceInput, kept?: Ground, waiting?: Waiting): Run {
  const { hosts, snapshot, catalog, scope } = input;
  const own = (): Book => (input.kept ? draftOf(input.kept.book) : createBook(snapshot));
  const ground = kept ?? groundOver(input, own(), { forGood: true, watch: waiting });
  const found = survey(input);
  const { leaving, witness } = found;
  const placed = (app: string): Iterable<Placement> => witness.whereabouts.placed(app).values();
  waiting?.begin({ catalog, hosts, leaving, placed, now: input.now });
  const run = Object.assign(runOn(ground, input, found), { waiting });
  proposeAll(run, hostProposals(hosts, snapshot, catalog, scope?.hosts));
  proposeAll(
    run,
    run.survey.releases.map((placement) => release(run, placement)),
  );
  return run;
}

/** The group of an App as the run stands. */
export function groupIn(run: Run, app: Resource<AppSpec>): Group {
  const { table, input, book, turn } = run;
  if (turn.app === app.name && turn.group) return turn.group;
  const { rows, cells } = run.candidates(app.spec);
  const around = neighbourhood(table, book, rows, run.rules(app.name));
  const ask = { demand: demandOf(app.spec), cores: coresOf(app.spec) };
  const alike = around ? undefined : alikeIn(run.likes, table, rows, ask);
  const free = around ? rows.filter((row) => around.barredBy[row] === 0) : rows;
  const weights = alike?.weights ?? weightsOf(table, free, ask);
  const { zone } = app.spec;
  const packs = input.catalog.zones.get(zone)?.spec.strategy === 'pack';
  const wanted = run.wanted.get(zone) ?? { cpu: 0, memory: 0 };
  const pack = packs ? packingOf(table, rows, run.mix(zone), wanted) : undefined;
  const placed = [...run.placed(app.name)].flatMap((replica) => book.placements.get(replica) ?? []);
  const group = groupOf(table, app.spec, { rows, cells, weights, alike, pack, around }, placed);
  Object.assign(turn, { app: app.name, group });
  return group;
}
