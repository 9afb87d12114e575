import assert from 'node:assert/strict';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { formOf } from '../../reconciler/model/form.ts';
import { incarnationOf } from '../../reconciler/model/rollout.ts';
import type { AssignedReplica, Assignment, Report } from '../../reconciler/model/replica.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import type { PlaceResult } from '../../reconciler/place/place.ts';
import { project } from '../../reconciler/plan/project.ts';
import { reportOf } from './catalog.ts';
import { commitAll } from './placing.ts';
import { createRemembering, placeAlike, toldOf } from './remembering.ts';

/** A container of a replica that runs, and whether it serves; with a reason why not, it does not come to. */
interface Live {
  readonly as: AssignedReplica;
  ready: boolean;
  reason?: string;
}

/** An agent that does one small thing at a time. */
interface Machine {
  adopted: Assignment | undefined;
  /** Being made: nobody sees it yet. */
  underway: AssignedReplica | undefined;
  readonly live: Map<string, Live>;
}

/** A controller and agents, each of which may be slow, in any order. */
export interface Fleet {
  readonly book: Book;
  readonly machines: ReadonlyMap<string, Machine>;
  /** Hosts that are not heard of. */
  readonly lost: Set<string>;
  /** A pass; `publish` tells which hosts get their Assignment before the controller is killed, which it is earlier after so many commits. */
  pass(catalog: Catalog, publish?: (host: string) => boolean, commits?: number): PlaceResult;
  /** The agent takes in its Assignment, does one thing, or reports. */
  adopt(host: string): void;
  work(host: string): void;
  report(host: string): void;
  /** What the hosts were told and said last. */
  words(): { readonly assignments: ReadonlyMap<string, Assignment>; readonly reports: ReadonlyMap<string, Report> };
  /** All of it, for everyone, so often that nothing is left to do. */
  settle(catalog: Catalog): PlaceResult;
}

/** A fleet of these hosts, which have reported and run nothing. */
export function createFleet(hosts: readonly string[]): Fleet {
  const remembering = createRemembering();
  const book = toldOf(createBook(), remembering);
  const machines = new Map<string, Machine>(
    hosts.map((host) => [host, { adopted: undefined, underway: undefined, live: new Map() }]),
  );
  const lost = new Set<string>();
  const published = new Map<string, Assignment>();
  const reports = new Map<string, Report>(hosts.map((host) => [host, reportOf(host)]));
  const machineOf = (host: string): Machine => machines.get(host) ?? assert.fail(host);

  function pass(
    catalog: Catalog,
    publish: (host: string) => boolean = () => true,
    commits = Number.MAX_SAFE_INTEGER,
  ): PlaceResult {
    const seen = { reports: [...reports.values()], assignments: [...published.values()] };
    const views = hostViews(catalog, seen.reports, book, lost);
    const result = placeAlike({ catalog, snapshot: book, hosts: views, ...seen, now: 0 }, remembering);
    commitAll(book, result.proposals.slice(0, commits), 0);
    if (commits < result.proposals.length) return result;
    const { assignments } = project({
      author: '',
      catalog,
      placements: book.placements,
      previous: new Map(published),
      reports: seen.reports,
      turned: result.turned,
      now: 0,
    });
    for (const assignment of assignments) if (publish(assignment.host)) published.set(assignment.host, assignment);
    return result;
  }

  function adopt(host: string): void {
    machineOf(host).adopted = published.get(host);
  }

  function work(host: string): void {
    const machine = machineOf(host);
    const { adopted, underway, live } = machine;
    if (underway) {
      machine.underway = undefined;
      live.set(underway.id, { as: underway, ready: false });
      return;
    }
    const wanted = new Map(adopted?.replicas.map((replica) => [replica.id, replica]));
    for (const id of live.keys()) if (!wanted.has(id)) return void live.delete(id);
    for (const [id, replica] of wanted) {
      const one = live.get(id);
      if (!one) return void (machine.underway = replica);
      // another container takes the place of the old one; all else changes while it runs
      if (incarnationOf(one.as) !== incarnationOf(replica)) return void live.delete(id);
      if (formOf(one.as) !== formOf(replica)) return void live.set(id, { ...one, as: replica });
      if (!one.ready && one.reason === undefined) return void (one.ready = true);
    }
  }

  function report(host: string): void {
    const { adopted, underway, live } = machineOf(host);
    const replicas = [...live].map(([id, { as, ready, reason }]) => ({
      id,
      phase: ready ? ('Ready' as const) : ('Starting' as const),
      ready,
      ...(reason === undefined ? {} : { reason }),
      restarts: 0,
      fingerprint: 'x',
      incarnation: incarnationOf(as),
      form: formOf(as),
    }));
    const generation = adopted?.generation ?? 0;
    reports.set(
      host,
      reportOf(
        host,
        {},
        {
          generation,
          replicas,
          observed: [...live.keys()].map((id) => ({ known: true, ref: `container/${id}`, owned: true, state: {} })),
          conditions: [
            {
              type: 'Reconciling',
              status: underway !== undefined,
              reason: 'Applying',
              message: '',
              observedGeneration: generation,
            },
          ],
        },
      ),
    );
  }

  function settle(catalog: Catalog): PlaceResult {
    let result = pass(catalog);
    for (let round = 0, quiet = 0; round < 60 && quiet < 4; round += 1) {
      for (const host of machines.keys()) {
        adopt(host);
        for (let step = 0; step < 60; step += 1) work(host);
        report(host);
      }
      result = pass(catalog);
      quiet = result.proposals.length === 0 ? quiet + 1 : 0;
    }
    return result;
  }

  const words = (): ReturnType<Fleet['words']> => ({ assignments: published, reports });
  return { book, machines, lost, words, pass, adopt, work, report, settle };
}

/** Where each replica has a container, made or being made. */
export function homesOf({ machines }: Fleet): ReadonlyMap<string, readonly string[]> {
  const homes = new Map<string, string[]>();
  for (const [host, { live, underway }] of machines)
    for (const id of [...live.keys(), ...(underway ? [underway.id] : [])])
      homes.set(id, [...(homes.get(id) ?? []), host]);
  return homes;
}

/** How many replicas of an App serve where they are placed. */
export function serving({ machines, book }: Fleet, app: string): number {
  return [...book.placements.values()].filter(
    ({ replica, app: name, host }) => name === app && machines.get(host)?.live.get(replica)?.ready === true,
  ).length;
}

/** How many replicas serve where they are placed, as their hosts were last told. */
export function servingAsTold(fleet: Fleet): number {
  const { assignments } = fleet.words();
  return [...fleet.book.placements.values()].filter(({ replica, host }) => {
    const told = assignments.get(host)?.replicas.find(({ id }) => id === replica);
    const live = fleet.machines.get(host)?.live.get(replica);
    if (!told || live?.ready !== true) return false;
    return incarnationOf(live.as) === incarnationOf(told) && formOf(live.as) === formOf(told);
  }).length;
}
