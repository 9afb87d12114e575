import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refOf } from '../../../reconciler/model/ref.ts';
import { createBell } from '../../../reconciler/store/bell.ts';
import { noTrouble } from '../mortal.ts';
import { converge, journals, rest, type Ending } from './end.ts';
import { CONTROLLERS, fleetGit, HOSTS } from './git.ts';
import type { HostName } from './git.ts';
import { lawsOf, servesOn } from './laws.ts';
import { noLineTrouble, type Call } from './line.ts';
import { startAgent, startController, type Alive, type Bend, type Cast } from './parts.ts';
import { rival } from './rival.ts';
import { idOf, told } from './told.ts';
import type { Break, PartName, Setting, Step } from './steps.ts';
import type { MakeGround } from './store.ts';
import { simulatedHost } from '../simulated-host.ts';
import { numbers } from '../store-writer.ts';
import { virtualTime } from '../virtual-time.ts';

/** A whole fleet under way: two controllers, four hosts, a store, and Git. */
export interface Schedule {
  /** Lets it happen, and asserts that no law was broken until its wait is over. */
  take(step: Step): Promise<void>;
  /** All troubles end: it must come to just what Git asks for, and then be at rest. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

const PARTS: readonly PartName[] = [...HOSTS, ...CONTROLLERS];
const SECOND = 1_000;
const MINUTE: number = 60 * SECOND;
/** While an emptied store learns again, no host may be silent for long: one that is not heard within a minute counts as lost with it. */
const LEARNING: number = 100 * SECOND;
const SHORT: number = 8 * SECOND;
/** What only who leads may do. */
const LEADS: ReadonlySet<string> = new Set(['commit', 'assign', 'assignAll', 'post']);
/** Told last when something is wrong. */
const TOLD = 80;

function record<K extends string, V>(names: readonly K[], make: (name: K) => V): Record<K, V> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<K, V>;
}

/** Where state is kept: in memory if there is such a place. */
function newRoot(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'plumb-schedule-'));
}

