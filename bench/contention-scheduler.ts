import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBook } from '../reconciler/model/book.ts';
import type { AppSpec, Resource } from '../reconciler/model/catalog.ts';
import type { CommitReply, CommitRequest, ConflictReason } from '../reconciler/model/reservations.ts';
import type { Store } from '../reconciler/model/store.ts';
import { commitAll } from '../reconciler/loop/commits.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import { placing } from '../reconciler/place/place.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { CROWDED, fabric } from './fabric.ts';

/** Rounds in which nothing more is placed before it is given up. */
const PATIENCE = 2;
/** So few replicas are taken on at once. */
const FEW = 300;

/** One of the schedulers of `contention`: `URL PART OF`. Places every OF-th App, says what came of it, and ends. */
const [url = '', part = '0', of = '1'] = process.argv.slice(2);
const [mine, all] = [Number(part), Number(of)];
const { catalog, reports } = fabric({ ...CROWDED, heldOwners: ['*'] });
const hosts = hostViews(catalog, reports, createBook());
const apps = [...catalog.apps.values()]
  .filter((_, at) => at % all === mine)
  .sort((a, b) => b.spec.resources.cpu - a.spec.resources.cpu);
const size = (list: readonly Resource<AppSpec>[]): number => list.reduce((sum, { spec }) => sum + spec.replicas, 0);

/** The fleet's book, kept up to date with what the others commit, and how far that is. */
interface Followed {
  readonly book: ReturnType<typeof createBook>;
  cursor: number;
}

async function follow({ reservations }: Store): Promise<Followed> {
  const { cursor, ...state } = await reservations.snapshot();
  const followed = { book: createBook(state), cursor };
  const read = async (): Promise<void> => {
    for await (const commit of reservations.follow(cursor, new AbortController().signal)) {
      followed.book.apply(commit.deltas);
      followed.cursor = commit.cursor;
    }
  };
  read().catch((error: unknown) => {
    throw error;
  });
  return followed;
}

// eight of them on few cores: a reply waits until its process gets its turn
const patience = { attempt: 60_000, total: 120_000 };
const store = await openRedis(url, { clock: Date.now, writer: `scheduler-${part}`, patience });
const followed = await follow(store);
let own = 0;
const commit = async (request: CommitRequest): Promise<CommitReply> => {
  const reply = await store.reservations.commit(request);
  own = Math.max(own, reply.cursor);
  return reply;
};
process.send?.('ready');
await once(process, 'message');

/** Each round takes on half of what is left: the fuller the fleet, the less is decided without knowing of the others. */
let taken = 0;
let conflicts = 0;
let proposed = 0;
let placed = 0;
const reasons: Partial<Record<ConflictReason, number>> = {};
for (let round = 0, idle = 0; idle < PATIENCE && placed < size(apps); round += 1) {
  const left = size(apps.slice(taken));
  const goal = left <= FEW ? 0 : left / 2;
  while (taken < apps.length && size(apps.slice(taken)) > goal) taken += 1;
  const known = { ...catalog, apps: new Map(apps.slice(0, taken).map((app) => [app.name, app])) };
  const now = Date.now();
  const proposals = placing({
    catalog: known,
    snapshot: followed.book,
    hosts,
    reports,
    assignments: [],
    now,
    side: { part: mine, of: all },
  });
  const verdicts = await commitAll({ commit }, { id: `${part}-${String(round)}`, now, proposals });
  const accepted = verdicts.filter((verdict) => verdict.accepted).length;
  for (const verdict of verdicts) if (!verdict.accepted) reasons[verdict.reason] = (reasons[verdict.reason] ?? 0) + 1;
  proposed += verdicts.length;
  conflicts += verdicts.length - accepted;
  placed += accepted;
  if (accepted === 0 && taken === apps.length) idle += 1;
  // what was just committed comes back as deltas
  while (followed.cursor < own) await sleep(5);
}
await store.close();
process.send?.({ proposed, conflicts, placed, reasons }, () => process.exit(0));
