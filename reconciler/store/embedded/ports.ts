import { decide } from '../../model/decide.ts';
import { PlumbError } from '../../model/errors.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { CommitReply, Snapshot } from '../../model/reservations.ts';
import type { Bulletin, Hold, Lease, Leases, Mailbox, News, Reservations, Settled } from '../../model/store.ts';
import { isOver } from '../bell.ts';
import { differences } from '../differences.ts';
import { lapsed } from '../lapsed.ts';
import type { Ledger, Step } from './ledger.ts';
import type { LoggedDeltas, Memory } from './memory.ts';

const REFUSED: Step<undefined> = { answer: undefined, records: [] };

function isHeld({ leases }: Memory, under: Hold | undefined): boolean {
  if (!under) return true;
  const now = leases.get(under.name);
  return now?.holder === under.holder && now.fence === under.fence;
}

/** What a write under a lease answered. Throws CONFLICT when it was refused. */
async function answered<T>(write: Promise<T | undefined>, under: Hold | undefined): Promise<T> {
  const answer = await write;
  if (answer === undefined) throw lapsed(under);
  return answer;
}

function snapshotOf({ book, cursor }: Memory): Snapshot {
  return {
    hosts: new Map(book.hosts),
    placements: new Map(book.placements),
    addresses: new Map(book.addresses),
    cursor,
  };
}

function deltasAfter({ log, cursor: head }: Memory, cursor: number): readonly LoggedDeltas[] {
  if (cursor === head) return [];
  const oldest = log[0]?.cursor ?? head + 1;
  if (cursor > head || cursor < oldest - 1)
    throw new PlumbError('CONFLICT', `The delta log does not reach back to ${String(cursor)}; take a snapshot`, {
      head,
      oldest,
    });
  return log.filter((entry) => entry.cursor > cursor);
}

/** Reservations over a ledger: `decide` says what a commit does. */
export function createReservations(ledger: Ledger, clock: () => number): Reservations {
  return {
    commit: (request, under) => {
      const write = ledger.write<CommitReply | undefined>((memory) => {
        const before = memory.replies.get(request.id);
        if (before) return { answer: { verdicts: before.verdicts, cursor: before.cursor }, records: [] };
        if (!isHeld(memory, under)) return REFUSED;
        const { verdicts, deltas } = decide(memory.book, request);
        const cursor = memory.cursor + (deltas.length > 0 ? 1 : 0);
        const reply = { id: request.id, at: clock(), verdicts, cursor };
        return { answer: { verdicts, cursor }, records: [{ type: 'commit', reply, deltas }] };
      });
      return answered(write, under);
    },
    snapshot: () => ledger.read(snapshotOf),
    differing: (kept) =>
      ledger.read(({ book, cursor }) => (cursor === kept.cursor ? differences(kept, book) : undefined)),
    since: (cursor) => ledger.read((memory) => deltasAfter(memory, cursor)),
    async *follow(cursor, signal) {
      for (let at = cursor; !isOver(signal);) {
        const rung = ledger.bell.next(signal);
        for (const entry of await ledger.read((memory) => deltasAfter(memory, at))) {
          if (isOver(signal)) return;
          at = entry.cursor;
          yield entry;
        }
        await rung;
      }
    },
  };
}

