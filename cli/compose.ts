import type { Command } from 'commander';
import type { AgentOptions, Log } from '../reconciler/loop/agent-state.ts';
import { createHealth, type HealthClock } from '../reconciler/loop/health.ts';
import { identify } from '../reconciler/loop/identify.ts';
import type { Fetched, Repository } from '../reconciler/loop/controller.ts';
import { createUp, type Up } from '../reconciler/loop/up.ts';
import type { Catalog, HostSpec, Resource } from '../reconciler/model/catalog.ts';
import type { Journal } from '../reconciler/model/store.ts';
import { selects } from '../reconciler/model/catalog.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { openEmbedded } from '../reconciler/store/embedded/embedded.ts';
import { lockHost } from '../reconciler/store/embedded/lock.ts';
import { storeUrl } from './fleet-store.ts';
import { isAgents } from './identity.ts';
import type { Io } from './io.ts';
import { pathsOf, type StateOptions } from './paths.ts';
import { openRepository, rememberSource, type RepositoryFlags } from './repository.ts';
import type { Runtime, RuntimeFlags } from './runtime.ts';

/** Options of `up`, `apply` and `plan`. */
export interface UpFlags extends StateOptions, RepositoryFlags, RuntimeFlags, LogFlags {
  readonly host?: string;
  readonly simulated?: boolean;
  readonly allowDeletions?: boolean;
}

export interface LogFlags {
  readonly logLevel?: string;
}

/** Adds the options of what changes hosts, or shows what would change. */
export function upOptions(cmd: Command): void {
  lookOptions(cmd);
  cmd
    .option('--allow-deletions', "let more replicas go than the Fleet's budget allows")
    .option('--allow-empty', 'accept a revision without any manifest');
}

/** Adds the options of what looks at a host by a revision. */
export function lookOptions(cmd: Command): void {
  repositoryOptions(cmd);
  cmd.option(
    '--host <name>',
    'which Host this machine is (default: the one whose machine-id, hostname or address matches)',
  );
  runtimeOptions(cmd);
}

/** Adds the options that say what runs replicas on this machine. */
function runtimeOptions(cmd: Command): void {
  cmd.option('--simulated', 'keep containers, ports and cgroups as files below the state directory; needs no root');
  daemonOptions(cmd);
}

/** Adds the options that say where the daemons are, and how much is told of them. */
export function daemonOptions(cmd: Command): void {
  cmd
    .option('--docker-socket <path>', 'socket of dockerd', '/var/run/docker.sock')
    .option('--ovs-dir <dir>', 'directory of the sockets of Open vSwitch', '/run/openvswitch')
    .option('--log-level <level>', 'debug, info, warn or error: operational log on standard error', 'warn');
}

/** Adds the options that say which repository. */
export function repositoryOptions(cmd: Command): void {
  cmd
    .option(
      '-r, --repo <url>',
      'Git repository: a path, or a file, http(s), ssh or git address (default: this directory, or else the one that is followed)',
    )
    .option('--ref <branch>', "branch (default: the repository's HEAD)")
    .option('--tag <tag>', 'tag instead of a branch')
    .option('--commit <id>', 'commit instead of a branch')
    .option('--path <dir>', 'folder inside the repository');
}

/** What runs the replicas of this machine, as its Zone says or as asked for. */
export async function runtimeOf(
  flags: UpFlags,
  catalog: Catalog,
  host: Resource<HostSpec>,
  state: string,
): Promise<Runtime> {
  const { dockerRuntime, simulatedRuntime } = await import('./runtime.ts');
  const zone = [...catalog.zones.values()].find(({ spec }) => selects(spec.hosts, host.labels));
  const simulated = flags.simulated === true || zone?.spec.runtime === 'simulated';
  return simulated ? simulatedRuntime(state) : dockerRuntime(flags, state);
}

const systemClock: HealthClock = {
  now: Date.now,
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** The operational log of what runs on, on standard error. */
export async function operationalLog({ logLevel = 'warn' }: LogFlags): Promise<Log> {
  const { pino } = await import('pino');
  const log: Log = pino({ level: logLevel, base: null }, pino.destination(2));
  return log;
}

/** The probes of a runtime, on the clock of this machine. */
export function healthOf({ prober }: Pick<Runtime, 'prober'>): AgentOptions['health'] {
  return (onChange) => createHealth({ prober, clock: systemClock, random: Math.random, onChange });
}

export interface OpenUp {
  readonly up: Up;
  readonly host: string;
  readonly journal: Journal;
  readonly close: () => Promise<void>;
}

/** The repository, whose first fetch was made already. */
function startingFrom(repository: Repository, first: Fetched): Repository {
  let made: Fetched | undefined = first;
  return {
    ...repository,
    fetch: async () => {
      const fetched = made ?? (await repository.fetch());
      made = undefined;
      return fetched;
    },
  };
}

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
  // the providers are loaded while git works
  const [fetched, { factsOf }] = await Promise.all([repository.fetch(), import('./runtime.ts')]);
  const [catalog, facts] = await Promise.all([repository.catalog(fetched.revision), factsOf(flags.simulated === true)]);
  const host = identify(catalog, facts, flags.host);
  const runtime = await runtimeOf(flags, catalog, host, state);
  const lock = await lockHost(runtime.key, { state });
  try {
    const store = await openEmbedded(state, { clock: Date.now });
    const log = await operationalLog(flags);
    const up = createUp({
      host: host.name,
      facts: { ...facts, capacity: { ...facts.capacity, ...host.spec.capacity } },
      repository: startingFrom(repository, fetched),
      store,
      agent: {
        providers: runtime.providers,
        health: healthOf(runtime),
      },
      allowDeletions: flags.allowDeletions === true,
      clock: Date.now,
      random: Math.random,
      log,
    });
    return {
      up,
      host: host.name,
      journal: store.journal,
      close: async () => {
        runtime.close();
        await store.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
