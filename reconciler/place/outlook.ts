import type { Book } from '../model/book.ts';
import { draftOf } from '../model/book.ts';
import type { Catalog } from '../model/catalog.ts';
import { decide } from '../model/decide.ts';
import { amountOf, demandFrom, NOTHING, pinnedIn, plus, sameDemand } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type {
  MoveChange,
  NetworkOutlook,
  Outlook,
  PlaceChange,
  Share,
  SpreadLoss,
  ZoneOutlook,
} from '../model/outlook.ts';
import type { Placement } from '../model/replica.ts';
import type { HostRecord, Proposal } from '../model/reservations.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import type { SpreadLevel } from '../model/topology.ts';
import { countPools } from './addresses.ts';
import { demandOf } from './asks.ts';
import { byReplica } from './order.ts';

/** A fleet before a change, and once all of it is done. */
export interface OutlookInput {
  readonly catalog: Catalog;
  readonly before: Book;
  /** With what is proposed accepted. */
  readonly after: Book;
  /** Replicas that go once nothing of them runs. */
  readonly leaving: readonly string[];
  /** Apps whose change was given up: they keep what they have. */
  readonly givenUp?: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What replicas give back of their hosts once these say that they are held to less. */
function shrinksOf({ catalog, after, givenUp }: OutlookInput): readonly Proposal[] {
  const wants = new Map<string, Demand>();
  for (const { name, spec } of catalog.apps.values())
    if (!spec.resources.pinned && !givenUp?.has(name)) wants.set(name, demandOf(spec));
  return [...after.placements.values()].flatMap(({ replica, app, demand }): readonly Proposal[] => {
    const want = wants.get(app);
    if (!want || pinnedIn(demand)) return [];
    const less = demandFrom((key) => Math.min(amountOf(demand, key), amountOf(want, key)));
    return sameDemand(less, demand) ? [] : [{ op: 'resize', replica, demand: less }];
  });
}

/** The end of the change: what leaves has left, and its addresses rest; what is to be smaller is. */
function endOf(input: OutlookInput): Book {
  const { catalog, after, leaving, now } = input;
  const end = draftOf(after);
  const proposals = leaving.flatMap((replica): readonly Proposal[] => {
    const network = after.placements.get(replica)?.network;
    const quarantine = network === undefined ? undefined : catalog.networks.get(network)?.spec.quarantine;
    return network === undefined ? [] : [{ op: 'release', replica, quarantineUntil: now + (quarantine ?? 0) }];
  });
  const all = [...proposals, ...shrinksOf(input)];
  end.apply(decide(end, { id: 'outlook', now, proposals: all }).deltas);
  return end;
}

type Changes = Pick<Outlook, 'placed' | 'moved' | 'released' | 'staying'>;

function changesOf(before: Book, end: Book): Changes {
  const placed: PlaceChange[] = [];
  const moved: MoveChange[] = [];
  let staying = 0;
  for (const one of [...end.placements.values()].sort(byReplica)) {
    const { replica, host, address } = one;
    const was = before.placements.get(replica);
    if (!was) placed.push({ replica, host, address });
    else if (was.host === host && was.address === address) staying += 1;
    else {
      const gone = was.address === address ? {} : { was: was.address };
      moved.push({ replica, from: was.host, to: host, address, ...gone });
    }
  }
  const released = [...before.placements.values()]
    .filter(({ replica }) => !end.placements.has(replica))
    .sort(byReplica)
    .map(({ replica, host, address }) => ({ replica, host, address }));
  return { placed, moved, released, staying };
}

function sum(demands: readonly Demand[]): Demand {
  return demands.reduce((total, demand) => plus(total, demand), NOTHING);
}

function hostsOf({ hosts }: Book, zone: string): readonly HostRecord[] {
  return [...hosts.values()].filter((record) => record.zone === zone);
}

function usedIn(book: Book, zone: string): Demand {
  return sum(hostsOf(book, zone).map(({ host }) => book.used(host)));
}

function zoneOutlook(zone: string, before: Book, end: Book): ZoneOutlook {
  const open = hostsOf(end, zone).filter(({ state }) => state === 'open');
  const left = open.map(({ host, allocatable }) => {
    const used = end.used(host);
    return demandFrom((key) => Math.max(0, amountOf(allocatable, key) - amountOf(used, key)));
  });
  return {
    zone,
    allocatable: sum(open.map(({ allocatable }) => allocatable)),
    used: { before: usedIn(before, zone), after: usedIn(end, zone) },
    left: sum(left),
  };
}

function networkOutlooks({ catalog, before, now }: OutlookInput, end: Book): readonly NetworkOutlook[] {
  const was = countPools(catalog.networks, before, now);
  return [...countPools(catalog.networks, end, now)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([network, { total, owned, resting }]) => ({
      network,
      total,
      owned: { before: was.get(network)?.owned ?? 0, after: owned },
      left: total - owned - resting,
    }));
}

function sorted(items: ReadonlyMap<string, unknown>): readonly string[] {
  return [...items.keys()].sort();
}

interface Fullest extends Share {
  readonly domain: string;
  readonly domains: number;
}

/** The domain that holds most of some placements. */
function fullest({ hosts }: Book, placements: readonly Placement[], level: SpreadLevel): Fullest | undefined {
  const counts = new Map<string, number>();
  for (const { host } of placements) {
    const domain = hosts.get(host)?.[level] ?? host;
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  const [first] = [...counts].sort(([a, most], [b, other]) => other - most || (a < b ? -1 : 1));
  return first && { domain: first[0], holds: first[1], of: placements.length, domains: counts.size };
}

function byApp({ placements }: Book, apps: ReadonlySet<string>): ReadonlyMap<string, readonly Placement[]> {
  const found = new Map<string, Placement[]>([...apps].map((app) => [app, []]));
  for (const placement of placements.values()) found.get(placement.app)?.push(placement);
  return found;
}

/** Whether more of an App is in one domain than before, but for what does not divide evenly. */
function isLoss(now: Fullest, before: Fullest | undefined, domains: number): boolean {
  if (now.of < 2) return false;
  if (!before || before.of < 2) return now.domains === 1 && domains > 1;
  return now.holds > Math.ceil((now.of * before.holds) / before.of);
}

function spreadLosses({ catalog, before }: OutlookInput, end: Book, apps: ReadonlySet<string>): readonly SpreadLoss[] {
  const [had, have] = [byApp(before, apps), byApp(end, apps)];
  const domains = new Map<string, number>();
  const domainsOf = (zone: string, level: SpreadLevel): number => {
    const key = `${level} ${zone}`;
    const open = hostsOf(end, zone).filter(({ state }) => state === 'open');
    const count = domains.get(key) ?? new Set(open.map((record) => record[level])).size;
    domains.set(key, count);
    return count;
  };
  return [...apps].sort().flatMap((app) => {
    const zone = catalog.apps.get(app)?.spec.zone ?? '';
    if (catalog.zones.get(zone)?.spec.strategy !== 'spread') return [];
    return SPREAD_LEVELS.flatMap((level): readonly SpreadLoss[] => {
      const now = fullest(end, have.get(app) ?? [], level);
      const was = fullest(before, had.get(app) ?? [], level);
      if (!now || !isLoss(now, was, domainsOf(zone, level))) return [];
      const { domain, holds, of } = now;
      const share = was && was.of > 1 ? { before: { holds: was.holds, of: was.of } } : {};
      return [{ app, level, domain, holds, of, ...share }];
    });
  });
}

/** Where what is proposed leads a fleet, once it has been carried out to its end. */
export function outlook(input: OutlookInput): Outlook {
  const { catalog, before } = input;
  const end = endOf(input);
  const changes = changesOf(before, end);
  const touched = [...changes.placed, ...changes.moved, ...changes.released];
  const apps = new Set(
    touched.map(({ replica }) => (end.placements.get(replica) ?? before.placements.get(replica))?.app ?? ''),
  );
  return {
    ...changes,
    zones: sorted(catalog.zones).map((zone) => zoneOutlook(zone, before, end)),
    networks: networkOutlooks(input, end),
    spread: spreadLosses(input, end, apps),
  };
}