/** Leases over a ledger. Time is the store's clock. */
export function createLeases(ledger: Ledger, clock: () => number): Leases {
  const acquire: Leases['acquire'] = (name, holder, ttl) =>
    ledger.write<Lease | undefined>(({ leases, fences }) => {
      const now = clock();
      const held = leases.get(name);
      const ours = held?.holder === holder;
      if (held && !ours && held.expires > now) {
        // for longer than anybody asks: given by a clock that went ahead
        const shorter = held.expires > now + ttl ? { ...held, expires: now + ttl } : undefined;
        return { answer: undefined, records: shorter ? [{ type: 'lease', lease: shorter }] : [] };
      }
      const fence = ours ? held.fence : (fences.get(name) ?? 0) + 1;
      const lease = { name, holder, fence, expires: now + ttl };
      return { answer: lease, records: [{ type: 'lease', lease }] };
    });
  return {
    acquire,
    acquireAll: (names, holder, ttl) => Promise.all(names.map((name) => acquire(name, holder, ttl))),
    release: ({ name, holder, fence }) =>
      ledger.write(({ leases }) => {
        const held = leases.get(name);
        const ours = held?.holder === holder && held.fence === fence;
        return { answer: undefined, records: ours ? [{ type: 'release', name }] : [] };
      }),
    get: (name, lapsed) =>
      ledger.read(({ leases }) => {
        const held = leases.get(name);
        return held !== undefined && (lapsed || held.expires > clock()) ? held : undefined;
      }),
    held: (names, ttl = Infinity) =>
      ledger.read(({ leases }) => {
        const now = clock();
        const found = names.flatMap((name) => leases.get(name) ?? []);
        return found.filter(({ expires }) => expires > now && expires <= now + ttl);
      }),
  };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

type Seen = ReadonlyMap<string, Assignment | Report>;

function* differing<W extends 'assignment' | 'report'>(
  seen: Seen,
  now: Seen,
  what: W,
): Generator<{ host: string; what: W }> {
  for (const [host, value] of now) if (seen.get(host) !== value) yield { host, what };
}

function newsSince({ mails, lastMails }: Memory, since: string | undefined): News {
  const from = since === undefined ? mails : Number(since);
  const some = [...lastMails.values()].filter(({ number }) => number > from);
  return { mark: String(mails), mails: from > mails ? undefined : some.map(({ mail }) => mail) };
}

/** The mailbox over a ledger. A report that says nothing new is not written to disk. */
export function createMailbox(ledger: Ledger, memory: Memory): Mailbox {
  async function* following(
    seen: { assignments: Seen; reports: Seen },
    signal: AbortSignal,
  ): ReturnType<Mailbox['follow']> {
    for (let { assignments, reports } = seen; !isOver(signal);) {
      const rung = ledger.bell.next(signal);
      const now = await ledger.read((durable) => ({
        assignments: new Map(durable.assignments),
        reports: new Map(durable.reports),
      }));
      const changes = [
        ...differing(assignments, now.assignments, 'assignment'),
        ...differing(reports, now.reports, 'report'),
      ];
      ({ assignments, reports } = now);
      for (const change of changes) {
        if (isOver(signal)) return;
        yield change;
      }
      await rung;
    }
  }
  const assign: Mailbox['assign'] = (assignment, under) => {
    const write = ledger.write<boolean | undefined>((now) => {
      if (!isHeld(now, under)) return REFUSED;
      const { assignments } = now;
      const before = assignments.get(assignment.host);
      if (before && before.generation > assignment.generation) return { answer: false, records: [] };
      if (same(before, assignment)) return { answer: true, records: [] };
      if (before?.generation === assignment.generation) return { answer: false, records: [] };
      return { answer: true, records: [{ type: 'assignment', assignment }] };
    });
    return answered(write, under);
  };
  const assignments: Mailbox['assignments'] = (known) =>
    ledger.read((durable) =>
      [...known].flatMap(([host, generation]) => {
        const found = durable.assignments.get(host);
        return found && found.generation !== generation ? [found] : [];
      }),
    );
  return {
    assign,
    assignAll: (all, under) => Promise.all(all.map((assignment) => assign(assignment, under))),
    assignment: async (host, known) => (await assignments(new Map([[host, known]])))[0],
    assignments,
    report: (report) =>
      ledger.write(({ reports }) => {
        const before = reports.get(report.host);
        const fleeting = before !== undefined && same({ ...before, at: 0 }, { ...report, at: 0 });
        return { answer: undefined, records: [{ type: 'report', report }], fleeting };
      }),
    reporting: () => ledger.read(({ reports }) => [...reports.keys()]),
    reports: (hosts) => ledger.read(({ reports }) => hosts.flatMap((host) => reports.get(host) ?? [])),
    news: (since) => ledger.read((durable) => newsSince(durable, since)),
    follow: (signal) =>
      following({ assignments: new Map(memory.assignments), reports: new Map(memory.reports) }, signal),
  };
}

/** What the controller says, over a ledger. */
export function createBulletin(ledger: Ledger): Bulletin {
  return {
    post: async (notice, under) => {
      const write = ledger.write<true | undefined>((memory) => {
        if (!isHeld(memory, under)) return REFUSED;
        return { answer: true, records: same(memory.notice, notice) ? [] : [{ type: 'notice', notice }] };
      });
      await answered(write, under);
    },
    read: () => ledger.read(({ notice }) => notice),
  };
}

/** What things were last converged to, over a ledger. */
export function createSettled(ledger: Ledger): Settled {
  return {
    read: () => ledger.read(({ settled }) => new Map(settled)),
    note: (news) =>
      ledger.write(() => ({
        answer: undefined,
        records: [
          {
            type: 'settled',
            news: [...news].map(([ref, is]) => (is === undefined ? ([ref] as const) : ([ref, is] as const))),
          },
        ],
      })),
  };
}
