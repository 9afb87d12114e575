import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { amountOf } from '../model/demand.ts';
import type { Dimension } from '../model/demand.ts';
import { mostIn } from '../model/disruption.ts';
import { fateOf } from '../model/fate.ts';
import { waitsFor } from '../model/handover.ts';
import { appOf, replicaId } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
import { ownerTold } from '../model/whereabouts.ts';
import { counted } from '../model/words.ts';
import { levelsOf } from './affinity.ts';
import type { Run, Slack } from './run.ts';

/** A replica that finds no room. */
export interface Bidder {
  readonly replica: string;
  readonly app: Resource<AppSpec>;
  /** It serves where it is, and will be away itself while it moves. */
  readonly inTurn?: boolean;
  /** Of a gang: who leaves for those of it that come before. */
  readonly leaving?: readonly Victim[];
}

/**
 * How a replica stands that could make room: nobody wants it, so that it goes by itself; it gives its place to this bidder already;
 * it is known to serve nobody; it may serve.
 */
export type Footing = 'leaves' | 'yields' | 'down' | 'serves';

/** The cheapest first. */
const FOOTINGS: readonly Footing[] = ['leaves', 'yields', 'down', 'serves'];

/** A replica on a host that is less critical than the bidder. */
export interface Victim {
  readonly placement: Placement;
  /** How critical it counts: as its App, or as the most critical of those that must be near to it. */
  readonly level: number;
  readonly footing: Footing;
  /** Why it stays whatever the budgets are. */
  readonly bar?: string;
}

/** App → how critical it counts. */
export function countedLevels(run: Run): (app: string) => number {
  run.preempting.levels ??= levelsOf(run.input.catalog.apps);
  const { levels } = run.preempting;
  // one that nobody wants any more is in nobody's way
  return (app) => levels.get(app) ?? Infinity;
}

/** What keeps a replica of an App where it is. */
function barOf(run: Run, { app: { name } }: Bidder, placement: Placement): string | undefined {
  const { app } = placement;
  const { spec } = run.input.catalog.apps.get(app) ?? {};
  if (spec?.gang !== undefined) return `it belongs to gang ${spec.gang}`;
  if (run.input.changing?.has(app)) return `App ${app} is in the middle of a change`;
  const near = run.rules(name).some((rule) => rule.required && !rule.apart && rule.app === app);
  if (near) return `App ${name} must be near to it`;
  const before = waitsFor(placement, run.survey.witness);
  if (before !== undefined) return `it is on its way there and ${before} has not let it go`;
  const { networks, zones } = run.input.catalog;
  const read = spec && networks.has(spec.network) && zones.has(spec.zone);
  return read ? undefined : `the Network or Zone of App ${app} cannot be read`;
}

function footingOf({ survey }: Run, placement: Placement): Footing {
  const { replica } = placement;
  // one whose place was given back to it in this run is being stopped
  const isStopped = survey.yielding.has(replica);
  return isStopped || survey.health(replica, placement).down ? 'down' : 'serves';
}

/** The replicas on a host that the run has there before and after, less critical than a bidder. */
export function victimsOn(run: Run, bidder: Bidder, host: string): readonly Victim[] {
  const { survey, book, input, preempting } = run;
  const { whereabouts } = survey.witness;
  const level = countedLevels(run);
  const owners = { get: (app: string) => ownerTold(whereabouts, app) };
  const there = new Set([
    ...whereabouts.on(host).map(({ replica }) => replica),
    ...(preempting.arrived.get(host) ?? []),
  ]);
  return [...there].sort().flatMap((replica): readonly Victim[] => {
    const placement = book.placements.get(replica);
    if (placement?.host !== host || level(placement.app) <= bidder.app.spec.level) return [];
    const one = { placement, level: level(placement.app) };
    const fate = fateOf(placement, input.catalog, owners);
    if (fate === 'kept') return [];
    if (fate === 'unwanted') return [{ ...one, level: Infinity, footing: 'leaves' }];
    if (placement.yields !== undefined)
      return placement.yields === bidder.replica ? [{ ...one, footing: 'yields' }] : [];
    const bar = barOf(run, bidder, placement);
    return [{ ...one, footing: footingOf(run, placement), ...(bar === undefined ? {} : { bar }) }];
  });
}

