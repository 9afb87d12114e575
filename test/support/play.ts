import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simulatedRuntime, type Runtime } from '../../cli/runtime.ts';
import type { Fetched, Repository } from '../../reconciler/loop/controller/repository.ts';
import { createHealth } from '../../reconciler/loop/agent/health.ts';
import { createUp, type Up, type UpOptions } from '../../reconciler/loop/up.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { refOf } from '../../reconciler/model/ref.ts';
import type { Store } from '../../reconciler/model/store.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { reportOf } from './catalog.ts';
import { mortal, noTrouble, type Mortal } from './mortal.ts';
import { assertExact, assertOutcomes, assertPlausible, budget, untouched, type Scene } from './expected.ts';
import { simulatedHost } from './simulated-host.ts';
import type { Drift, Step, Story } from './story.ts';
import { virtualTime, type VirtualTime } from './virtual-time.ts';
import { catalogOfWishes, KNOB, type Wishes } from './wishes.ts';

/** A loop that is broken on purpose: what it works on is bent, or something works beside it. */
export type Sabotage = (options: UpOptions, signal: AbortSignal) => UpOptions;

const MINUTE = 60_000;
/** A change that hangs is given up after ten minutes. */
const LONG: number = 15 * MINUTE;

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** Numbers from 0 to 1 that follow from a seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A Git repository in memory. */
interface Git {
  readonly revisions: Wishes[];
  /** Cannot be reached until then. */
  away: number;
  /** Last revision that was fetched. */
  mirrored: number | undefined;
}

function repositoryOf(git: Git, time: VirtualTime): Repository {
  let previous: Catalog | undefined;
  return {
    fetch: () => {
      const away = git.away > time.now();
      if (!away) git.mirrored = git.revisions.length - 1;
      if (git.mirrored === undefined) throw new PlumbError('SOURCE_UNREACHABLE', 'Git is away');
      const error = away ? { error: 'Git is away' } : {};
      const revision = `r${String(git.mirrored)}`;
      const fetched: Fetched = { url: 'u', ref: 'main', revision, fetchedAt: time.now(), notes: [], ...error };
      return Promise.resolve(fetched);
    },
    catalog: (revision) => {
      previous = catalogOfWishes(git.revisions[Number(revision.slice(1))] ?? { apps: {} }, revision, previous);
      return Promise.resolve(previous);
    },
    commit: () => Promise.resolve({ author: 'Ann', subject: 'Change' }),
  };
}

/** An `up` that runs. */
interface Alive {
  readonly up: Up;
  readonly life: Mortal;
  readonly store: Store;
  readonly runtime: Runtime;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Plays a story, lets its troubles end and asserts that the loop then has done all that it promises. */
export async function play({ seed, steps }: Story, sabotage: Sabotage = (options) => options): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-story-'));
  const time = virtualTime();
  const random = randomFrom(seed);
  const host = simulatedHost(dir);
  const git: Git = { revisions: [{ apps: {} }], away: 0, mirrored: undefined };
  const trouble = noTrouble();
  const wrongs: string[] = [];
  let allowed = false;
  let alive: Alive | undefined;

  async function start(): Promise<Alive> {
    const store = await openEmbedded(dir, { clock: time.now });
    await assertOutcomes(store);
    const runtime = simulatedRuntime(dir);
    const [provider] = runtime.providers;
    assert.ok(provider);
    const inner = { store, provider, repository: repositoryOf(git, time) };
    const life = mortal(inner, {
      time,
      trouble,
      random,
      budget: (placed) => (allowed ? Infinity : budget(placed)),
      wrong: (what) => wrongs.push(what),
    });
    const stop = new AbortController();
    const clock = { now: time.now, after: (ms: number, call: () => void) => later(call, ms) };
    const options: UpOptions = {
      host: 'h1',
      facts: reportOf('h1', { pids: 65_536 }).facts,
      repository: life.repository,
      store: life.store,
      agent: {
        providers: [life.provider],
        health: (onChange) => createHealth({ prober: runtime.prober, clock, random, onChange }),
      },
      allowDeletions: false,
      clock: time.now,
      random,
      log: quiet,
    };
    const up = createUp(sabotage(options, stop.signal));
    return { up, life, store, runtime, stop, ended: up.run(stop.signal) };
  }

  async function bury({ life, runtime, store }: Alive): Promise<void> {
    life.die();
    await time.still();
    await runtime.close();
    await store.close();
  }

  async function halt(one: Alive): Promise<void> {
    one.stop.abort();
    await answer(one.ended, one, 'a graceful stop');
    await bury(one);
  }

  /** The answer of something that takes time; undefined if the process dies meanwhile. */
  async function answer<T>(promise: Promise<T>, { life }: Alive, what: string): Promise<T | undefined> {
    let answered = false;
    const over = (): void => void (answered = true);
    promise.then(over, over);
    await time.pass(LONG, () => answered || life.dead());
    if (life.dead()) return undefined;
    assert.ok(answered, `${what} does not end`);
    return promise;
  }

  async function living(): Promise<Alive> {
    if (alive?.life.dead() === true) {
      await bury(alive);
      alive = undefined;
    }
    return (alive ??= await start());
  }

