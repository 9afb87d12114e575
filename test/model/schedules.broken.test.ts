import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CONTROLLER_LEASE } from '../../reconciler/loop/hearing.ts';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { Report } from '../../reconciler/model/replica.ts';
import type { CommitReply } from '../../reconciler/model/reservations.ts';
import type { Committed, FleetStore, Reservations } from '../../reconciler/model/store.ts';
import { CONTROLLERS, HOSTS } from '../support/schedule/git.ts';
import type { Bend } from '../support/schedule/parts.ts';
import { playSchedule, randomSchedules } from '../support/schedule/run.ts';
import type { PartName, Setting, Step } from '../support/schedule/steps.ts';
import { embeddedGround } from '../support/schedule/store.ts';
import type { MakeGround } from '../support/schedule/store.ts';

const CLOCKS: Setting = { seed: 7, skews: { h0: 0, h1: 0, h2: 0, h3: 0, c1: 0, c2: 0 } };

/** Apps come, are updated and leave a host that is drained and slow, while schedulers compete and a host hears something old. */
const PLAIN: readonly Step[] = [
  { what: 'commit', app: 'a', wish: { replicas: 3, image: 'img:1', cpu: 100 }, wait: 20_000 },
  { what: 'commit', app: 'b', wish: { replicas: 3, image: 'img:1', cpu: 500 }, wait: 0 },
  { what: 'commit', app: 'c', wish: { replicas: 3, image: 'img:1', cpu: 500 }, wait: 0 },
  { what: 'rivals', count: 2, wait: 20_000 },
  { what: 'commit', app: 'b', wish: { replicas: 3, image: 'img:2', cpu: 500 }, wait: 40_000 },
  { what: 'commit', app: 'c', wish: { replicas: 3, image: 'img:2', cpu: 500 }, wait: 40_000 },
  { what: 'late', part: 'h0', wait: 12_000 },
  { what: 'late', part: 'h1', wait: 12_000 },
  { what: 'mishaps', part: 'h0', kind: 'container', how: ['slow', 'slow', 'slow'], wait: 0 },
  { what: 'drain', host: 'h0', wait: 60_000 },
];

/** The clocks of all machines are set back by an hour in the middle of a change. */
const SET_BACK: readonly Step[] = [
  ...PLAIN,
  { what: 'commit', app: 'b', wish: { replicas: 3, image: 'img:3', cpu: 500 }, wait: 3_000 },
  ...[...HOSTS, ...CONTROLLERS].map((part) => ({ what: 'clock', part, by: -3_600_000, wait: 0 }) as const),
];

interface Held {
  readonly book: Book;
  readonly log: Committed[];
  readonly replies: Map<string, CommitReply>;
}

/** Decides on what `held` says, and writes later, as a store would that is not one atomic step. Leases and repeated requests it heeds. */
function tornBy(held: () => Held, inner: Reservations): Reservations {
  return {
    ...inner,
    snapshot: () => {
      const { book, log } = held();
      const { hosts, placements, addresses } = book;
      return Promise.resolve({
        hosts: new Map(hosts),
        placements: new Map(placements),
        addresses: new Map(addresses),
        cursor: log.length,
      });
    },
    since: (cursor) => Promise.resolve(held().log.slice(cursor)),
    commit: async (request, under) => {
      const { book, log, replies } = held();
      const { id, now } = request;
      if (under) await inner.commit({ id: `${id}/lease`, now, proposals: [] }, under);
      const before = replies.get(id);
      if (before) return before;
      const { verdicts, deltas } = decide(book, request);
      await turn();
      book.apply(deltas);
      if (deltas.length > 0) log.push({ cursor: log.length + 1, deltas });
      const reply = { verdicts, cursor: log.length };
      replies.set(id, reply);
      return reply;
    },
  };
}

/** A store whose commit is not atomic, with nothing else wrong with it. */
const nonAtomic: MakeGround = async (dir, time) => {
  const nothing = (): Held => ({ book: createBook(), log: [], replies: new Map() });
  let held = nothing();
  const ground = await embeddedGround((inner) => tornBy(() => held, inner))(dir, time);
  const empty = (): Promise<void> => {
    held = nothing();
    return ground.empty();
  };
  return { ...ground, empty };
};

const NOT_ATOMIC = /is reserved for|is not its own|more than it has/;

