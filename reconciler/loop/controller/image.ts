import { booking } from '../../model/book.ts';
import type { Book } from '../../model/book.ts';
import type { Catalog } from '../../model/catalog.ts';
import { PlumbError } from '../../model/errors.ts';
import { appOf } from '../../model/replica.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { Delta } from '../../model/reservations.ts';
import type { Committed, Mail, Store } from '../../model/store.ts';
import { createWhereabouts } from '../../model/whereabouts.ts';
import type { Whereabouts } from '../../model/whereabouts.ts';
import { createWaiting } from '../../place/waiting.ts';
import type { Waiting } from '../../place/waiting.ts';
import { createInterning } from '../interning.ts';
import { inLots, oneAhead } from '../lots.ts';
import { mailInLots } from '../mail.ts';
import { inTurns } from '../turns.ts';

/** What is new in an image. */
export interface Fresh {
  /** Apps of which something was placed, moved or given up, or of which somebody else has told a host something. */
  readonly apps: ReadonlySet<string>;
  /** Hosts whose record is another, which somebody else has told something, or which say a later Assignment than the store knows of. */
  readonly hosts: ReadonlySet<string>;
  /** Hosts of which a Report came. */
  readonly reported: ReadonlySet<string>;
}

/** The store as a controller keeps it in memory. What changes is read, and nothing else again. */
export interface Image {
  readonly book: Book;
  readonly whereabouts: Whereabouts;
  /** Who found no room in the last pass. */
  readonly waiting: Waiting;
  /** Hosts whose Assignment they have themselves and the store has not. */
  readonly unstored: ReadonlySet<string>;
  /** Reads what is new since the last time. Throws CONFLICT when that is not kept any more: read it anew. */
  refresh(): Promise<void>;
  /** Takes in nothing while the work goes on, which builds on what is known: whoever refreshes it meanwhile sees what was there before. */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** What is new since it was taken last. */
  readonly news: Fresh;
  take(): Fresh;
  /** Hosts of which anything is new, be it told here, since this was asked last: their status may be another. */
  touched(): ReadonlySet<string>;
  /** Told by this controller, and stored. */
  told(assignment: Assignment): void;
  /** Somebody else has told the host something: it is read. */
  overtaken(host: string): Promise<void>;
  /** Compares with all that the store holds; gives what differs, in words. */
  compare(): Promise<readonly string[]>;
}

type Port = Pick<Store, 'reservations' | 'mailbox'>;

/** Tries to compare while commits come in between. */
const TRIES = 3;

/** All reservations. The snapshot itself, which is as large, is not kept while the rest is read. */
async function readBook(reservations: Port['reservations']): Promise<{ readonly book: Book; readonly cursor: number }> {
  const read = await reservations.snapshot();
  return { book: await inTurns(booking(read)), cursor: read.cursor };
}

