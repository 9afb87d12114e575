import type { AppSpec, Catalog } from './catalog.ts';
import { appOf, ordinalOf } from './replica.ts';
import type { Assignment, Report } from './replica.ts';
import { healthOf, mayLeave } from './rollout.ts';
import type { Standing } from './rollout.ts';
import type { Whereabouts } from './whereabouts.ts';
import { counted } from './words.ts';

/**
 * How many more replicas of each Zone may be taken away by us now. Whoever takes one that serves away spends one first: a change
 * in place or by a new container, a move, a preemption. One that is away already costs nothing.
 */
export interface Disruption {
  /**
   * Infinity where the Zone has no budget. For one of a level that has no place itself, others as critical that have none either are no reason: it is
   * for such that room is made.
   */
  left(zone: string, homeless?: Pick<AppSpec, 'level'>): number;
  spend(zone: string, replicas?: number): void;
  /** What keeps the next one, in words, where nothing is left. */
  why(zone: string): string | undefined;
  /** Its own account from here on, for a trial. */
  copy(): Disruption;
}

/** The catalog as if no Zone had a budget: for what asks where a change leads. */
export function withoutBudgets(catalog: Catalog): Catalog {
  const open = [...catalog.zones].map(([name, zone]) => {
    const { disruption: _budget, ...spec } = zone.spec;
    return [name, { ...zone, spec }] as const;
  });
  return { ...catalog, zones: new Map(open) };
}

const serving = new WeakMap<Assignment, WeakMap<Report, readonly string[]>>();

/**
 * The replicas of a host that serve as it was last told. Of one that has not taken that in nothing is known: what is now as it said
 * then may be made otherwise meanwhile, as it was told before.
 */
function servingOn(assignment: Assignment, report: Report): readonly string[] {
  if (assignment.generation !== report.generation) return [];
  const known = serving.get(assignment) ?? new WeakMap<Report, readonly string[]>();
  serving.set(assignment, known);
  const before = known.get(report);
  if (before) return before;
  const said = new Map(report.replicas.map((one) => [one.id, one]));
  const made = assignment.replicas
    .filter((replica) => !healthOf(replica.placement, replica, said.get(replica.id)).away)
    .map(({ id }) => id);
  known.set(report, made);
  return made;
}

/** The most that may be away of so many: a share is rounded down, but one always may. */
export function mostAway(budget: { readonly count: number } | { readonly percent: number }, wanted: number): number {
  return 'count' in budget ? budget.count : Math.max(1, Math.floor((wanted * budget.percent) / 100));
}

function wantedIn({ apps }: Catalog, zone: string): number {
  let wanted = 0;
  for (const { spec } of apps.values()) if (spec.zone === zone) wanted += spec.replicas;
  return wanted;
}

const mosts = new WeakMap<Catalog, Map<string, number>>();

/** The most replicas of a Zone that its budget lets be away; Infinity where it has none. */
export function mostIn(catalog: Catalog, zone: string): number {
  const known = mosts.get(catalog) ?? new Map<string, number>();
  mosts.set(catalog, known);
  const before = known.get(zone);
  if (before !== undefined) return before;
  const budget = catalog.zones.get(zone)?.spec.disruption?.maxUnavailable;
  const most = budget ? mostAway(budget, wantedIn(catalog, zone)) : Infinity;
  known.set(zone, most);
  return most;
}

interface Account {
  readonly most: number;
  away: number;
  /** By level, those of them that have no place. */
  readonly homeless: readonly number[];
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

/** How many replicas of a Zone have no place, by level. Of an App, those beyond what Git asks for hide as many at most. */
function homelessIn({ apps }: Catalog, zone: string, at: Whereabouts): readonly number[] {
  const homeless = [0, 0, 0, 0];
  for (const { name, spec } of apps.values()) {
    const placed = at.placed(name);
    if (spec.zone !== zone || placed.size >= spec.replicas) continue;
    const there = placed.values().filter(({ replica }) => ordinalOf(replica) < spec.replicas).length;
    homeless[spec.level] = (homeless[spec.level] ?? 0) + spec.replicas - there;
  }
  return homeless;
}

/** How many of the replicas that Git asks for in a Zone serve where they are placed. */
function servingIn(zone: string, { apps }: Catalog, at: Whereabouts, lost: ReadonlySet<string>): number {
  let serve = 0;
  for (const [host, assignment] of at.assignments) {
    const report = at.reports.get(host);
    if (!report || lost.has(host)) continue;
    for (const id of servingOn(assignment, report)) {
      const name = appOf(id);
      const spec = apps.get(name)?.spec;
      if (spec?.zone !== zone || ordinalOf(id) >= spec.replicas) continue;
      const home = at.placed(name).get(id);
      if (home?.host === host && home.yields === undefined) serve += 1;
    }
  }
  return serve;
}

/**
 * The budgets of all Zones as things stand. What is told in the store is spent: from then on a replica counts as away until its
 * host says that it serves as it was told, whoever leads by then. Nothing is counted before somebody asks.
 */
export function disruptionOf(catalog: Catalog, at: Whereabouts, lost: ReadonlySet<string> = new Set()): Disruption {
  const make = (accounts: Map<string, Account | undefined>): Disruption => {
    const of = (zone: string): Account | undefined => {
      if (accounts.has(zone)) return accounts.get(zone);
      const most = mostIn(catalog, zone);
      const away = (): number => wantedIn(catalog, zone) - servingIn(zone, catalog, at, lost);
      const made = most === Infinity ? undefined : { most, away: away(), homeless: homelessIn(catalog, zone, at) };
      accounts.set(zone, made);
      return made;
    };
    return {
      left: (zone, bidder) => {
        const account = of(zone);
        if (!account) return Infinity;
        const besides = bidder ? sumOf(account.homeless.slice(0, bidder.level + 1)) : 0;
        return Math.max(0, account.most - account.away + besides);
      },
      spend: (zone, replicas = 1) => {
        const account = of(zone);
        if (account) account.away += replicas;
      },
      why: (zone) => {
        const account = of(zone);
        if (!account || account.away < account.most) return undefined;
        const homeless = sumOf(account.homeless);
        const more = homeless === 0 ? '' : `, ${String(homeless)} of them without a place`;
        return `Zone ${zone} lets ${counted(account.most, 'replica')} be away, ${String(account.away)} ${account.away === 1 ? 'is' : 'are'}${more}`;
      },
      copy: () => make(new Map([...accounts].map(([zone, account]) => [zone, account && { ...account }]))),
    };
  };
  return make(new Map());
}

/**
 * Of these replicas of one App those that may be taken away now (`mayLeave`), within what its Zone has left, which is spent by it.
 */
export function mayLeaveWithin(
  replicas: readonly Standing[],
  { zone, maxUnavailable }: Pick<AppSpec, 'zone' | 'maxUnavailable'>,
  disruption: Disruption,
): ReadonlySet<string> {
  const away = replicas.filter((one) => one.away).length;
  const leaving = mayLeave(replicas, Math.min(maxUnavailable, away + disruption.left(zone)));
  disruption.spend(zone, replicas.filter((one) => !one.away && leaving.has(one.id)).length);
  return leaving;
}
