import { PlumbError } from '../reconciler/model/errors.ts';
import type { OpenUp } from './compose.ts';
import { storeUrl } from './fleet-store.ts';
import type { UpFlags } from './flags.ts';
import { isAgents } from './identity.ts';
import type { Io } from './io.ts';
import { pathsOf } from './paths.ts';
import { openRepository, rememberSource } from './repository.ts';

/** Everything of a running `up`, from flags: repository, host, runtime, lock, store. Throws STORE_LOCKED when another runs here. */
export async function openUp(flags: UpFlags, io: Io): Promise<OpenUp> {
  const { state } = pathsOf(flags, io);
  // a machine of a fleet is told what to run: one that places for itself would give out what others have
  if (storeUrl({}, io) !== undefined || isAgents(state))
    throw new PlumbError(
      'USAGE',
      isAgents(state)
        ? `${state} is a fleet agent's: plumb up and apply work on one machine alone; give another --state-dir`
        : 'PLUMB_STORE is set, and plumb up and apply work on one machine alone: ask a controller by its --socket, or unset it',
    );
  const repository = await openRepository(flags, state, io);
  rememberSource(state, { ...flags, repo: repository.url });
  // most of the program is loaded while git works
  const [fetched, { openMachine }] = await Promise.all([repository.fetch(), import('./compose.ts')]);
  return openMachine(flags, state, repository, fetched);
}
