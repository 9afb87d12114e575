import { createBook } from '../../model/book.ts';
import type { Book } from '../../model/book.ts';
import type { Notice } from '../../model/notice.ts';
import type { Ref } from '../../model/ref.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { Delta } from '../../model/reservations.ts';
import type { Lease, Mail } from '../../model/store.ts';
import type { Base, StoredReply, StoreRecord } from './records.ts';

/** How many replies are kept for repeated requests, and for how long (milliseconds). */
const MAX_REPLIES = 10_000;
const REPLY_AGE: number = 24 * 3600 * 1000;
/** How many commits a follower may be behind. */
const MAX_DELTAS = 10_000;

/** What one commit changed, at its cursor. */
export interface LoggedDeltas {
  readonly cursor: number;
  readonly deltas: readonly Delta[];
}

/** The whole store in memory. The log on disk makes it again. */
export interface Memory {
  readonly book: Book;
  cursor: number;
  readonly replies: Map<string, StoredReply>;
  /** The last commits that changed something, oldest first. */
  log: LoggedDeltas[];
  readonly leases: Map<string, Lease>;
  /** The highest fence ever given, by lease name. */
  readonly fences: Map<string, number>;
  readonly assignments: Map<string, Assignment>;
  readonly reports: Map<string, Report>;
  notice: Notice | undefined;
  readonly settled: Map<Ref, string>;
  /** How many mails there were, and which was the last of each host; counted anew by each process. */
  mails: number;
  readonly lastMails: Map<string, { readonly number: number; readonly mail: Mail }>;
}

/** An empty store, or what a base says. */
export function createMemory(base?: Base): Memory {
  return {
    book: createBook({
      hosts: new Map(base?.hosts.map((record) => [record.host, record])),
      placements: new Map(base?.placements.map((placement) => [placement.replica, placement])),
      addresses: new Map(base?.addresses),
    }),
    cursor: base?.cursor ?? 0,
    replies: new Map(base?.replies.map((reply) => [reply.id, reply])),
    log: [],
    leases: new Map(base?.leases.map((lease) => [lease.name, lease])),
    fences: new Map(base?.fences),
    assignments: new Map(base?.assignments.map((assignment) => [assignment.host, assignment])),
    reports: new Map(base?.reports.map((report) => [report.host, report])),
    notice: base?.notice,
    settled: new Map(base?.settled),
    mails: 0,
    lastMails: new Map(),
  };
}

/** The store as the first record of a new log. */
export function baseOf(memory: Memory): Base {
  return {
    type: 'base',
    cursor: memory.cursor,
    hosts: [...memory.book.hosts.values()],
    placements: [...memory.book.placements.values()],
    addresses: [...memory.book.addresses],
    replies: [...memory.replies.values()],
    leases: [...memory.leases.values()],
    fences: [...memory.fences],
    assignments: [...memory.assignments.values()],
    reports: [...memory.reports.values()],
    ...(memory.notice ? { notice: memory.notice } : {}),
    settled: [...memory.settled],
  };
}

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | undefined): () => void {
  const before = map.get(key);
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return () => {
    if (before === undefined) map.delete(key);
    else map.set(key, before);
  };
}

/** The delta that takes one back, as long as nothing else was applied behind it. */
function inverse(book: Book, delta: Delta): Delta {
  if (delta.type === 'host') return { type: 'host', host: delta.host, record: book.hosts.get(delta.host) };
  if (delta.type === 'address') return { type: 'address', key: delta.key, record: book.addresses.get(delta.key) };
  return { type: 'placement', replica: delta.replica, placement: book.placements.get(delta.replica) };
}

function applyDeltas(book: Book, deltas: readonly Delta[]): () => void {
  const undo: Delta[] = [];
  for (const delta of deltas) {
    undo.unshift(inverse(book, delta));
    book.apply([delta]);
  }
  return () => {
    book.apply(undo);
  };
}

function applyCommit(memory: Memory, reply: StoredReply, deltas: readonly Delta[]): () => void {
  const { cursor, log } = memory;
  const undoBook = applyDeltas(memory.book, deltas);
  const undoReply = setOrDelete(memory.replies, reply.id, reply);
  memory.cursor = reply.cursor;
  if (deltas.length > 0) memory.log = [...log.slice(-MAX_DELTAS + 1), { cursor: reply.cursor, deltas }];
  return () => {
    memory.cursor = cursor;
    memory.log = log;
    undoReply();
    undoBook();
  };
}

/** One that is taken back was news of nothing, which harms nobody. */
function post(memory: Memory, mail: Mail): void {
  memory.mails += 1;
  memory.lastMails.set(`${mail.what}/${mail.host}`, { number: memory.mails, mail });
}

/** Applies a record; the function given back takes it back, if it is called before any other is applied. */
export function applyRecord(memory: Memory, record: Exclude<StoreRecord, Base>): () => void {
  switch (record.type) {
    case 'commit':
      return applyCommit(memory, record.reply, record.deltas);
    case 'lease': {
      const undo = setOrDelete(memory.leases, record.lease.name, record.lease);
      const undoFence = setOrDelete(memory.fences, record.lease.name, record.lease.fence);
      return () => {
        undo();
        undoFence();
      };
    }
    case 'release':
      return setOrDelete(memory.leases, record.name, undefined);
    case 'assignment':
      post(memory, { host: record.assignment.host, what: 'assignment' });
      return setOrDelete(memory.assignments, record.assignment.host, record.assignment);
    case 'report':
      post(memory, { host: record.report.host, what: 'report' });
      return setOrDelete(memory.reports, record.report.host, record.report);
    case 'notice': {
      const before = memory.notice;
      memory.notice = record.notice;
      return () => {
        memory.notice = before;
      };
    }
    case 'settled': {
      const undo = record.news.map(([ref, fingerprint]) => setOrDelete(memory.settled, ref, fingerprint));
      return () => {
        for (const back of undo) back();
      };
    }
  }
}

/** Forgets replies that are too old or too many. */
export function forgetReplies(memory: Memory, now: number): void {
  for (const [id, { at }] of memory.replies) {
    if (memory.replies.size <= MAX_REPLIES && now - at <= REPLY_AGE) return;
    memory.replies.delete(id);
  }
}
