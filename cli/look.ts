import { identify } from '../reconciler/loop/identify.ts';
import type { Known } from '../reconciler/loop/view.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import type { Observed } from '../reconciler/model/change.ts';
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
import { storedKnown } from './stored.ts';
import { withView, type Looking } from './view.ts';

/** The world as plan and explain need it. */
export interface Look {
  readonly known: Known;
  readonly observed: ReadonlyMap<string, readonly Observed[]>;
  readonly differs: Runtime['providers'];
}

/**
 * What is there: told by what was asked, a fleet's store or a running `up`; else what the state directory remembers, and a live
 * look at this machine.
 */
export async function lookAround(
  options: UpFlags & StoreFlags,
  catalog: Catalog,
  running: Known | undefined,
  io: Io,
): Promise<Look> {
  const { state } = pathsOf(options, io);
  if (running && askedStore(options, io) !== undefined) return lookAtFleet(running, state);
  const facts = await factsOf(options.simulated === true);
  const known = running ?? (await storedKnown(state));
  const observed = observedOf(known);
  // what a running up knows needs no machine of ours: it may be asked from elsewhere
  const reporting = running
    ? known.reports[0]
    : known.reports.find(({ facts: { machineId } }) => machineId === facts.machineId);
  const host = identify(catalog, facts, options.host ?? reporting?.host);
  const runtime = runtimeOf(options, catalog, host, state);
  try {
    if (running) return { known, observed, differs: runtime.providers };
    const world = createWorld();
    const signal = AbortSignal.any([io.signal, AbortSignal.timeout(30_000)]);
    const context = { signal, fleet: catalog.fleet.name, world, wanted: wantedKnobs(catalog) };
    const { providers, failed } = noting(runtime.providers);
    await observeInto(world, providers, context, []);
    const [silent] = failed;
    if (silent) throw blindness(...silent);
    observed.set(host.name, world.all());
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
    const reports = [...known.reports.filter((other) => other.host !== host.name), report];
    return { known: { ...known, reports }, observed, differs: runtime.providers };
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
function lookAtFleet(known: Known, state: string): Look {
  const runtime = dockerRuntime({}, state);
  void runtime.close(); // it has not been used
  return { known, observed: observedOf(known), differs: runtime.providers };
}

function observedOf({ reports }: Known): Map<string, readonly Observed[]> {
  return new Map(reports.map((report) => [report.host, report.observed]));
}

/** What the fleet's store or a running `up` knows; undefined when none runs. */
export async function knownOfRunning(options: Looking, io: Io): Promise<Known | undefined> {
  try {
    return await withView(options, io, (view) => view.known());
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  }
}

/** Names of the hosts that are not heard of: nothing new goes there. */
export function lostOf({ lost = [] }: Known): ReadonlySet<string> {
  return new Set(lost.map(({ host }) => host));
}
