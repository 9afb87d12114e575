import { hostname } from 'node:os';
import { sweepDrafts } from '../../disk/replace.ts';
import { steadyClock } from '../../reconciler/loop/clock.ts';
import { claimName, createFleetController } from '../../reconciler/loop/fleet-controller.ts';
import type { JournalHead } from '../../reconciler/model/store.ts';
import { CONTROLLER_WRITER } from '../../reconciler/loop/status/view.ts';
import { journalDirectory } from '../../reconciler/store/embedded/embedded.ts';
import { openJournal } from '../../reconciler/store/journal/journal.ts';
import { createReopening } from '../../reconciler/store/reopening.ts';
import { allowOptions, logOption, repositoryOptions, type LogFlags } from '../flags.ts';
import { fleetStore, storeOptions, storeUrl, type StoreFlags } from '../fleet-store.ts';
import { identityOf } from '../identity.ts';
import { keepHeapSmall } from '../heap.ts';
import type { Io } from '../io.ts';
import { operationalLog } from '../log.ts';
import { command, parse } from '../options.ts';
import { patiently } from '../patience.ts';
import { pathsOf, stateOptions, type StateOptions } from '../paths.ts';
import { openRepository, rememberSource, type RepositoryFlags } from '../repository.ts';
import { serveOptions, serveView, type ServeFlags } from '../serve.ts';
import { announced } from '../view.ts';

interface Options extends StateOptions, StoreFlags, RepositoryFlags, LogFlags, ServeFlags {
  readonly name?: string;
  readonly allowDeletions?: boolean;
}

/** `plumb controller`: until SIGINT or SIGTERM; 0 after a graceful stop. */
export async function controllerCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'controller',
    'Place what Git asks for on the hosts of a fleet and tell their agents. Any number may run: one leads, the others take over.',
    'plumb controller --store redis://10.0.0.5 --repo https://git.example.com/fleet.git --ref main',
    io,
  );
  serveOptions(cmd);
  cmd.option('--name <name>', 'who this is among the controllers (default: the hostname)');
  allowOptions(cmd);
  logOption(cmd);
  storeOptions(cmd);
  repositoryOptions(cmd);
  stateOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  keepHeapSmall();
  const log = operationalLog(options);
  const { state, socket } = pathsOf(options, io);
  const name = options.name ?? hostname();
  const writer = CONTROLLER_WRITER + name;
  const open = fleetStore(options, { writer }, io);
  const repository = await openRepository(options, state, io);
  rememberSource(state, { ...options, repo: repository.url });
  await sweepDrafts(state);
  const store = createReopening(open, io.signal);
  const clock = steadyClock();
  const holder = identityOf(state, 'controller', name);
  // what waits for a store that is away must not keep it from stopping
  io.signal.addEventListener('abort', () => setTimeout(() => void store.close(), 3000).unref(), { once: true });
  try {
    // said now, not with the first pass
    const claim = async (): Promise<JournalHead> => {
      await claimName(store.leases, holder);
      return store.journals.head();
    };
    const claiming = patiently(claim, { log, signal: io.signal });
    const head = await (options.quiet === true ? claiming : announced(claiming, storeUrl(options, io) ?? '', io));
    if (!head) return 0;
    // on an empty disk it goes on behind the copy that its forerunner left
    const behind = (): Promise<JournalHead> => Promise.resolve(head);
    const journal = await openJournal(journalDirectory(state, writer), { clock, behind });
    try {
      const controller = createFleetController({
        holder,
        repository,
        store,
        journal,
        allowDeletions: options.allowDeletions === true,
        clock,
        log,
      });
      await serveView(`plumb controller ${name}`, controller, journal, socket, options, io);
    } finally {
      await journal.close();
    }
  } finally {
    await store.close();
  }
  return 0;
}
