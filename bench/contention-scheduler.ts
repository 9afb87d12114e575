import { once } from 'node:events';
import { createBook } from '../reconciler/model/book.ts';
import type { ConflictReason, Proposal } from '../reconciler/model/reservations.ts';
import { commitTurns } from '../reconciler/loop/commits.ts';
import { groundOver } from '../reconciler/place/ground.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import { startRun } from '../reconciler/place/run.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { CROWDED, fabric } from './fabric.ts';

/** One of the schedulers of `contention`: `URL PART OF`. Places every OF-th App, says what came of it, and ends. */
const [url = '', part = '0', of = '1'] = process.argv.slice(2);
const [mine, all] = [Number(part), Number(of)];
const { catalog, reports } = fabric({ ...CROWDED, heldOwners: ['*'] });
// all of one level: the largest replicas first, as long as there is room for them
const apps = [...catalog.apps]
  .filter((_, at) => at % all === mine)
  .map(([name, app]) => [name, { ...app, spec: { ...app.spec, level: 2 } }] as const);

// eight of them on few cores: a reply waits until its process gets its turn
const patience = { attempt: 60_000, total: 120_000 };
const store = await openRedis(url, { clock: Date.now, writer: `scheduler-${part}`, patience });
const { cursor, ...state } = await store.reservations.snapshot();
const book = createBook(state);
const input = {
  catalog: { ...catalog, apps: new Map(apps) },
  snapshot: book,
  hosts: hostViews(catalog, reports, book),
  reports,
  assignments: [],
  now: Date.now(),
  side: { part: mine, of: all },
};
const run = startRun(input, groundOver(input, book));
process.send?.('ready');
await once(process, 'message');

const reasons: Partial<Record<ConflictReason, number>> = {};
const refuse = (_: Proposal, reason: ConflictReason): void => void (reasons[reason] = (reasons[reason] ?? 0) + 1);
const { proposed, accepted } = await commitTurns(store.reservations, run, { id: part, cursor, refuse });
await store.close();
const told = { proposed, conflicts: proposed - accepted, placed: accepted, reasons };
process.send?.(told, () => process.exit(0));
