import { identify } from '../reconciler/loop/identify.ts';
import { hiddenOf } from '../reconciler/loop/mail.ts';
import type { Known } from '../reconciler/loop/status/view.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { RECLAIM_KEY } from '../reconciler/model/memory.ts';
import { asPlumbError, PlumbError } from '../reconciler/model/errors.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { createWorld, observeInto } from '../reconciler/observe/observe.ts';
import type { UpFlags } from './flags.ts';
import type { Io } from './io.ts';
import { runtimeOf } from './compose.ts';
import { pathsOf } from './paths.ts';
import { askedStore, type StoreFlags } from './fleet-store.ts';
import { dockerRuntime, factsOf, type Runtime } from './runtime.ts';
import { remembered } from './stored.ts';
import type { Asked } from './view.ts';

/** The world as plan and explain need it. */
export interface Look extends Asked {
  readonly differs: Runtime['providers'];
}

/**
 * What is there: told by what was asked, a fleet's store or a running `up`; else what the state directory remembers, and a live
 * look at this machine.
 */
export async function lookAround(
  options: UpFlags & StoreFlags,
  catalog: Catalog,
  running: Asked | undefined,
  io: Io,
): Promise<Look> {
  const { state } = pathsOf(options, io);
  if (running && askedStore(options, io) !== undefined) return lookAtFleet(running, state);
  const facts = await factsOf(options.simulated === true);
  const asked = running ?? (await remembered(state));
  const { known } = asked;
  // what a running up knows needs no machine of ours: it may be asked from elsewhere
  const reporting = running
    ? known.reports[0]
    : known.reports.find(({ facts: { machineId } }) => machineId === facts.machineId);
  const host = identify(catalog, facts, options.host ?? reporting?.host);
  const runtime = runtimeOf(options, catalog, host, state);
  try {
    if (running) return { ...running, differs: runtime.providers };
    const world = createWorld();
    const signal = AbortSignal.any([io.signal, AbortSignal.timeout(30_000)]);
    const context = { signal, fleet: catalog.fleet.name, world, wanted: wantedKnobs(catalog) };
    const { providers, failed } = noting(runtime.providers);
    await observeInto(world, providers, context, []);
    const [silent] = failed;
    if (silent) throw blindness(...silent);
    const report: Report = {
      host: host.name,
      generation: 0,
      revision: '',
      at: Date.now(),
      facts: { ...facts, capacity: { ...facts.capacity, ...host.spec.capacity } },
      replicas: [],
      observed: world.all(),
      limitations: [],
      conditions: [],
    };
    const others = <T extends { readonly host: string }>(all: readonly T[]): readonly T[] =>
      all.filter((other) => other.host !== host.name);
    return {
      known: {
        ...known,
        reports: [...others(known.reports), report],
        hidden: [...others(known.hidden), ...hiddenOf(report)],
      },
      reports: async (hosts) => [
        ...(await asked.reports(hosts.filter((name) => name !== host.name))),
        ...(hosts.includes(host.name) ? [report] : []),
      ],
      differs: runtime.providers,
    };
  } finally {
    await runtime.close();
  }
}

/** The providers, and what each says when it cannot see, by its name. */
export function noting(providers: Runtime['providers']): {
  readonly providers: Runtime['providers'];
  readonly failed: ReadonlyMap<string, unknown>;
} {
  const failed = new Map<string, unknown>();
  const noted = providers.map((provider) => ({
    ...provider,
    observe: async (...args: Parameters<typeof provider.observe>) => {
      try {
        return await provider.observe(...args);
      } catch (error) {
        failed.set(provider.name, error);
        throw error;
      }
    },
  }));
  return { providers: noted, failed };
}

/** The error of a provider that cannot see, under its own code. */
export function blindness(name: string, error: unknown): PlumbError {
  const { code, message, details } = asPlumbError(error);
  return new PlumbError(code, `${name}: ${message}; a plan needs to see the host`, details, error);
}

/** The knobs that any Tuning names: they are looked at although nobody owns them yet. */
function wantedKnobs({ tunings }: Catalog): readonly `${string}/${string}`[] {
  return [...tunings.values()].flatMap(({ spec }) => [
    ...Object.keys(spec.sysctls).map((key) => `sysctl/${key}` as const),
    ...Object.keys(spec.ovsOtherConfig).map((key) => `ovs-config/${key}` as const),
    ...spec.knobs.filter(({ key }) => key !== RECLAIM_KEY).map(({ key }) => `knob/${key}` as const),
  ]);
}

/** The fleet as its store has it: no host is asked. */
function lookAtFleet(asked: Asked, state: string): Look {
  const runtime = dockerRuntime({}, state);
  void runtime.close(); // it has not been used
  return { ...asked, differs: runtime.providers };
}

/** Names of the hosts that are not heard of: nothing new goes there. */
export function lostOf({ lost = [] }: Known): ReadonlySet<string> {
  return new Set(lost.map(({ host }) => host));
}
