import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AppSpec, ZoneSpec } from '../../reconciler/model/catalog.ts';
import { mostAway } from '../../reconciler/model/disruption.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import { catalogOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { createFleet, homesOf } from '../support/fleet.ts';
import type { Fleet } from '../support/fleet.ts';

const HOSTS = ['h0', 'h1', 'h2'] as const;
const NAMES = ['a', 'b', 'c', 'd'] as const;
const CORES = 4000;

const app = fc
  .record({
    replicas: fc.nat(4),
    maxUnavailable: fc.integer({ min: 1, max: 3 }),
    level: fc.nat(3),
    resources: fc.constantFrom(1000, 2000, 3000, 4000).map((cpu) => resources(cpu)),
    spread: fc.constantFrom({}, {}, { host: 1 }),
    together: fc.constantFrom(false, false, true),
  })
  .map(({ together, ...spec }) => (together ? { ...spec, gang: 'g' } : spec));
const apps = fc.dictionary(fc.constantFrom(...NAMES), app, { noNullPrototype: true, minKeys: 2 });
const budget = fc.constantFrom(undefined, undefined, { count: 2 }, { count: 5 }, { percent: 50 });
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('pass' as const),
      publish: fc.constantFrom(7, 7, 0, 1, 2, 5),
      // the controller is killed between two commits
      commits: fc.option(fc.nat(3), { nil: undefined }),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      type: fc.constantFrom('adopt' as const, 'work' as const, 'work' as const, 'report' as const),
      host: fc.constantFrom(...HOSTS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('scale' as const), app: fc.constantFrom(...NAMES), replicas: fc.nat(4) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('grow' as const),
      app: fc.constantFrom(...NAMES),
      cpu: fc.constantFrom(2000, 3000, 4000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), host: fc.constantFrom(...HOSTS) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('drain' as const), host: fc.constantFrom(...HOSTS) }) },
);
/** What may never pass by itself: a host is not heard of, a replica ends again and again. */
const trouble = fc.record({
  type: fc.constantFrom('lose' as const, 'loop' as const),
  host: fc.constantFrom(...HOSTS),
});
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Happening = Of<typeof event> | Of<typeof trouble>;

/** What Git says by now. */
interface Git {
  readonly apps: Record<string, Partial<AppSpec> & { readonly replicas: number; readonly level: number }>;
  readonly budget: NonNullable<ZoneSpec['disruption']>['maxUnavailable'];
  readonly drained: Set<string>;
}

function sketchOf({ apps: of, budget: most, drained }: Git): Sketch {
  return {
    apps: of,
    hosts: Object.fromEntries(HOSTS.map((host) => [host, { drain: drained.has(host) }])),
    zones: { main: most ? { disruption: { maxUnavailable: most } } : {} },
  };
}

const wantedOf = ({ apps: of }: Git): number => Object.values(of).reduce((sum, { replicas }) => sum + replicas, 0);
const levelOf = (git: Git, replica: string): number => git.apps[replica.slice(0, 1)]?.level ?? Infinity;
const cpuOf = (git: Git, name: string): number => git.apps[name]?.resources?.cpu ?? 0;

/** Wanted replicas that are to serve where they are, and do as far as is known: one that came back unseen, or whose host is not heard of, may be taken for away still. */
function servingIn(fleet: Fleet, git: Git): readonly Placement[] {
  const { assignments, reports } = fleet.words();
  return [...fleet.book.placements.values()].filter(({ replica, app: name, host, yields }) => {
    const told = assignments.get(host)?.replicas.some(({ id }) => id === replica);
    const asked = Number(replica.slice(2)) < (git.apps[name]?.replicas ?? 0);
    const said = reports.get(host)?.replicas.some(({ id, ready }) => id === replica && ready);
    const serves = fleet.machines.get(host)?.live.get(replica)?.ready === true;
    return yields === undefined && told && asked && said && serves && !fleet.lost.has(host);
  });
}

function awayOf(fleet: Fleet, git: Git, name?: string): number {
  const serve = servingIn(fleet, git).filter((one) => name === undefined || one.app === name).length;
  return (name === undefined ? wantedOf(git) : (git.apps[name]?.replicas ?? 0)) - serve;
}

/** Replicas at least so critical that have no place: room is made for such, whatever else of them waits. */
function homelessIn(fleet: Fleet, git: Git, least: number): number {
  const names = Object.keys(git.apps).filter((name) => (git.apps[name]?.level ?? Infinity) <= least);
  return names.reduce((sum, name) => {
    const replicas = Array.from({ length: git.apps[name]?.replicas ?? 0 }, (_, at) => `${name}-${String(at)}`);
    return sum + replicas.filter((replica) => !fleet.book.placements.has(replica)).length;
  }, 0);
}

/** How critical they are for whom room is being made and who have no place; -1 when there are none. */
function leastAsking(fleet: Fleet, git: Git): number {
  const asking = [...fleet.book.placements.values()].flatMap(({ yields }) =>
    yields === undefined || fleet.book.placements.has(yields) ? [] : [levelOf(git, yields)],
  );
  return Math.max(-1, ...asking);
}