/** As things stand in the run. */
function slackOf(run: Run, app: string): Slack {
  const { slack } = run.preempting;
  const known = slack.get(app);
  if (known) return known;
  const spec = run.input.catalog.apps.get(app)?.spec;
  const away: string[] = [];
  for (let ordinal = 0; ordinal < (spec?.replicas ?? 0); ordinal += 1) {
    const id = replicaId(app, ordinal);
    if (run.survey.health(id, run.book.placements.get(id)).away) away.push(id);
  }
  const made = { left: (spec?.maxUnavailable ?? 0) - away.length, away };
  slack.set(app, made);
  return made;
}

/** What is left of the budgets while victims are chosen. */
interface Purse {
  /** Why one may not be taken now. */
  why(victim: Victim): string | undefined;
  take(victim: Victim): void;
}

/** `a`, `a and b`, `a, b and 3 more`: as many as a person wants to read. */
export function joined(names: readonly string[]): string {
  if (names.length > 3) return `${names.slice(0, 2).join(', ')} and ${String(names.length - 2)} more`;
  return names.length === 1 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

/** What an App lets be away, and what is. */
export function fullText(app: string, most: number, away: readonly string[] = []): string {
  const are = away.length === 0 ? '' : `, ${joined(away)} ${away.length === 1 ? 'is' : 'are'}`;
  return `App ${app} lets ${counted(most, 'replica')} be away at a time${are}`;
}

/** One that is away, or is to be. */
type Gone = Pick<Placement, 'replica' | 'app' | 'zone'>;

/** Those who made room in a run and have found no other place. */
function homelessAfter({ book, preempting }: Run, { apps }: Catalog): readonly Gone[] {
  const victims = [...preempting.claims.values()].flatMap((claim) => claim.victims);
  return victims
    .filter((replica) => !book.placements.has(replica))
    .map((replica) => ({ replica, app: appOf(replica), zone: apps.get(appOf(replica))?.spec.zone ?? '' }));
}

const namesOf = (all: readonly Gone[], app: string): readonly string[] =>
  all.filter((one) => one.app === app).map(({ replica }) => replica);

/** What budgets let go together where all else serves; who finds no other place stays away. */
function purseOfMost(run: Run, { inTurn, leaving = [] }: Bidder, within: Catalog): Purse {
  const lost = homelessAfter(run, within);
  const gone = [...lost, ...leaving.filter(({ footing }) => footing === 'serves').map(({ placement }) => placement)];
  const moving = inTurn === true ? 1 : 0;
  return {
    why: ({ placement: { app, zone }, footing, bar }) => {
      if (footing !== 'serves' || bar !== undefined) return bar;
      const most = within.apps.get(app)?.spec.maxUnavailable ?? 0;
      if (gone.filter((one) => one.app === app).length >= most) return fullText(app, most, namesOf(lost, app));
      const inZone = mostIn(within, zone);
      if (moving + gone.filter((one) => one.zone === zone).length < inZone) return undefined;
      return `Zone ${zone} lets ${counted(inZone, 'replica')} be away at a time`;
    },
    take: ({ placement, footing }) => {
      if (footing === 'serves') gone.push(placement);
    },
  };
}

/** What budgets let go now. */
function purseOfNow(run: Run, { replica, app: { spec }, inTurn }: Bidder): Purse {
  const spent = new Map<string, number>();
  const { disruption, input } = run;
  const homeless = run.book.placements.has(replica) ? undefined : spec;
  let away = inTurn === true ? 1 : 0;
  return {
    why: ({ placement: { app, zone }, footing, bar }) => {
      if (footing === 'leaves' || footing === 'yields') return undefined;
      if (bar !== undefined || footing === 'down') return bar;
      const slack = slackOf(run, app);
      if (slack.left <= (spent.get(app) ?? 0))
        return fullText(app, input.catalog.apps.get(app)?.spec.maxUnavailable ?? 0, slack.away);
      if (away < disruption.left(zone, homeless)) return undefined;
      return disruption.why(zone) ?? `Zone ${zone} lets no more be away at once`;
    },
    take: ({ placement: { app }, footing }) => {
      if (footing !== 'serves') return;
      spent.set(app, (spent.get(app) ?? 0) + 1);
      away += 1;
    },
  };
}

function purseOf(run: Run, bidder: Bidder): Purse {
  const { preempts } = run.input;
  return typeof preempts === 'object' ? purseOfMost(run, bidder, preempts.within) : purseOfNow(run, bidder);
}

/** What a host lacks, by dimension. */
type Lack = ReadonlyMap<Dimension, number>;

/** How much of what is lacking a victim gives, summed over the dimensions, each in parts of all that is lacking. */
function gives(lack: Lack, left: Lack, { placement: { demand } }: Victim): number {
  let sum = 0;
  for (const [key, amount] of left) sum += Math.min(amountOf(demand, key), amount) / (lack.get(key) ?? 1);
  return sum;
}

function lessened(left: Lack, { placement: { demand } }: Victim): Lack {
  return new Map(
    [...left].map(([key, amount]) => [key, amount - amountOf(demand, key)] as const).filter(([, n]) => n > 0),
  );
}

const rank = ({ footing }: Victim): number => FOOTINGS.indexOf(footing);

/** Whoever costs nothing first, then who gives most; undefined when all of them do not suffice. */
function gather(lack: Lack, pool: readonly Victim[], purse: Purse | undefined): Victim[] | undefined {
  const chosen: Victim[] = [];
  const rest = new Set(pool);
  for (let left = lack; left.size > 0;) {
    let best: Victim | undefined;
    let most = 0;
    for (const one of rest) {
      const given = gives(lack, left, one);
      if (given === 0 || (best && (rank(one) > rank(best) || (rank(one) === rank(best) && given <= most)))) continue;
      if (purse?.why(one) !== undefined) continue;
      best = one;
      most = given;
    }
    if (!best) return undefined;
    rest.delete(best);
    chosen.push(best);
    purse?.take(best);
    left = lessened(left, best);
  }
  return chosen;
}

/** The same without those who need not go: the dearest are let off first, of these the most critical. */
function pruned(lack: Lack, chosen: readonly Victim[]): readonly Victim[] {
  const dearest = [...chosen].sort((a, b) => rank(b) - rank(a) || a.level - b.level);
  let kept = dearest;
  for (const one of dearest) {
    const others = kept.filter((other) => other !== one);
    if (others.reduce(lessened, lack).size === 0) kept = others;
  }
  return kept;
}

/** Victims who suffice, the least critical that do; without budgets and bars where `bold`. Undefined when none do. */
export function choice(
  run: Run,
  bidder: Bidder,
  lack: Lack,
  victims: readonly Victim[],
  bold = false,
): readonly Victim[] | undefined {
  const levels = [...new Set(victims.map(({ level }) => level))].sort((a, b) => b - a);
  for (const least of levels) {
    const pool = victims.filter((one) => one.level >= least || one.footing === 'yields');
    const chosen = gather(lack, pool, bold ? undefined : purseOf(run, bidder));
    if (chosen) return pruned(lack, chosen);
  }
  return undefined;
}

/** Why not all of them may be taken now; undefined when they may. */
export function obstacleTo(run: Run, bidder: Bidder, victims: readonly Victim[]): string | undefined {
  const purse = purseOf(run, bidder);
  for (const one of victims) {
    const why = purse.why(one);
    if (why !== undefined) return why;
    purse.take(one);
  }
  return undefined;
}
