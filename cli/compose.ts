import type { AgentOptions } from '../reconciler/loop/agent/agent-state.ts';
import { steadyClock } from '../reconciler/loop/clock.ts';
import type { Fetched, Repository } from '../reconciler/loop/controller/repository.ts';
import { createHealth, type HealthClock } from '../reconciler/loop/agent/health.ts';
import { identify } from '../reconciler/loop/identify.ts';
import type { CommitInfo } from '../reconciler/loop/controller/telling.ts';
import { createUp, type Up } from '../reconciler/loop/up.ts';
import { selects, type Catalog, type HostSpec, type Resource } from '../reconciler/model/catalog.ts';
import type { Journal } from '../reconciler/model/store.ts';
import { openEmbedded } from '../reconciler/store/embedded/embedded.ts';
import { lockHost } from '../reconciler/store/embedded/lock.ts';
import type { UpFlags } from './flags.ts';
import { operationalLog } from './log.ts';
import { dockerRuntime, factsOf, simulatedRuntime, type Runtime } from './runtime.ts';

/** What runs the replicas of this machine, as its Zone says or as asked for. */
export function runtimeOf(flags: UpFlags, catalog: Catalog, host: Resource<HostSpec>, state: string): Runtime {
  const zone = [...catalog.zones.values()].find(({ spec }) => selects(spec.hosts, host.labels));
  const simulated = flags.simulated === true || zone?.spec.runtime === 'simulated';
  return simulated ? simulatedRuntime(state) : dockerRuntime(flags, state);
}

const after: HealthClock['after'] = (ms, call) => {
  const timer = setTimeout(call, ms);
  return () => {
    clearTimeout(timer);
  };
};

/** The probes of a runtime, on the clock of the agent that asks them. */
export function healthOf({ prober }: Pick<Runtime, 'prober'>, now: () => number): AgentOptions['health'] {
  return (onChange) => createHealth({ prober, clock: { now, after }, random: Math.random, onChange });
}

export interface OpenUp {
  readonly up: Up;
  readonly host: string;
  readonly journal: Journal;
  readonly close: () => Promise<void>;
}

/** The repository, whose first fetch was made already, and its commit asked for. */
function startingFrom(repository: Repository, first: Fetched): Repository {
  let made: Fetched | undefined = first;
  const read = repository.commit(first.revision);
  const again = (): Promise<CommitInfo> => repository.commit(first.revision);
  read.catch(() => undefined); // heard by who asks for it
  return {
    ...repository,
    commit: (revision) => (revision === first.revision ? read.catch(again) : repository.commit(revision)),
    fetch: async () => {
      const fetched = made ?? (await repository.fetch());
      made = undefined;
      return fetched;
    },
  };
}

/** What works on this machine, by a repository that was just fetched. Throws STORE_LOCKED when another works here. */
export async function openMachine(
  flags: UpFlags,
  state: string,
  repository: Repository,
  fetched: Fetched,
): Promise<OpenUp> {
  const starting = startingFrom(repository, fetched);
  const [catalog, facts] = await Promise.all([repository.catalog(fetched.revision), factsOf(flags.simulated === true)]);
  const host = identify(catalog, facts, flags.host);
  const runtime = runtimeOf(flags, catalog, host, state);
  const lock = await lockHost(runtime.key, { state });
  try {
    const clock = steadyClock();
    const store = await openEmbedded(state, { clock });
    const log = operationalLog(flags);
    const up = createUp({
      host: host.name,
      facts: { ...facts, capacity: { ...facts.capacity, ...host.spec.capacity } },
      repository: starting,
      store,
      agent: {
        providers: runtime.providers,
        health: healthOf(runtime, clock),
        wall: Date.now,
      },
      allowDeletions: flags.allowDeletions === true,
      clock,
      random: Math.random,
      log,
    });
    return {
      up,
      host: host.name,
      journal: store.journal,
      close: async () => {
        await runtime.close();
        await store.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
