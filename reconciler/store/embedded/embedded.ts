import { existsSync, readdirSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../../disk/directory.ts';
import { sweepDrafts } from '../../../disk/replace.ts';
import { PlumbError } from '../../model/errors.ts';
import type { HostStore } from '../../model/store.ts';
import { diskError } from '../durable.ts';
import { openJournal } from '../journal/journal.ts';
import { createLedger } from './ledger.ts';
import { lockHost } from './lock.ts';
import { openLog } from './log.ts';
import { createBulletin, createLeases, createMailbox, createReservations, createSettled } from './ports.ts';

export interface EmbeddedOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Whose audit chain is written; `up` when absent. */
  readonly writer?: string;
}

/** The directory of a writer's audit chain below a state directory. */
export function journalDirectory(state: string, writer = 'up'): string {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(writer))
    throw new PlumbError('USAGE', `${JSON.stringify(writer)} cannot name a journal`);
  return join(state, 'journal', writer);
}

/** Where journals are kept in a state directory, each of one writer. */
export function journalDirectories(state: string): readonly string[] {
  const root = join(state, 'journal');
  return existsSync(root) ? readdirSync(root).map((writer) => join(root, writer)) : [];
}

/**
 * Opens the store of one machine below a state directory: everything in memory, made durable by a log of its own before
 * anybody sees it, and the audit chain beside it. One process at a time: throws STORE_LOCKED, STORE_UNAVAILABLE,
 * JOURNAL_CORRUPT, DISK_FULL.
 */
export async function openEmbedded(state: string, { clock, writer }: EmbeddedOptions): Promise<HostStore> {
  const chain = journalDirectory(state, writer);
  await makeDirectory(state, 0o700).catch((error: unknown) => {
    throw diskError(error, state);
  });
  const lock = await lockHost(`state ${await realpath(state)}`);
  await sweepDrafts(state);
  const opened: (() => Promise<void>)[] = [() => lock.release()];
  const close = async (): Promise<void> => {
    for (const end of opened.reverse()) await end();
    opened.length = 0;
  };
  try {
    // both wait for the disk, side by side; what is open is closed should the other fail
    const chained = openJournal(chain, { clock });
    opened.push(async () => (await chained.catch(() => undefined))?.close());
    chained.catch(() => undefined); // heard below
    const { log, memory } = await openLog(join(state, 'store'));
    const ledger = createLedger(memory, log, clock);
    opened.push(() => ledger.close());
    const journal = await chained;
    return {
      reservations: createReservations(ledger, clock),
      leases: createLeases(ledger, clock),
      mailbox: createMailbox(ledger, memory),
      bulletin: createBulletin(ledger),
      settled: createSettled(ledger),
      journal,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
