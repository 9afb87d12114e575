import { DIMENSIONS, amountOf } from '../../../reconciler/model/demand.ts';
import { refOf } from '../../../reconciler/model/ref.ts';
import { appOf } from '../../../reconciler/model/replica.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import type { ReservationState, Snapshot } from '../../../reconciler/model/reservations.ts';
import type { FleetStore } from '../../../reconciler/model/store.ts';
import { BAD_IMAGE, FIXED, HOSTS, imageId, MOST_AWAY } from './git.ts';
import type { AppName, FleetGit, HostName } from './git.ts';
import type { SimulatedHost, SimulatedThing } from '../simulated-host.ts';

/** The owner mark of the fleet. */
const FLEET = 'fleet';

/** What is held at every instant, whatever goes wrong. */
export interface Laws {
  /** What is reserved, after each commit. */
  reserved(state: Snapshot): void;
  /** A controller has written: it must hold the lease. */
  led(name: string, truth: FleetStore, what: string): Promise<void>;
  /** A host has taken in an Assignment. */
  adopted(assignment: Assignment): void;
  /** A host is about to change something, and gives what is to be called when it has. */
  changing(host: HostName, replica: string): () => void;
  /** A person has broken a replica by hand. */
  broken(replica: string): void;
  /** Looks at all hosts. */
  look(): void;
  /** The store was emptied: what is committed next is compared with nothing. */
  forget(): void;
}

const ours = (host: SimulatedHost, kind: string): readonly (readonly [string, SimulatedThing])[] =>
  [...host.all(kind)].filter(([, { owner }]) => owner === FLEET);

/** Whether a replica has all that it serves with on a host: a container that runs in its sandbox, and its port. */
export function servesOn(host: SimulatedHost, replica: string): boolean {
  const state = (kind: string): SimulatedThing['state'] | undefined => host.get(refOf(kind, replica))?.state;
  const [sandbox, container, port] = [state('sandbox'), state('container'), state('port')];
  if (sandbox?.['status'] !== 'running' || container?.['status'] !== 'running') return false;
  if (container['sandbox'] !== sandbox['id'] || port?.['sandbox'] !== sandbox['id']) return false;
  return container['image'] !== imageId(BAD_IMAGE);
}

function assertRoom({ hosts, placements }: ReservationState, wrong: (what: string) => void): void {
  for (const { host, allocatable } of hosts.values())
    for (const key of DIMENSIONS) {
      const mine = [...placements.values()].filter((one) => one.host === host);
      const sum = mine.reduce((total, { demand }) => total + amountOf(demand, key), 0);
      if (sum > amountOf(allocatable, key)) wrong(`${host} has promised ${String(sum)} ${key}, more than it has`);
    }
}