/** Begins a schedule: all parts run, and Git asks for nothing yet. */
export async function beginSchedule({ seed, skews }: Setting, make: MakeGround, bend: Bend = {}): Promise<Schedule> {
  const time = virtualTime();
  const root = newRoot();
  const began = time.now();
  const notes: string[] = [];
  const wrongs: string[] = [];
  const note = (what: string): void => {
    notes.push(`${((time.now() - began) / 1000).toFixed(2)} ${what}`);
    if (notes.length > TOLD) notes.shift();
  };
  const ground = await make(root, time).catch((error: unknown) => {
    time.end();
    throw error;
  });
  const git = fleetGit();
  const hosts = record(HOSTS, (name) => simulatedHost(join(root, name)));
  const wrong = (what: string): void => {
    note(`WRONG: ${what}`);
    wrongs.push(what);
  };
  const laws = lawsOf(hosts, git, wrong);
  const below = numbers(seed);
  const bell = createBell();
  const alive = new Map<PartName, Alive>();
  /** How wrong the clock of each machine is now. */
  const off = { ...skews };
  /** When a part that died comes back, milliseconds since 1970. */
  const back = new Map<PartName, number>();
  const downFor = record(PARTS, () => 0);
  const requests: Call[] = [];
  let learningUntil = 0;
  const counts = { writes: 0, passes: 0 };

  const cast: Cast = {
    ...{ root, time, ground, git, laws, hosts, bell, bend, wrong, note },
    random: () => below(2 ** 30) / 2 ** 30,
    wallOf: (part) => () => time.now() + off[part],
    lineTrouble: record(PARTS, noLineTrouble),
    hostTrouble: record(HOSTS, () => ({ ...noTrouble(), freed: createBell() })),
    gitAway: record(CONTROLLERS, () => 0),
    asked: (_part, method) => {
      if (method === 'since') counts.passes += 1;
    },
    wrote,
  };

  async function wrote(part: PartName, call: Call): Promise<void> {
    const { method, answer } = call;
    if (!['acquire', 'acquireAll', 'release'].includes(method)) counts.writes += 1;
    const repeated = method === 'commit' && requests.some((one) => idOf(one) === idOf(call));
    if (method === 'commit') {
      requests.push(call);
      laws.reserved(await ground.truth().reservations.snapshot());
    }
    if (!LEADS.has(method)) return;
    note(`${part}: ${told(call)}`);
    // who repeats a request gets its reply, and nothing is written
    const nothing = repeated || (Array.isArray(answer) && !answer.includes(true));
    if (!nothing) await laws.led(part, ground.truth(), method);
  }

  const start = async (part: PartName): Promise<void> => {
    back.delete(part);
    alive.set(part, await (isHost(part) ? startAgent(cast, part) : startController(cast, part)));
    note(`${part} starts`);
  };

  async function bury(part: PartName): Promise<void> {
    const one = alive.get(part);
    alive.delete(part);
    await one?.bury();
  }

  /** Who died is buried, and who is due comes back. */
  async function tend(): Promise<void> {
    for (const [part, { life }] of [...alive])
      if (life.dead()) {
        note(`${part} died`);
        await bury(part);
        const down = Math.min(downFor[part], isHost(part) && time.now() < learningUntil ? SHORT : Infinity);
        back.set(part, time.now() + down);
      }
    for (const [part, at] of [...back]) if (at <= time.now()) await start(part);
  }

  const someDead = (): boolean => [...alive.values()].some(({ life }) => life.dead());

  /** Lets time go by, or less if the condition comes true; meanwhile parts die and come back. */
  async function pass(ms: number, until: () => boolean = () => false): Promise<boolean> {
    for (const end = time.now() + ms; ;) {
      await tend();
      const next = Math.min(end, ...back.values());
      const met = await time.pass(next - time.now(), () => someDead() || until() || wrongs.length > 0);
      if (until() || wrongs.length > 0) return true;
      if (!met && time.now() >= end) break;
    }
    await tend();
    return false;
  }

  /** What a promise brings, while time goes by. */
  async function answer<T>(promise: Promise<T>, what: string, ms = 3 * MINUTE): Promise<T> {
    let answered = false;
    const over = (): void => void (answered = true);
    promise.then(over, over);
    await pass(ms, () => answered);
    assert.ok(answered || wrongs.length > 0, `${what} does not end`);
    return promise;
  }

  function check(): void {
    laws.look();
    assert.deepEqual(wrongs, [], notes.join('\n'));
  }

  async function halt(part: PartName): Promise<void> {
    const one = alive.get(part);
    if (!one) return;
    one.stop();
    let ended = false;
    one.ended.then(
      () => (ended = true),
      () => (ended = true),
    );
    await time.pass(15 * MINUTE, () => ended || one.life.dead());
    if (!one.life.dead()) assert.ok(ended, `${part} does not stop`);
    await bury(part);
  }

  function breakBy(of: Break, replica: string): void {
    for (const name of HOSTS) {
      if (!hosts[name].get(refOf('container', replica))) continue;
      const served = servesOn(hosts[name], replica);
      if (of === 'exited') hosts[name].edit(refOf('container', replica), { status: 'exited', exitCode: 1 });
      else hosts[name].remove(refOf(of.slice(3), replica));
      if (served) laws.broken(replica);
    }
  }

  /** No part gets through to the store for so long, while it ends and begins again. */
  async function outage(ms: number, again: () => Promise<void>): Promise<void> {
    for (const part of PARTS) {
      const trouble = cast.lineTrouble[part];
      trouble.cutUntil = Math.max(trouble.cutUntil, time.now() + ms);
    }
    await time.still();
    await time.work(again());
  }

  async function empty(ms: number): Promise<void> {
    for (const part of HOSTS) {
      cast.lineTrouble[part].cutUntil = 0;
      if (!alive.has(part)) await start(part);
    }
    learningUntil = time.now() + ms + LEARNING;
    requests.length = 0;
    await outage(ms, async () => {
      await ground.empty();
      laws.forget();
    });
  }

  /** A request that was decided is sent once more: nothing changes. */
  async function replay(pick: number): Promise<void> {
    const call = requests.at(-1 - (pick % Math.max(1, requests.length)));
    if (!call) return;
    const { reservations } = ground.truth();
    const before = await reservations.snapshot();
    const again = await reservations
      .commit(...(call.args as Parameters<typeof reservations.commit>))
      .catch(() => call.answer);
    assert.deepEqual(again, call.answer, 'a request that is repeated gets the same reply');
    assert.deepEqual(await reservations.snapshot(), before, 'a request that is repeated changes nothing');
  }

  async function happen(step: Step): Promise<void> {
    const now = git.head();
    const learning = time.now() < learningUntil;
    switch (step.what) {
      case 'commit': {
        const { [step.app]: _before, ...others } = now.apps;
        git.revisions.push({ ...now, apps: step.wish ? { ...others, [step.app]: step.wish } : others });
        return;
      }
      case 'drain': {
        const without = now.drained.filter((name) => name !== step.host);
        const undone = without.length < now.drained.length;
        // half of the hosts take what all had
        git.revisions.push({ ...now, drained: undone ? without : [...without.slice(-1), step.host] });
        return;
      }
      case 'crash':
        downFor[step.part] = step.down;
        alive.get(step.part)?.life.dieAt(step.at);
        return;
      case 'restart':
        if (!alive.has(step.part)) return;
        await halt(step.part);
        return start(step.part);
      case 'stop':
        cast.lineTrouble[step.part].stop = { before: step.before, ms: step.ms };
        return;
      case 'clock':
        off[step.part] += step.by;
        return;
      case 'cut':
        cast.lineTrouble[step.part].cutUntil =
          time.now() + (learning && isHost(step.part) ? Math.min(step.ms, SHORT) : step.ms);
        return;
      case 'lossy':
        cast.lineTrouble[step.part].lost = step.calls;
        return;
      case 'late':
        cast.lineTrouble[step.part].late = true;
        return;
      case 'store restarts':
        return outage(step.ms, () => ground.restart());
      case 'store emptied':
        return empty(step.ms);
      case 'replay':
        return time.work(replay(step.pick));
      case 'rivals':
        if (step.wishes) git.revisions.push({ ...now, apps: { ...now.apps, ...step.wishes } });
        return time.work(rivals(step.count));
      case 'break':
        return breakBy(step.of, step.replica);
      case 'mishaps':
        cast.hostTrouble[step.part].mishaps.set(step.kind, [...step.how]);
        return;
      case 'git away':
        cast.gitAway[step.part] = time.now() + step.ms;
        return;
    }
  }

  /** Other schedulers place at once what Git asks for. */
  async function rivals(count: number): Promise<void> {
    if (time.now() < learningUntil) return;
    const id = `rival-${String(git.revisions.length)}-${String(time.now())}`;
    const each = Array.from({ length: count }, (_none, at) => rival(ground, git, time.now(), { id, at, count }));
    const commits = await Promise.all(each);
    await Promise.all(commits.map((commit) => commit()));
    laws.reserved(await ground.truth().reservations.snapshot());
    bell.ring();
  }

  function endTroubles(): void {
    for (const part of PARTS) {
      Object.assign(cast.lineTrouble[part], noLineTrouble());
      alive.get(part)?.life.dieAt(Infinity);
      downFor[part] = 0;
    }
    for (const { mishaps, freed } of Object.values(cast.hostTrouble)) {
      mishaps.clear();
      freed?.ring();
    }
    for (const name of CONTROLLERS) cast.gitAway[name] = 0;
    for (const part of back.keys()) back.set(part, time.now());
  }

  const ending: Ending = { cast, alive, counts, notes, pass, answer, check };

  const schedule: Schedule = {
    take: async (step) => {
      note(JSON.stringify(step));
      await tend();
      await happen(step);
      await pass(step.wait);
      check();
    },
    finish: async () => {
      note('all troubles end');
      endTroubles();
      await tend();
      const apps = Object.entries(git.head().apps).map(
        ([name, { careful, replicas }], at) =>
          [name, { replicas, image: `img:last-${String(at)}`, cpu: 200, careful }] as const,
      );
      git.revisions.push({
        apps: Object.fromEntries(apps),
        drained: git
          .head()
          .drained.slice(0, 1)
          .filter(() => fits(apps)),
      });
      await converge(ending);
      await rest(ending);
      await journals(ending);
    },
    close: async () => {
      for (const part of [...alive.keys()]) await bury(part);
      await ground.close();
      time.end();
      rmSync(root, { recursive: true, force: true });
    },
  };
  try {
    for (const part of PARTS) await start(part);
    await pass(5 * SECOND);
    check();
  } catch (error) {
    await schedule.close();
    throw error;
  }
  return schedule;
}

/** Whether all find room with one host drained: one App may have a replica on each host only. */
function fits(apps: readonly (readonly [string, { readonly replicas: number }])[]): boolean {
  return apps.every(([name, { replicas }]) => name !== 'a' || replicas < HOSTS.length);
}

function isHost(part: PartName): part is HostName {
  return (HOSTS as readonly string[]).includes(part);
}
