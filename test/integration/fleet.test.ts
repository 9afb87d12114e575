import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { simulatedRuntime } from '../../cli/runtime.ts';
import { createFleetAgent } from '../../reconciler/loop/fleet-agent.ts';
import { createFleetController } from '../../reconciler/loop/fleet-controller.ts';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import type { Journals, Store } from '../../reconciler/model/store.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { appSpec, catalogOf, reportOf } from '../support/catalog.ts';

/** Copies of journals that go nowhere. */
const NO_COPIES: Journals = {
  writers: () => Promise.resolve([]),
  of: () => {
    throw new Error('nobody reads here');
  },
  head: () => Promise.resolve({ seq: 0, hash: '' }),
  mirror: (entries) => Promise.resolve({ seq: 0, hash: entries.at(-1)?.hash ?? '' }),
};

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };

interface Running {
  stop(): Promise<void>;
}

describe('a fleet of two hosts over one store', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-fleet-'));
  let far: Store;
  /** What the agents see of it: nothing while it is cut. */
  let cut = false;
  let catalog: Catalog;
  const started: Running[] = [];

  const sketch = (revision: string, replicas: number, image = 'plumbline/busybox:1'): Catalog =>
    catalogOf({
      apps: { web: appSpec({ replicas, image, spread: { host: 3 } }) },
      hosts: { h1: {}, h2: {} },
      revision,
    });

  const start = (
    run: (signal: AbortSignal) => Promise<void>,
    close: () => Promise<void> = async () => undefined,
  ): Running => {
    const stop = new AbortController();
    const running = run(stop.signal);
    running.catch(() => undefined);
    const one = {
      stop: async () => {
        stop.abort();
        await running.finally(close);
      },
    };
    started.push(one);
    return one;
  };

  const guarded = <T extends object>(port: T): T =>
    new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        if (name === 'follow') return method;
        return (...args: unknown[]) => (cut ? Promise.reject(new Error('cut')) : method.apply(target, args));
      },
    });

  const startController = (holder: string): Running & { status(): Promise<Status> } => {
    const controller = createFleetController({
      holder,
      repository: {
        fetch: () =>
          Promise.resolve({ url: 'u', ref: 'main', revision: catalog.revision, fetchedAt: Date.now(), notes: [] }),
        catalog: () => Promise.resolve(catalog),
        commit: () => Promise.resolve({ author: 'Ann', subject: 'change' }),
      },
      store: { ...far, journals: NO_COPIES, onBack: () => undefined },
      journal: far.journal,
      allowDeletions: false,
      clock: Date.now,
      log: quiet,
    });
    return { ...start((signal) => controller.run(signal)), status: () => controller.view.status() };
  };

  const startAgent = async (host: string, holder = `agent-${host}`): Promise<Running & { ended: Promise<void> }> => {
    const state = join(dir, `${host}-${holder}`);
    const near = await openEmbedded(state, { clock: Date.now });
    const runtime = simulatedRuntime(state);
    const agent = createFleetAgent({
      host,
      holder,
      facts: reportOf(host).facts,
      far: {
        mailbox: guarded(far.mailbox),
        leases: guarded(far.leases),
        journals: NO_COPIES,
        onBack: () => undefined,
      },
      near,
      agent: {
        providers: runtime.providers,
        health: () => ({
          set: () => undefined,
          get: () => ({ started: true, ready: true, unhealthy: false, message: '', since: 0, streaks: {} }),
          stop: () => undefined,
        }),
      },
      clock: Date.now,
      random: Math.random,
      log: quiet,
    });
    let ended: Promise<void> = Promise.resolve();
    const running = start(
      (signal) => (ended = agent.run(signal)),
      async () => {
        await runtime.close();
        await near.close();
      },
    );
    return { ...running, ended };
  };

  const until = async (what: string, look: () => Promise<boolean>, seconds = 120): Promise<void> => {
    for (const end = Date.now() + seconds * 1000; !(await look());) {
      assert.ok(Date.now() < end, `${what}: not within ${String(seconds)} s`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const good = async (view: { status(): Promise<Status> }, revision: string, replicas: number): Promise<boolean> => {
    const { sync, health, items, ...rest } = await view.status();
    return sync === 'Synced' && health === 'Healthy' && rest.revision === revision && items.length === replicas;
  };

  before(async () => {
    far = await openEmbedded(join(dir, 'far'), { clock: Date.now });
  });
  after(async () => {
    await Promise.allSettled(started.map((one) => one.stop()));
    await far.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('converges, hands the lead on, and loses and finds a host', async () => {
    catalog = sketch('r1', 4);
    const first = startController('c1');
    await startAgent('h1');
    const second = await startAgent('h2');
    await until('converged', () => good(first, 'r1', 4));
    const hosts = (await first.status()).items.map(({ host }) => host);
    assert.deepEqual([...new Set(hosts)].sort(), ['h1', 'h2'], 'spread over both');

    const other = startController('c2');
    await until('seen by who stands by', () => good(other, 'r1', 4));
    await first.stop();
    catalog = sketch('r2', 5);
    await until('taken over', () => good(other, 'r2', 5));

    await second.stop();
    await until('lost', async () => {
      const { items, health, messages } = await other.status();
      return (
        health === 'Degraded' &&
        messages.some((text) => text.startsWith('host h2 is not heard of')) &&
        items.some(({ reason }) => reason.startsWith('Lost: h2'))
      );
    });
    await startAgent('h2');
    await until('back', () => good(other, 'r2', 5));
  });

  it('an agent cut off from the store keeps to its last Assignment, also over a restart, and catches up', async () => {
    cut = true;
    const state = join(dir, 'h1-agent-h1');
    await started[1]?.stop();
    const file = join(state, 'simulated/container');
    const { readdirSync, rmSync: remove } = await import('node:fs');
    const [mine = ''] = readdirSync(file);
    remove(join(file, mine));
    await startAgent('h1');
    await until('made again without the store', () => Promise.resolve(readdirSync(file).includes(mine)));
    catalog = sketch('r3', 6);
    cut = false;
    const watcher = startController('c3');
    await until('caught up', () => good(watcher, 'r3', 6));
  });

  it('a second agent for one host ends and names the first', async () => {
    const twin = await startAgent('h1', 'twin');
    await assert.rejects(twin.ended, /the agent agent-h1 speaks for host h1 already.*--host/);
  });
});
