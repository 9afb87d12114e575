import { once } from 'node:events';
import { createBook } from '../reconciler/model/book.ts';
import type { ConflictReason, Proposal } from '../reconciler/model/reservations.ts';
import { commitTurns } from '../reconciler/loop/controller/commits.ts';
import { groundOver } from '../reconciler/place/ground.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import { shareOf } from '../reconciler/place/order.ts';
import { startRun } from '../reconciler/place/run.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { CROWDED, fabric } from './fabric.ts';

/** One of the schedulers of `contention`: `URL PART OF`. Places its share of the Apps, says what came of it, and ends. */
const [url = '', part = '0', of = '1'] = process.argv.slice(2);
const side = { part: Number(part), of: Number(of) };
const { catalog, reports } = fabric(CROWDED);

// eight of them on few cores: a reply waits until its process gets its turn
const patience = { attempt: 60_000, total: 120_000 };
const store = await openRedis(url, { clock: Date.now, writer: `scheduler-${part}`, patience });
const { cursor, ...state } = await store.reservations.snapshot();
const book = createBook(state);
const hosts = hostViews(catalog, reports, book);
process.send?.('ready');
await once(process, 'message');

const before = process.cpuUsage();
const scope = { apps: shareOf(catalog.apps, hosts, side), hosts: new Set<string>() };
const input = { catalog, snapshot: book, hosts, reports, assignments: [], now: Date.now(), scope, side };
const run = startRun(input, groundOver(input, book));
const reasons: Partial<Record<ConflictReason, number>> = {};
const refuse = (_: Proposal, reason: ConflictReason): void => void (reasons[reason] = (reasons[reason] ?? 0) + 1);
const { proposed, accepted } = await commitTurns(store.reservations, run, { id: part, cursor, refuse });
const { user, system } = process.cpuUsage(before);
await store.close();
const told = { proposed, conflicts: proposed - accepted, cpu: user + system, reasons };
process.send?.(told, () => process.exit(0));