/** What must be so at every instant: nothing lives twice, and no host runs more than it has. */
function safe(fleet: Fleet): void {
  for (const [replica, hosts] of homesOf(fleet))
    assert.ok(hosts.length < 2, `${replica} is live on ${hosts.join(' and ')}`);
  for (const [host, { live, underway }] of fleet.machines) {
    const there = [...[...live.values()].map(({ as }) => as), ...(underway ? [underway] : [])];
    const cpu = there.reduce((sum, { spec }) => sum + spec.resources.cpu, 0);
    assert.ok(cpu <= CORES, `${host} runs ${String(cpu)}`);
  }
}

/** The wanted replicas of the gang that have no place. */
function homelessGang(fleet: Fleet, git: Git): readonly string[] {
  return Object.entries(git.apps).flatMap(([name, { gang, replicas }]) =>
    gang === undefined
      ? []
      : Array.from({ length: replicas }, (_, at) => `${name}-${String(at)}`).filter(
          (replica) => !fleet.book.placements.has(replica),
        ),
  );
}

/** What a pass may take away: only for a more critical one, and within the budgets. */
function passes(fleet: Fleet, git: Git, act: () => void): void {
  const was = new Map(fleet.book.placements);
  const served = new Set(servingIn(fleet, git).map(({ replica }) => replica));
  const away = new Map(NAMES.map((name) => [name, awayOf(fleet, git, name)]));
  const inAll = awayOf(fleet, git);
  const homeless = [0, 1, 2, 3].map((least) => homelessIn(fleet, git, least));
  const together = homelessGang(fleet, git);
  act();
  const rest = together.filter((replica) => !fleet.book.placements.has(replica));
  assert.ok(rest.length === 0 || rest.length === together.length, `of ${together.join()} ${rest.join()} were left out`);
  for (const [replica, { host, yields }] of was) {
    const now = fleet.book.placements.get(replica);
    if (Number(replica.slice(2)) >= (git.apps[replica.slice(0, 1)]?.replicas ?? 0)) continue;
    if (now?.yields !== undefined && now.yields !== yields)
      assert.ok(levelOf(git, replica) > levelOf(git, now.yields), `${replica} makes room for ${now.yields}`);
    // who leaves a host that is drained has its next place at once
    if (now?.host !== host && !(now && git.drained.has(host)))
      assert.ok(!served.has(replica), `${replica} lost its place on ${host} while it served there`);
  }
  for (const name of NAMES) {
    const most = Math.max(away.get(name) ?? 0, git.apps[name]?.maxUnavailable ?? 0);
    assert.ok(awayOf(fleet, git, name) <= most, `${String(awayOf(fleet, git, name))} of ${name} are away`);
  }
  if (git.budget) {
    const besides = homeless[leastAsking(fleet, git)] ?? 0;
    const most = Math.max(inAll, mostAway(git.budget, wantedOf(git)) + besides);
    assert.ok(awayOf(fleet, git) <= most, `${String(awayOf(fleet, git))} are away, ${String(most)} may`);
  }
}

/** A host does all that it was told, and says so. */
function upToDate(fleet: Fleet, host: string): void {
  fleet.adopt(host);
  for (let step = 0; step < 30; step += 1) fleet.work(host);
  fleet.report(host);
}

function happen(fleet: Fleet, git: Git, one: Happening): void {
  switch (one.type) {
    case 'pass': {
      const bit = (host: string): boolean => (one.publish & (1 << HOSTS.indexOf(host as 'h0'))) !== 0;
      passes(fleet, git, () => fleet.pass(catalogOf(sketchOf(git)), bit, one.commits));
      break;
    }
    case 'scale': {
      const before = git.apps[one.app];
      // what Git takes back before its host has said that it has it is given up at once
      for (const host of HOSTS) upToDate(fleet, host);
      if (before) git.apps[one.app] = { ...before, replicas: one.replicas };
      break;
    }
    case 'grow': {
      const before = git.apps[one.app];
      if (before && one.cpu > cpuOf(git, one.app)) git.apps[one.app] = { ...before, resources: resources(one.cpu) };
      break;
    }
    case 'drain':
      if (!git.drained.delete(one.host)) git.drained.add(one.host);
      break;
    case 'lose':
      fleet.lost.add(one.host);
      break;
    case 'report':
      fleet.lost.delete(one.host);
      fleet.report(one.host);
      break;
    case 'loop': {
      const [live] = fleet.machines.get(one.host)?.live.values() ?? [];
      if (live) Object.assign(live, { ready: false, reason: 'CrashLoop' });
      fleet.report(one.host);
      break;
    }
    case 'crash':
      // what is not told cannot be counted
      for (const live of fleet.machines.get(one.host)?.live.values() ?? []) live.ready = false;
      fleet.report(one.host);
      break;
    default:
      fleet[one.type](one.host);
  }
}

