import type { Command } from 'commander';
import { knownOf } from '../reconciler/loop/control.ts';
import { fleetStatus, silenceOf } from '../reconciler/loop/fleet-status.ts';
import { readJournals, type Known, type LocalView } from '../reconciler/loop/status/view.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { FleetStore } from '../reconciler/model/store.ts';
import { parseTarget } from '../reconciler/store/redis/target.ts';
import { createReopening } from '../reconciler/store/reopening.ts';
import { askedStore, fleetStore, storeOptions, storeUrl, type StoreFlags } from './fleet-store.ts';
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

/** Who only looks waits no longer for a store, milliseconds: a failover, or a store that starts, takes less. */
const PATIENCE = 5_000;
/** After so many milliseconds without an answer a person is told what is waited for. */
const SILENCE = 700;

/** Says what is waited for, and for how many milliseconds at most, when it takes long. */
export async function announced<T>(opening: Promise<T>, url: string, io: Io, patience?: number): Promise<T> {
  const most = patience === undefined ? '' : `; asking for ${String(patience / 1000)} s`;
  const text = `${parseTarget(url).shown} does not answer yet${most}\n`;
  const timer = setTimeout(() => io.err(text), SILENCE);
  try {
    return await opening;
  } finally {
    clearTimeout(timer);
  }
}

/** How to open the fleet's store for who asks it something and ends: not for longer than people wait, and they are told what is waited for. Throws USAGE when none was named. */
export function readingStore(flags: StoreFlags, io: Io): () => Promise<FleetStore> {
  const open = fleetStore(flags, { writer: 'reader', patience: PATIENCE }, io);
  return () => announced(open(), storeUrl(flags, io) ?? '', io, PATIENCE);
}

/** A view that has to be closed. */
export interface OpenView {
  readonly view: LocalView;
  close(): Promise<void>;
}

/** The fleet as its store has it, where one is named; else what runs on this machine, through its socket. */
export async function openView(flags: Looking, io: Io): Promise<OpenView> {
  const tellClosed = (known: Known): Known => {
    if (known.closed !== undefined) io.err(`${known.closed}. Until then what runs there is left out here\n`);
    return known;
  };
  if (askedStore(flags, io) === undefined) {
    const view = remoteView(pathsOf(flags, io).socket);
    const known = async (): Promise<Known> => tellClosed(await view.known());
    return { view: { ...view, known }, close: () => Promise.resolve() };
  }
  const store = createReopening(readingStore(flags, io), io.signal);
  const elsewhere = (): PlumbError =>
    new PlumbError('USAGE', 'the store has no answer to that: ask a plumb controller or agent by its --socket');
  // what little such a store holds, or what was true once, looks like the answer; the status has words of its own
  let told = false;
  const tellSilence = async (): Promise<void> => {
    if (told) return;
    told = true;
    const silence = await silenceOf(store, Date.now());
    if (silence !== undefined) io.err(`${silence}\n`);
  };
  return {
    view: {
      status: () => fleetStatus(store, Date.now()),
      known: async () => {
        await tellSilence();
        return tellClosed(await knownOf(store));
      },
      reports: async (hosts) => {
        await tellSilence();
        return store.mailbox.reports(hosts);
      },
      journal: async function* (...asked) {
        await tellSilence();
        yield* readJournals(store.journals, ...asked);
      },
      settle: () => Promise.reject(elsewhere()),
    },
    close: () => store.close(),
  };
}

/** What was known when it was asked for, and what there is to ask further. */
export interface Asked {
  readonly known: Known;
  readonly reports: LocalView['reports'];
}

/** What a fleet's store or a running `up` knows; undefined when none runs. */
export async function askRunning(view: LocalView): Promise<Asked | undefined> {
  try {
    return { known: await view.known(), reports: (hosts) => view.reports(hosts) };
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  }
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
