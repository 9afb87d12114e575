import assert from 'node:assert/strict';
import { simulatedRuntime } from '../../cli/runtime.ts';
import { createFleetAgent, type FleetAgent } from '../../reconciler/loop/fleet-agent.ts';
import { createHealth } from '../../reconciler/loop/agent/health.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { FleetStore, HostStore } from '../../reconciler/model/store.ts';
import { reportOf } from './catalog.ts';
import { simulatedHost, type SimulatedHost } from './simulated-host.ts';

/** A real agent on a simulated host whose changes may take long. */
export interface ToldRig {
  readonly agent: FleetAgent;
  readonly host: SimulatedHost;
  /** The next change of a ref hangs until all go on. */
  readonly hang: (ref: Ref) => void;
  /** Such changes that are under way. */
  readonly hanging: ReadonlySet<Ref>;
  goOn(): void;
  readonly serve: (replica: string, ready: boolean) => void;
  close(): Promise<void>;
}

export interface ToldRigOptions {
  /** State directory of the host. */
  readonly dir: string;
  readonly far: Pick<FleetStore, 'mailbox' | 'leases' | 'journals' | 'onBack'>;
  readonly near: HostStore;
  readonly clock: () => number;
  /** Takes the place of the file system's own watch where time is virtual. */
  readonly watch?: (ctx: Context) => AsyncIterable<Ref>;
}

function later(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => {
    clearTimeout(timer);
  };
}

export function toldRig({ dir, far, near, clock, watch }: ToldRigOptions): ToldRig {
  const runtime = simulatedRuntime(dir);
  const [simulated] = runtime.providers;
  assert.ok(simulated);
  const host = simulatedHost(dir);
  const slow = new Set<Ref>();
  const hanging = new Set<Ref>();
  let free = (): void => undefined;
  const freed = new Promise<void>((resolve) => (free = resolve));
  const provider: typeof simulated = {
    ...simulated,
    ...(watch ? { watch } : {}),
    apply: async (change, ctx) => {
      if (slow.delete(change.ref)) {
        hanging.add(change.ref);
        await freed;
      }
      return simulated.apply(change, ctx);
    },
  };
  const random = (): number => 0.5;
  const agent = createFleetAgent({
    host: 'h1',
    holder: 'h1/1',
    facts: reportOf('h1').facts,
    far,
    near,
    agent: {
      providers: [provider],
      health: (onChange) =>
        createHealth({ prober: runtime.prober, clock: { now: clock, after: later }, random, onChange }),
    },
    clock,
    random,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
  });
  return {
    agent,
    host,
    hang: (ref) => void slow.add(ref),
    hanging,
    goOn: () => {
      slow.clear();
      free();
    },
    serve: (replica, ready) => {
      const thing = host.get(`container/${replica}`);
      if (thing) host.put({ ...thing, ready } as typeof thing);
    },
    close: () => runtime.close(),
  };
}
