import type { Command } from 'commander';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { FleetStore } from '../reconciler/model/store.ts';
import { parseTarget } from '../reconciler/store/redis/target.ts';
import type { Io } from './io.ts';
import { under } from './options.ts';

/** Options that say which fleet. */
export interface StoreFlags {
  readonly store?: string;
  readonly fleet?: string;
}

/** Whose journal is written, and for an agent its host. */
export interface Part {
  readonly writer: string;
  readonly host?: string;
  /** How long a call is tried, milliseconds; as long as what runs on waits, if absent. */
  readonly patience?: number;
}

/** Adds `--store` and `--fleet`. */
export function storeOptions(cmd: Command): void {
  under('Fleet:', cmd, () =>
    cmd
      .option(
        '--store <url>',
        'its store: redis://HOST:PORT, rediss://HOST:PORT?ca=FILE, redis+sentinel://HOST,HOST/GROUP or redis+cluster://HOST,HOST (PLUMB_STORE)',
      )
      .option('--fleet <name>', 'its name, where several fleets share a store (PLUMB_FLEET; default: default)'),
  );
}

/** The address of the fleet's store, if one was given. */
export function storeUrl({ store }: StoreFlags, { env }: Pick<Io, 'env'>): string | undefined {
  const url = store ?? env['PLUMB_STORE'] ?? '';
  return url === '' ? undefined : url;
}

/** The store that a verb asks that only looks: the one it is given; the environment's as well, unless `--socket` says who else is asked. */
export function askedStore(flags: StoreFlags & { readonly socket?: string }, io: Pick<Io, 'env'>): string | undefined {
  return flags.socket === undefined ? storeUrl(flags, io) : storeUrl(flags, { env: {} });
}

/** How to open the store of the fleet. Throws USAGE when none was named. */
export function fleetStore(
  flags: StoreFlags,
  { patience, ...part }: Part,
  io: Pick<Io, 'env'>,
): () => Promise<FleetStore> {
  const url = storeUrl(flags, io);
  if (url === undefined)
    throw new PlumbError('USAGE', 'which store? give --store redis://HOST:PORT, or set PLUMB_STORE');
  const fleet = flags.fleet ?? io.env['PLUMB_FLEET'] ?? 'default';
  // a wrong address is said at once, not tried for ever
  parseTarget(url);
  return async () => {
    const { openRedis } = await import('../reconciler/store/redis/redis.ts');
    const tried = patience === undefined ? {} : { patience: { total: patience } };
    return openRedis(url, { clock: Date.now, fleet, ...part, ...tried });
  };
}
