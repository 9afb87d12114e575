import type { Command } from 'commander';
import type { LocalView } from '../reconciler/loop/status/view.ts';
import type { Entry } from '../reconciler/model/journal.ts';
import type { Journal } from '../reconciler/model/store.ts';
import { serveLocal } from '../server/local.ts';
import { renderEntry } from './verbs/events.ts';
import type { Io } from './io.ts';
import { outputOption } from './options.ts';

export interface ServeFlags {
  readonly output: 'text' | 'json';
  readonly quiet?: boolean;
}

/** Adds the options of what works until it is stopped, and shows what happens. */
export function serveOptions(cmd: Command): void {
  cmd.addOption(outputOption('text', 'json')).option('-q, --quiet', 'do not show what happens');
}

/** What works until it is stopped, and can be asked meanwhile. */
export interface Served {
  readonly view: LocalView;
  run(signal: AbortSignal): Promise<void>;
}

/** Runs it until the Io's signal aborts: answers at the socket and shows what happens. */
export async function serveView(
  who: string,
  served: Served,
  journal: Pick<Journal, 'follow'>,
  socket: string,
  flags: ServeFlags,
  io: Io,
): Promise<void> {
  const closing = new AbortController();
  try {
    await serveLocal(socket, served.view, closing.signal);
    if (flags.quiet !== true) {
      io.err(`${who}, answering at ${socket}\n`);
      void show(journal, closing.signal, flags, io);
    }
    await served.run(io.signal);
  } finally {
    closing.abort();
  }
}

/** Prints what happens from now on; a journal that breaks off is followed again. */
async function show(
  journal: Pick<Journal, 'follow'>,
  signal: AbortSignal,
  { output }: ServeFlags,
  io: Io,
): Promise<void> {
  while (!signal.aborted) {
    const entries: AsyncIterable<Entry> = journal.follow(signal);
    try {
      for await (const entry of entries)
        io.out(output === 'json' ? `${JSON.stringify(entry)}\n` : renderEntry(entry, io));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