/** The hosts on which all that is less critical could make room for one more of an App, for one to grow, or for one that leaves its host, whatever else is away. */
function makingRoom(fleet: Fleet, git: Git, name: string, home?: Placement): readonly string[] {
  const { level = 3, spread = {}, maxUnavailable = 1 } = git.apps[name] ?? {};
  const leaves = home !== undefined && git.drained.has(home.host);
  const grows = leaves ? undefined : home;
  const asks = cpuOf(git, name) - (grows?.demand.cpu ?? 0);
  const own = leaves ? 1 : 0;
  const besides = home ? 0 : homelessIn(fleet, git, level);
  const left = (git.budget ? mostAway(git.budget, wantedOf(git)) + besides - awayOf(fleet, git) : Infinity) - own;
  if (leaves && awayOf(fleet, git, name) >= maxUnavailable) return [];
  return (grows ? [grows.host] : HOSTS).filter((host) => {
    if (git.drained.has(host) || fleet.lost.has(host)) return false;
    const there = [...fleet.book.placements.values()].filter((one) => one.host === host);
    if (!grows && there.filter((one) => one.app === name).length >= (spread.host ?? Infinity)) return false;
    const free = CORES - there.reduce((sum, { demand }) => sum + demand.cpu, 0);
    const lower = there.filter((one) => levelOf(git, one.replica) > level && git.apps[one.app]?.gang === undefined);
    const alone = lower.filter((one) => awayOf(fleet, git, one.app) < (git.apps[one.app]?.maxUnavailable ?? 0));
    const one = alone.some(({ demand }) => free + demand.cpu >= asks);
    // all of them at once, where each App lets so many go
    const mine = (other: string): number => lower.filter((each) => each.app === other).length;
    const slack = (other: string): number => (git.apps[other]?.maxUnavailable ?? 0) - awayOf(fleet, git, other);
    const all = lower.filter(({ app: other }) => mine(other) <= slack(other));
    const together = free + all.reduce((sum, { demand }) => sum + demand.cpu, 0) >= asks;
    return (one && left >= 1) || (together && left >= all.length);
  });
}

/** How often somebody was seen making room: for anybody, for a gang, for one that leaves a host that is drained. */
const nothingSeen = () => ({ all: 0, gangs: 0, drains: 0 });

/** All laws, whatever happens; in the end nobody makes room for others any more, and nobody waits who could get some. */
function holds(git: Git, events: readonly Happening[], seen: ReturnType<typeof nothingSeen>): void {
  const fleet = createFleet(HOSTS);
  // the least critical come first, so that there is something to take
  const least = Object.entries(git.apps).filter(([, { level }]) => level > 1);
  fleet.settle(catalogOf(sketchOf({ ...git, apps: Object.fromEntries(least) })));
  for (const one of events) {
    happen(fleet, git, one);
    safe(fleet);
    for (const { yields } of fleet.book.placements.values()) {
      if (yields === undefined) continue;
      seen.all += 1;
      if (git.apps[yields.slice(0, 1)]?.gang !== undefined) seen.gangs += 1;
      if (git.drained.has(fleet.book.placements.get(yields)?.host ?? '')) seen.drains += 1;
    }
  }
  let result = fleet.settle(catalogOf(sketchOf(git)));
  for (let more = 0; more < 3; more += 1) result = fleet.settle(catalogOf(sketchOf(git)));
  safe(fleet);
  assert.deepEqual(result.proposals, [], 'at rest');
  for (const { replica, yields } of fleet.book.placements.values()) assert.equal(yields, undefined, replica);
  const stay = result.draining.flatMap(({ staying }) =>
    staying.map(({ replica }) => ({ replica, app: replica.slice(0, 1) })),
  );
  for (const { replica, app: name } of [...result.unplaceable, ...stay]) {
    const home = fleet.book.placements.get(replica);
    // a gang comes as a whole; who is on a host that is not heard of is not moved
    if ((!home && git.apps[name]?.gang !== undefined) || fleet.lost.has(home?.host ?? '')) continue;
    assert.deepEqual(makingRoom(fleet, git, name, home), [], `${replica} could get room`);
  }
}

describe('preemption', () => {
  it('takes from the strictly less critical only, within budgets, starts nobody too early, whoever is slow or killed; then it ends', () => {
    const seen = nothingSeen();
    fc.assert(
      fc.property(apps, budget, fc.array(event, { maxLength: 150, size: 'max' }), (of, most, events) => {
        holds({ apps: { ...of }, budget: most, drained: new Set() }, events, seen);
      }),
      { numRuns: 80 },
    );
    // what other seeds draw may have no gang, or no drained host, in any of it
    if (process.env['PLUMB_SEED'] !== undefined) return;
    for (const [what, times] of Object.entries(seen))
      assert.ok(times > 10, `${what}: under way ${String(times)} times only`);
  });

  it('ends also where hosts are not heard of and replicas end again and again', () => {
    const happening = fc.oneof({ weight: 14, arbitrary: event }, { weight: 1, arbitrary: trouble });
    fc.assert(
      fc.property(apps, budget, fc.array(happening, { maxLength: 150, size: 'max' }), (of, most, events) => {
        holds({ apps: { ...of }, budget: most, drained: new Set() }, events, nothingSeen());
      }),
      { numRuns: 40 },
    );
  });
});
