import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { simulatedRuntime } from '../../cli/runtime.ts';
import type { compile } from '../../reconciler/compile/compile.ts';
import type { Log } from '../../reconciler/loop/log.ts';
import type { createFleetAgent } from '../../reconciler/loop/fleet-agent.ts';
import type { createFleetController, FleetController } from '../../reconciler/loop/fleet-controller.ts';
import type { createHealth } from '../../reconciler/loop/agent/health.ts';
import type { HostFacts } from '../../reconciler/model/replica.ts';
import type { FleetStore, HostStore, Store } from '../../reconciler/model/store.ts';
import type { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import type { openRedis } from '../../reconciler/store/redis/redis.ts';

/** What controllers and agents are made of: of this version, or of another one's build. */
interface Version {
  readonly simulatedRuntime: typeof simulatedRuntime;
  readonly compile: typeof compile;
  readonly createFleetAgent: typeof createFleetAgent;
  readonly createFleetController: typeof createFleetController;
  readonly createHealth: typeof createHealth;
  readonly openEmbedded: typeof openEmbedded;
  readonly openRedis: typeof openRedis;
}

/** Loads the modules of a built Plumbline from its `dist`. */
export async function versionAt(dist: string): Promise<Version> {
  const load = (path: string): Promise<object> => import(pathToFileURL(join(dist, path)).href) as Promise<object>;
  const parts = await Promise.all(
    [
      'cli/runtime.js',
      'reconciler/compile/compile.js',
      'reconciler/loop/fleet-agent.js',
      'reconciler/loop/fleet-controller.js',
      'reconciler/loop/agent/health.js',
      'reconciler/store/embedded/embedded.js',
      'reconciler/store/redis/redis.js',
    ].map(load),
  );
  return Object.assign({}, ...parts) as Version;
}

/** Something that runs. */
export interface Part {
  /** Rejects with what ended it. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** A fleet in this process, over a real Redis, on simulated hosts. */
export interface FleetRig {
  /** Commits one file of manifests; gives its revision. */
  commit(text: string): string;
  controller(name: string, version: Version): Promise<Part & Pick<FleetController, 'view'>>;
  agent(host: string, version: Version): Promise<Part>;
  close(): Promise<void>;
}

export interface FleetRigOptions {
  /** Holds a state directory for each host. */
  readonly dir: string;
  readonly url: string;
  readonly log?: Log;
}

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** A machine of four cores and four gibibytes. */
function factsOf(hostname: string): HostFacts {
  const capacity = { cpu: 4000, memory: 4 * 2 ** 30, pids: 4096 };
  return { hostname, machineId: hostname, addresses: [], capacity, kernel: '6.1.0', cgroup: 'v2' };
}

function started(run: (signal: AbortSignal) => Promise<void>, close: () => Promise<void>): Part {
  const stop = new AbortController();
  const ended = run(stop.signal);
  ended.catch(() => undefined);
  let closing: Promise<void> | undefined;
  return {
    ended,
    stop: () => {
      stop.abort();
      return (closing ??= ended.catch(() => undefined).then(close));
    },
  };
}

export function fleetRig({ dir, url, log = quiet }: FleetRigOptions): FleetRig {
  const parts: Part[] = [];
  let text = '';
  const revisionOf = (): string => createHash('sha1').update(text).digest('hex');
  const clock = {
    now: Date.now,
    after: (ms: number, call: () => void) => {
      const timer = setTimeout(call, ms);
      return () => {
        clearTimeout(timer);
      };
    },
  };
  return {
    commit: (next) => {
      text = next;
      return revisionOf();
    },
    controller: async (name, version) => {
      const store: FleetStore = await version.openRedis(url, { clock: Date.now, writer: `controller-${name}` });
      const near: Store = await version.openEmbedded(join(dir, `controller-${name}`), { clock: Date.now });
      const controller = version.createFleetController({
        holder: `${name}/1`,
        repository: {
          fetch: () =>
            Promise.resolve({ url: 'git', ref: 'main', revision: revisionOf(), fetchedAt: Date.now(), notes: [] }),
          catalog: (revision) => {
            const bytes = Buffer.from(text);
            return Promise.resolve(version.compile([{ path: 'all.yaml', blob: revision, bytes }], revision));
          },
          commit: () => Promise.resolve({ author: 'Ann', subject: 'Change' }),
        },
        store,
        journal: near.journal,
        allowDeletions: true,
        clock: Date.now,
        log,
      });
      const part = started(
        (signal) => controller.run(signal),
        async () => {
          await store.close();
          await near.close();
        },
      );
      parts.push(part);
      return { ...part, view: controller.view };
    },
    agent: async (host, version) => {
      const state = join(dir, host);
      const near: HostStore = await version.openEmbedded(state, { clock: Date.now });
      const far: FleetStore = await version.openRedis(url, { clock: Date.now, writer: host, host });
      const runtime = version.simulatedRuntime(state);
      const agent = version.createFleetAgent({
        host,
        holder: `${host}/1`,
        facts: factsOf(host),
        far,
        near,
        agent: {
          providers: runtime.providers,
          health: (onChange) => version.createHealth({ prober: runtime.prober, clock, random: Math.random, onChange }),
        },
        clock: Date.now,
        random: Math.random,
        log,
      });
      const part = started(
        (signal) => agent.run(signal),
        async () => {
          await runtime.close();
          await near.close();
          await far.close();
        },
      );
      parts.push(part);
      return part;
    },
    close: async () => {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}