/** Reads all that the store holds; Assignments of the catalog's hosts too, which may never have reported. */
export async function readImage({ reservations, mailbox }: Port, catalog: Catalog): Promise<Image> {
  // the marks come first: what is written meanwhile is read again
  let { mark } = await mailbox.news();
  const begun = await readBook(reservations);
  const { book } = begun;
  let { cursor } = begun;
  let interning = createInterning(catalog);
  const whereabouts = createWhereabouts();
  await inTurns(placing());
  const waiting = createWaiting();
  const unstored = new Set<string>();
  const news = { apps: new Set<string>(), hosts: new Set<string>(), reported: new Set<string>() };
  const touched = new Set<string>();

  function* placing(): Generator<undefined> {
    for (const [replica, placement] of book.placements) {
      whereabouts.place([{ type: 'placement', replica, placement }]);
      yield;
    }
  }

  function hear(said: Report): void {
    const report = interning.report(said, whereabouts);
    const { host, kept } = report;
    whereabouts.report(report);
    news.reported.add(host);
    touched.add(host);
    // an emptied store: what the host keeps is what it was told
    if (kept && (!whereabouts.assignments.has(host) || unstored.has(host))) {
      learn(kept);
      unstored.add(host);
    }
    // one that has lost what it acknowledged last: the host is told what comes after that, were its Apps at rest
    if (report.generation > (whereabouts.assignments.get(host)?.generation ?? 0)) news.hosts.add(host);
  }

  function learn(assignment: Assignment): void {
    const { host } = assignment;
    for (const { app } of whereabouts.assignments.get(host)?.replicas ?? []) news.apps.add(app);
    whereabouts.assign(assignment);
    for (const { app } of assignment.replicas) news.apps.add(app);
    news.hosts.add(host);
    touched.add(host);
    unstored.delete(host);
  }

  /** Reads the Assignments that are not known yet; gives their hosts. */
  async function readAssignments(hosts: readonly string[]): Promise<readonly string[]> {
    const known = (host: string): number | undefined =>
      unstored.has(host) ? undefined : whereabouts.assignments.get(host)?.generation;
    const others = await mailbox.assignments(new Map(hosts.map((host) => [host, known(host)])));
    for (const one of others) learn(interning.assignment(one, whereabouts));
    return others.map(({ host }) => host);
  }

  async function readReports(hosts: readonly string[]): Promise<void> {
    for (const report of await mailbox.reports(hosts)) hear(report);
  }

  function follow(deltas: readonly Delta[]): void {
    for (const delta of deltas) {
      waiting.changed(delta, delta.type === 'placement' ? book.placements.get(delta.replica) : undefined);
      if (delta.type === 'host') news.hosts.add(delta.host);
      if (delta.type !== 'placement') continue;
      news.apps.add(appOf(delta.replica));
      for (const one of [book.placements.get(delta.replica), delta.placement]) if (one) touched.add(one.host);
    }
    book.apply(deltas);
    whereabouts.place(deltas);
  }

  /** Each commit of the whole is a state of the store, by which others may be answered. */
  function* following(commits: readonly Committed[]): Generator<undefined> {
    for (const commit of commits) {
      follow(commit.deltas);
      ({ cursor } = commit);
      yield;
    }
  }

  async function readOn(): Promise<void> {
    const [commits, mail] = await Promise.all([reservations.since(cursor), mailbox.news(mark)]);
    if (!mail.mails) throw new PlumbError('CONFLICT', 'not all news of the mailbox are kept any more');
    await inTurns(following(commits));
    const hostsOf = (what: Mail['what']): readonly string[] =>
      mail.mails?.flatMap((one) => (one.what === what ? [one.host] : [])) ?? [];
    for (const some of inLots(hostsOf('assignment'))) await readAssignments(some);
    for (const some of inLots(hostsOf('report'))) await readReports(some);
    ({ mark } = mail);
  }

  const hosts = new Set([...(await mailbox.reporting()), ...catalog.hosts.keys()]);
  for (const { host } of book.placements.values()) hosts.add(host);
  for await (const [assignments, reports] of mailInLots(mailbox, [...hosts])) {
    for (const assignment of assignments) learn(interning.assignment(assignment, whereabouts));
    for (const report of reports) hear(report);
  }
  for (const host of hosts) touched.add(host);
  // what it knows takes room, and what comes later is little
  interning = createInterning();

  let last = Promise.resolve();
  let held = false;
  const image: Image = {
    book,
    whereabouts,
    waiting,
    unstored,
    // one after the other: two would take in the same commits twice
    refresh: () => (last = last.catch(() => undefined).then(() => (held ? undefined : readOn()))),
    hold: async (work) => {
      held = true;
      try {
        await last.catch(() => undefined);
        return await work();
      } finally {
        held = false;
      }
    },
    news,
    take: () => {
      const { apps, hosts: some, reported } = news;
      const taken = { apps: new Set(apps), hosts: new Set(some), reported: new Set(reported) };
      for (const set of [apps, some, reported]) set.clear();
      return taken;
    },
    touched: () => {
      const all = new Set(touched);
      touched.clear();
      return all;
    },
    told: (assignment) => {
      whereabouts.assign(assignment);
      unstored.delete(assignment.host);
      touched.add(assignment.host);
    },
    overtaken: async (host) => {
      await readAssignments([host]);
    },
    compare: async () => {
      const differing = [...(await compareReservations())];
      for await (const others of oneAhead(inLots([...whereabouts.assignments.keys()]), readAssignments))
        differing.push(...others.map((host) => `assignment/${host}`));
      return differing;
    },
  };
  return image;

  async function compareReservations(): Promise<readonly string[]> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      await image.refresh();
      const found = await reservations.differing({ ...book, cursor });
      if (found) return found;
    }
    return []; // others commit all the time: the next audit may find a moment
  }
}