const controls = (part: PartName): boolean => part.startsWith('c');

/** A host that does at once all that it is told, as far as its Reports say. */
async function asTold({ mailbox }: FleetStore, report: Report): Promise<Report> {
  const told = await mailbox.assignment(report.host);
  const ids = new Set(told?.replicas.map(({ id }) => id));
  return {
    ...report,
    generation: told?.generation ?? report.generation,
    replicas: report.replicas.filter(({ id }) => ids.has(id)),
    observed: [],
    conditions: [],
  };
}

const BROKEN: readonly {
  readonly fleet: string;
  readonly says: RegExp;
  readonly bend: Bend;
  readonly steps?: readonly Step[];
}[] = [
  {
    fleet: 'whose controllers heed no lease, nor has the store do it',
    says: /made \w+ while c\d\/1 leads/,
    bend: {
      far: (store, part) => {
        if (!controls(part)) return store;
        const { reservations, mailbox, bulletin, leases } = store;
        const acquire: typeof leases.acquire = async (name, holder, ttl) =>
          (await leases.acquire(name, holder, ttl)) ?? { name, holder, fence: 1, expires: Infinity };
        return {
          ...store,
          reservations: { ...reservations, commit: (request) => reservations.commit(request) },
          mailbox: { ...mailbox, assignAll: (assignments) => mailbox.assignAll(assignments) },
          bulletin: { ...bulletin, post: (notice) => bulletin.post(notice) },
          leases: { ...leases, acquire },
        };
      },
    },
  },
  {
    fleet: 'whose agents take in what is older than what they have',
    says: /went back from generation/,
    bend: {
      near: (mailbox) => ({
        ...mailbox,
        assign: async (assignment) => {
          await mailbox.assign(assignment);
          return true;
        },
      }),
    },
  },
  {
    fleet: 'whose replicas start on a new host before the old one has let them go',
    says: /lives on h0 and on h\d/,
    bend: {
      far: (store, part) => {
        const { mailbox } = store;
        const reports: typeof mailbox.reports = async (hosts) =>
          Promise.all((await mailbox.reports(hosts)).map((report) => asTold(store, report)));
        return controls(part) ? { ...store, mailbox: { ...mailbox, reports } } : store;
      },
    },
  },
  {
    fleet: 'whose processes reckon by clocks that are set back',
    says: /does not converge|does not end/,
    bend: { clock: (wall) => wall },
    steps: SET_BACK,
  },
  {
    fleet: 'whose controllers know no floors',
    says: /are away at once/,
    bend: {
      catalog: (catalog) => ({
        ...catalog,
        apps: new Map(
          [...catalog.apps].map(([name, app]) => [name, { ...app, spec: { ...app.spec, maxUnavailable: 9 } }]),
        ),
        zones: new Map(
          [...catalog.zones].map(([name, zone]) => {
            const { disruption: _budget, ...spec } = zone.spec;
            return [name, { ...zone, spec }];
          }),
        ),
      }),
    },
  },
  {
    fleet: 'whose controllers always find something to write',
    says: /something was written/,
    bend: {
      far: (store, part) => {
        const { mailbox, bulletin, leases } = store;
        const news: typeof mailbox.news = async (since) => {
          const notice = await bulletin.read();
          // who stands by looks at what is new as well
          const leads = controls(part) && (await leases.get(CONTROLLER_LEASE))?.holder === `${part}/1`;
          if (notice && leads) await bulletin.post(notice);
          return mailbox.news(since);
        };
        return { ...store, mailbox: { ...mailbox, news } };
      },
    },
  },
];

describe('a schedule', () => {
  it('breaks no law where nothing is broken', () => playSchedule(CLOCKS, PLAIN, embeddedGround()));

  it('catches a commit that is not atomic', () => assert.rejects(playSchedule(CLOCKS, PLAIN, nonAtomic), NOT_ATOMIC));

  it('catches it in random schedules, too', () => assert.rejects(randomSchedules(nonAtomic, 40, 1), NOT_ATOMIC));

  it('breaks no law where clocks are set back in its middle', () => playSchedule(CLOCKS, SET_BACK, embeddedGround()));

  for (const { fleet, says, bend, steps = PLAIN } of BROKEN)
    it(`catches a fleet ${fleet}`, () => assert.rejects(playSchedule(CLOCKS, steps, embeddedGround(), bend), says));
});
