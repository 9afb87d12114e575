import { isDeepStrictEqual } from 'node:util';
import { createBook } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { Catalog } from '../model/catalog.ts';
import { PlumbError } from '../model/errors.ts';
import { appOf } from '../model/replica.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Delta } from '../model/reservations.ts';
import type { Mail, Store } from '../model/store.ts';
import { createWhereabouts } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import { createInterning } from './interning.ts';

/** What is new in an image. */
export interface Fresh {
  /** Apps of which something was placed, moved or given up, or of which somebody else has told a host something. */
  readonly apps: ReadonlySet<string>;
  /** Hosts whose record is another, or which somebody else has told something. */
  readonly hosts: ReadonlySet<string>;
  /** Hosts of which a Report came. */
  readonly reported: ReadonlySet<string>;
}

/** The store as a controller keeps it in memory. What changes is read, and nothing else again. */
export interface Image {
  readonly book: Book;
  readonly whereabouts: Whereabouts;
  /** Hosts whose Assignment they have themselves and the store has not. */
  readonly unstored: ReadonlySet<string>;
  /** Reads what is new since the last time. Throws CONFLICT when that is not kept any more: read it anew. */
  refresh(): Promise<void>;
  /** What is new since it was taken last. */
  readonly news: Fresh;
  take(): Fresh;
  /** Hosts of which anything is new, be it told here, since this was asked last: their status may be another. */
  touched(): ReadonlySet<string>;
  /** Up to which commit it knows all. */
  cursor(): number;
  /** Told by this controller, and stored. */
  told(assignment: Assignment): void;
  /** Somebody else has told the host something: it is read. */
  overtaken(host: string): Promise<void>;
  /** Compares with all that the store holds; gives what differs, in words. */
  compare(): Promise<readonly string[]>;
}

type Port = Pick<Store, 'reservations' | 'mailbox'>;

/** Assignments asked for at once. */
const AT_ONCE = 500;

async function inLots<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const done: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE)
    done.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  return done;
}

/** Reads all that the store holds; Assignments of the catalog's hosts too, which may never have reported. */
export async function readImage({ reservations, mailbox }: Port, catalog: Catalog): Promise<Image> {
  // the marks come first: what is written meanwhile is read again
  let { mark } = await mailbox.news();
  const snapshot = await reservations.snapshot();
  let { cursor } = snapshot;
  const book = createBook(snapshot);
  let interning = createInterning();
  const whereabouts = createWhereabouts(book.placements);
  const unstored = new Set<string>();
  const news = { apps: new Set<string>(), hosts: new Set<string>(), reported: new Set<string>() };
  const touched = new Set<string>();

  function hear(report: Report): void {
    const { host, kept } = report;
    whereabouts.report(interning.report(report));
    news.reported.add(host);
    touched.add(host);
    // an emptied store: what the host keeps is what it was told
    if (!kept || (whereabouts.assignments.has(host) && !unstored.has(host))) return;
    learn(kept);
    unstored.add(host);
  }

  function learn(assignment: Assignment): void {
    const { host } = assignment;
    for (const { app } of whereabouts.assignments.get(host)?.replicas ?? []) news.apps.add(app);
    whereabouts.assign(interning.assignment(assignment, whereabouts));
    for (const { app } of assignment.replicas) news.apps.add(app);
    news.hosts.add(host);
    touched.add(host);
    unstored.delete(host);
  }

  async function readAssignment(host: string): Promise<void> {
    const known = unstored.has(host) ? undefined : whereabouts.assignments.get(host)?.generation;
    const assignment = await mailbox.assignment(host, known);
    if (assignment) learn(assignment);
  }

  function follow(deltas: readonly Delta[]): void {
    for (const delta of deltas) {
      if (delta.type === 'host') news.hosts.add(delta.host);
      if (delta.type !== 'placement') continue;
      news.apps.add(appOf(delta.replica));
      for (const one of [book.placements.get(delta.replica), delta.placement]) if (one) touched.add(one.host);
    }
    book.apply(deltas);
    whereabouts.place(deltas);
  }

  async function readOn(): Promise<void> {
    const [commits, mail] = await Promise.all([reservations.since(cursor), mailbox.news(mark)]);
    if (!mail.mails) throw new PlumbError('CONFLICT', 'not all news of the mailbox are kept any more');
    for (const commit of commits) {
      follow(commit.deltas);
      ({ cursor } = commit);
    }
    const hostsOf = (what: Mail['what']): readonly string[] =>
      mail.mails?.flatMap((one) => (one.what === what ? [one.host] : [])) ?? [];
    await inLots(hostsOf('assignment'), readAssignment);
    const reported = hostsOf('report');
    if (reported.length > 0) for (const report of await mailbox.reports(reported)) hear(report);
    ({ mark } = mail);
  }

  const first = await mailbox.reports();
  const hosts = new Set([...first.map(({ host }) => host), ...catalog.hosts.keys()]);
  for (const { host } of book.placements.values()) hosts.add(host);
  await inLots([...hosts], readAssignment);
  for (const report of first) hear(report);
  for (const host of hosts) touched.add(host);
  // what it knows takes room, and what comes later is little
  interning = createInterning();

  let last = Promise.resolve();
  const image: Image = {
    book,
    whereabouts,
    unstored,
    // one after the other: two would take in the same commits twice
    refresh: () => (last = last.catch(() => undefined).then(readOn)),
    news,
    cursor: () => cursor,
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
    overtaken: readAssignment,
    compare: async () => {
      const there = await reservations.snapshot();
      await image.refresh();
      const moved = there.cursor !== cursor;
      const differing = moved ? [] : differences(book, there);
      const generations = new Map(
        [...whereabouts.assignments.values()].map(({ host, generation }) => [host, generation]),
      );
      await inLots([...generations.keys()], readAssignment);
      for (const [host, generation] of generations)
        if (whereabouts.assignments.get(host)?.generation !== generation) differing.push(`assignment/${host}`);
      return differing;
    },
  };
  return image;
}

type Tables = Pick<Book, 'hosts' | 'placements' | 'addresses'>;

function differences(have: Tables, there: Tables): string[] {
  return (['hosts', 'placements', 'addresses'] as const).flatMap((table) => {
    const mine: ReadonlyMap<string, unknown> = have[table];
    const others: ReadonlyMap<string, unknown> = there[table];
    const keys = [...mine.keys(), ...[...others.keys()].filter((key) => !mine.has(key))];
    return keys.filter((key) => !isDeepStrictEqual(mine.get(key), others.get(key))).map((key) => `${table}/${key}`);
  });
}
