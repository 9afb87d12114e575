import type { Command } from 'commander';
import { knownOf } from '../reconciler/loop/control.ts';
import { fleetStatus } from '../reconciler/loop/fleet-status.ts';
import { readJournals, type LocalView } from '../reconciler/loop/view.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { createReopening } from '../reconciler/store/reopening.ts';
import { fleetStore, storeOptions, storeUrl, type StoreFlags } from './fleet-store.ts';
import type { Io } from './io.ts';
import { remoteView } from './local.ts';
import { pathsOf, stateOptions, type StateOptions } from './paths.ts';

/** Whom a verb that only looks asks. */
export interface Looking extends StateOptions, StoreFlags {}

/** Adds the options that say whom a verb asks. */
export function viewOptions(cmd: Command): void {
  stateOptions(cmd);
  storeOptions(cmd);
}

/** A view that has to be closed. */
export interface OpenView {
  readonly view: LocalView;
  close(): Promise<void>;
}

/** The fleet as its store has it, where one is named; else what runs on this machine, through its socket. */
export async function openView(flags: Looking, io: Io): Promise<OpenView> {
  if (storeUrl(flags, io) === undefined)
    return { view: remoteView(pathsOf(flags, io).socket), close: () => Promise.resolve() };
  const store = createReopening(fleetStore(flags, { writer: 'reader' }, io));
  const elsewhere = (): PlumbError =>
    new PlumbError('USAGE', 'the store has no answer to that: ask a plumb controller or agent by its --socket');
  return {
    view: {
      status: () => fleetStatus(store, Date.now()),
      known: () => knownOf(store),
      journal: (...asked) => readJournals(store.journals, ...asked),
      settle: () => Promise.reject(elsewhere()),
    },
    close: () => store.close(),
  };
}

/** Asks a view, and closes it. */
export async function withView<T>(flags: Looking, io: Io, ask: (view: LocalView) => Promise<T>): Promise<T> {
  const opened = await openView(flags, io);
  try {
    return await ask(opened.view);
  } finally {
    await opened.close();
  }
}