function assertSpread({ hosts, placements }: ReservationState, wrong: (what: string) => void): void {
  const counts = new Map<string, number>();
  for (const { app, host } of placements.values())
    for (const [level, at] of [
      ['host', host],
      ['rack', hosts.get(host)?.rack],
    ] as const) {
      const key = `${app} in ${level} ${String(at)}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const limit = (FIXED[app as AppName].spread as Readonly<Record<string, number>>)[level] ?? Infinity;
      if (count > limit) wrong(`${String(count)} replicas of ${key}`);
    }
}

function assertAddresses({ placements, addresses }: ReservationState, wrong: (what: string) => void): void {
  const owners = new Map<string, string>();
  for (const { replica, network, address } of placements.values()) {
    const key = `${network}/${address}`;
    const other = owners.get(key);
    if (other !== undefined) wrong(`${key} is reserved for ${other} and ${replica}`);
    owners.set(key, replica);
    const record = addresses.get(key);
    if (!record || !('replica' in record) || record.replica !== replica) wrong(`${key} of ${replica} is not its own`);
  }
}

/** Who is new where takes an open host, and who moves gets a higher epoch. */
function assertSteps(before: Snapshot, now: Snapshot, wrong: (what: string) => void): void {
  for (const [id, { host, epoch }] of now.placements) {
    const last = before.placements.get(id);
    if (last?.host === host) continue;
    if (last && epoch <= last.epoch) wrong(`${id} moved to ${host} without a higher epoch`);
    if (now.hosts.get(host)?.state !== 'open') wrong(`${id} came to ${host}, which takes nobody`);
  }
}

/** The laws of a fleet on these hosts; `wrong` is told of each breach. */
export function lawsOf(
  hosts: Readonly<Record<HostName, SimulatedHost>>,
  git: FleetGit,
  wrong: (what: string) => void,
): Laws {
  let last: Snapshot | undefined;
  const generations = new Map<string, Assignment>();
  /** Replicas that served, and were taken away by us and not by a person: they do not serve yet again. */
  const away = new Set<string>();
  /** Those that a person took away. */
  const hurt = new Set<string>();
  const serves = (replica: string): boolean => HOSTS.some((name) => servesOn(hosts[name], replica));

  /** What lives nowhere twice: replicas and addresses. */
  function once(): void {
    const homes = new Map<string, string>();
    const users = new Map<string, string>();
    for (const name of HOSTS) {
      const running = ours(hosts[name], 'container').filter(([, { state }]) => state['status'] === 'running');
      const live = new Set([...running, ...ours(hosts[name], 'port')].map(([replica]) => replica));
      for (const replica of live) {
        const other = homes.get(replica);
        if (other !== undefined) wrong(`${replica} lives on ${other} and on ${name}`);
        homes.set(replica, name);
      }
      for (const [replica, { state }] of ours(hosts[name], 'port')) {
        const address = String(state['address']);
        const other = users.get(address);
        if (other !== undefined) wrong(`${address} is used by ${other} and by ${replica} on ${name}`);
        users.set(address, `${replica} on ${name}`);
      }
    }
  }

  /** Whoever serves again, or is not asked for any more, is not away. */
  function recount(): void {
    for (const set of [away, hurt])
      for (const replica of [...set]) if (!git.wanted(replica) || serves(replica)) set.delete(replica);
  }

  function floors(cause: string): void {
    if (away.size > MOST_AWAY)
      wrong(`${cause}: ${[...away].join()} are away at once in a Zone that lets ${String(MOST_AWAY)}`);
    for (const [app, { maxUnavailable }] of Object.entries(FIXED)) {
      const mine = [...away].filter((replica) => appOf(replica) === app);
      if (mine.length > maxUnavailable)
        wrong(`${cause}: ${mine.join()} are away at once, ${String(maxUnavailable)} may be`);
    }
  }

  return {
    reserved: (state) => {
      assertRoom(state, wrong);
      assertSpread(state, wrong);
      assertAddresses(state, wrong);
      if (last) assertSteps(last, state, wrong);
      last = state;
    },
    led: async (name, truth, what) => {
      const lease = await truth.leases.get('controller');
      if (lease && lease.holder !== `${name}/1`) wrong(`${name} made ${what} while ${lease.holder} leads`);
    },
    adopted: (assignment) => {
      const { host, generation } = assignment;
      const before = generations.get(host);
      if (before && before.generation > generation)
        wrong(`${host} went back from generation ${String(before.generation)} to ${String(generation)}`);
      generations.set(host, assignment);
    },
    changing: (host, replica) => {
      recount();
      const served = servesOn(hosts[host], replica);
      return () => {
        once();
        if (!served || servesOn(hosts[host], replica) || hurt.has(replica)) return;
        // what was asked to go when the host was told is no floor's
        if (!git.wanted(replica, generations.get(host)?.revision)) return;
        away.add(replica);
        recount();
        floors(`${host} changed ${replica}`);
      };
    },
    broken: (replica) => {
      if (!away.has(replica)) hurt.add(replica);
    },
    look: () => {
      recount();
      once();
    },
    forget: () => {
      last = undefined;
    },
  };
}

/** What a schedule must have come to when nothing goes wrong any more: just what Git asks for, whole and nothing beside it. */
export function assertExactly(
  hosts: Readonly<Record<HostName, SimulatedHost>>,
  git: FleetGit,
  { placements }: ReservationState,
  wanted: readonly string[],
): string | undefined {
  const placed = [...placements.keys()].sort();
  if (placed.join() !== wanted.join()) return `placed are ${placed.join()}, not ${wanted.join()}`;
  for (const name of HOSTS) {
    const host = hosts[name];
    const mine = [...placements.values()].filter((one) => one.host === name);
    if (git.head().drained.includes(name) && mine.length > 0)
      return `${name} is drained and has ${mine.map(({ replica }) => replica).join()}`;
    const expected = mine.map(({ replica }) => replica).sort();
    for (const kind of ['sandbox', 'container', 'port']) {
      const there = ours(host, kind).map(([replica]) => replica);
      if (there.join() !== expected.join()) return `${kind} on ${name}: ${there.join()}, not ${expected.join()}`;
    }
    for (const { replica, app, address } of mine) {
      const wish = git.head().apps[app as AppName];
      if (!servesOn(host, replica)) return `${replica} does not serve on ${name}`;
      const container = host.get(refOf('container', replica))?.state;
      const port = host.get(refOf('port', replica))?.state;
      if (container?.['image'] !== imageId(wish?.image ?? ''))
        return `${replica} runs another image than ${String(wish?.image)}`;
      if (port?.['address'] !== address) return `${replica} has ${String(port?.['address'])}, not ${address}`;
    }
  }
  return undefined;
}