  async function take(step: Step): Promise<void> {
    const now = git.revisions.at(-1) ?? { apps: {} };
    const until = (ms: number): number => time.now() + ms;
    switch (step.what) {
      case 'commit': {
        const { [step.app]: _before, ...others } = now.apps;
        git.revisions.push({ ...now, apps: step.wish ? { ...others, [step.app]: step.wish } : others });
        break;
      }
      case 'knob': {
        const { apps } = now;
        git.revisions.push(step.value === undefined ? { apps } : { apps, knob: step.value });
        break;
      }
      case 'drift':
        drift(step.of, step.replica);
        break;
      case 'blind':
        trouble.blind.set(step.kind, until(step.ms));
        break;
      case 'mishaps':
        trouble.mishaps.set(step.kind, [...step.how]);
        break;
      case 'full':
        trouble.full.set(step.part, until(step.ms));
        break;
      case 'git away':
        git.away = until(step.ms);
        break;
      case 'crash':
        alive?.life.dieAt(step.at);
        break;
      case 'restart':
        if (alive) await halt(alive);
        alive = undefined;
        break;
    }
    const { life } = await living();
    await time.pass(step.wait, life.dead);
    await living();
    assert.deepEqual(wrongs, []);
  }

  function drift(of: Drift, replica: string): void {
    const knob = refOf('sysctl', KNOB);
    switch (of) {
      case 'no container':
      case 'no sandbox':
      case 'no port':
        host.remove(refOf(of.slice(3), replica));
        break;
      case 'exited':
        host.edit(refOf('container', replica), { status: 'exited', exitCode: 1 });
        break;
      case 'vlan':
        host.edit(refOf('port', replica), { vlan: 999 });
        break;
      case 'memory':
        host.edit(refOf('cgroup', replica), { memory: 1 });
        break;
      case 'knob':
        host.edit(knob, { value: '9' });
        break;
    }
  }

  /** Waits until the check no longer throws. */
  async function until(what: string, check: (scene: Scene) => void): Promise<void> {
    for (const end = time.now() + LONG; ;) {
      const one = await living();
      const scene = await answer(sceneOf(one), one, 'status');
      try {
        assert.ok(scene);
        check(scene);
        return;
      } catch (error) {
        if (time.now() > end)
          throw new Error(`not ${what}: ${(error as Error).message}\n${scene ? told(scene) : ''}`, { cause: error });
      }
      await time.pass(2_000);
    }
  }

  async function sceneOf({ up }: Alive): Promise<Scene> {
    const [status, known] = await Promise.all([up.view.status(), up.view.known()]);
    const wishes = git.revisions.at(-1) ?? { apps: {} };
    return { status, placements: known.snapshot.placements, wishes, revision: git.revisions.length - 1, host };
  }

  /** Nothing waits for an outcome to be on the disk: the last may be on its way there when the host is as it is to be. */
  async function outcomesOf({ store, life }: Alive): Promise<void> {
    for (let tries = 1; ; tries += 1)
      try {
        await assertOutcomes(store, life.untold);
        return;
      } catch (error) {
        if (tries === 10) throw error;
        await time.pass(1_000);
      }
  }

  /** All that is kept: the size of the store's and the journal's files, and the things of the host. */
  const kept = (): string => {
    const sizes = readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.startsWith('simulated'))
      .sort()
      .map((name) => `${name} ${String(statSync(join(dir, name)).size)}`);
    return [...sizes, host.text()].join('\n');
  };

  try {
    untouched.forEach((thing) => host.put(thing));
    alive = await start();
    for (const step of steps) await take(step);
    for (const list of Object.values(trouble)) (list as Map<string, unknown>).clear();
    git.away = 0;
    alive.life.dieAt(Infinity);
    await until('as the last revision allows', assertPlausible);

    const wishes = git.revisions.at(-1) ?? { apps: {} };
    const mended = Object.entries(wishes.apps).map(([name, { broken: _broken, ...wish }]) => [name, wish] as const);
    git.revisions.push({ ...wishes, apps: Object.fromEntries(mended) });
    allowed = true;
    let one = await living();
    await answer(one.up.view.settle(new AbortController().signal, true), one, 'settling');
    await until('exactly as mended', assertExact);
    assert.deepEqual(wrongs, []);
    await outcomesOf(one);

    drift('no container', 'a-0');
    drift('knob', '');
    await answer(one.up.view.settle(new AbortController().signal), one, 'settling after drift');
    const settled = await answer(sceneOf(one), one, 'status');
    assert.ok(settled);
    assertExact(settled);

    // a look at everything after the last change: what it says of a bridge counts ports
    await time.pass(MINUTE);
    const before = kept();
    await answer(one.up.view.settle(new AbortController().signal), one, 'settling again');
    await time.pass(2 * MINUTE);
    assert.equal(kept(), before, 'something was written although nothing was to be done');

    const changes = await intents(one.store);
    await halt(one);
    alive = one = await start();
    await until('exactly as before the restart', assertExact);
    assert.equal(await intents(one.store), changes, 'a restart changed something');
    await halt(one);
    alive = undefined;
    assert.deepEqual(wrongs, []);
  } finally {
    if (alive) await bury(alive);
    time.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

function told({ status, wishes }: Scene): string {
  const { items, held, messages, problems } = status;
  const lines = items.map(({ ref, sync, health, reason }) => `${ref} ${sync} ${health} ${reason}`);
  return [JSON.stringify(wishes), ...lines, `${String(problems)} problems`, ...held, ...messages].join('\n');
}

async function intents({ journal }: Store): Promise<number> {
  let count = 0;
  for await (const _entry of journal.read({ types: ['intent'] })) count += 1;
  return count;
}

function later(call: () => void, ms: number): () => void {
  const timer = setTimeout(call, ms);
  return () => {
    clearTimeout(timer);
  };
}
