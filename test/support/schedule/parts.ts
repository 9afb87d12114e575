import assert from 'node:assert/strict';
import { join } from 'node:path';
import { simulatedRuntime } from '../../../cli/runtime.ts';
import { steadyClock } from '../../../reconciler/loop/clock.ts';
import { createFleetAgent } from '../../../reconciler/loop/fleet-agent.ts';
import { createFleetController } from '../../../reconciler/loop/fleet-controller.ts';
import { createHealth } from '../../../reconciler/loop/agent/health.ts';
import type { Repository } from '../../../reconciler/loop/controller/repository.ts';
import { CONTROLLER_WRITER, type LocalView } from '../../../reconciler/loop/status/view.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import type { FleetStore, Journal, Mailbox } from '../../../reconciler/model/store.ts';
import type { Bell } from '../../../reconciler/store/bell.ts';
import { journalDirectory, openEmbedded } from '../../../reconciler/store/embedded/embedded.ts';
import { openJournal } from '../../../reconciler/store/journal/journal.ts';
import { createReopening } from '../../../reconciler/store/reopening.ts';
import { reportOf } from '../catalog.ts';
import { assertOutcomes } from '../expected.ts';
import { createLife, mortal, type Life, type Trouble } from '../mortal.ts';
import type { ControllerName, FleetGit, HostName } from './git.ts';
import { lawful, probing } from './host.ts';
import type { Laws } from './laws.ts';
import { lineTo, type Call, type LineTrouble } from './line.ts';
import type { PartName } from './steps.ts';
import type { Ground } from './store.ts';
import type { SimulatedHost } from '../simulated-host.ts';
import type { VirtualTime } from '../virtual-time.ts';

/** A process of the fleet that runs. */
export interface Alive {
  readonly life: Life;
  readonly view: LocalView;
  /** Its own journal, which is the one that counts, and whose it is. */
  readonly journal: Pick<Journal, 'read' | 'verify'>;
  readonly writer: string;
  /** Asks it to end. */
  stop(): void;
  readonly ended: Promise<void>;
  /** Closes what it leaves open. */
  bury(): Promise<void>;
}

/** How a part may be broken on purpose. */
export interface Bend {
  /** The fleet's store as a part sees it. */
  readonly far?: (store: FleetStore, part: PartName) => FleetStore;
  /** What a host keeps of it. */
  readonly near?: (mailbox: Mailbox) => Mailbox;
  /** By what a process reckons time, given the time of day as its machine has it. */
  readonly clock?: (wall: () => number) => () => number;
  /** What a controller makes of Git. */
  readonly catalog?: (catalog: Catalog) => Catalog;
}

/** All that the parts of a fleet share. */
export interface Cast {
  readonly root: string;
  readonly time: VirtualTime;
  readonly ground: Ground;
  readonly git: FleetGit;
  readonly laws: Laws;
  readonly hosts: Readonly<Record<HostName, SimulatedHost>>;
  readonly bell: Bell;
  readonly random: () => number;
  readonly bend: Bend;
  /** The time of day as the machine of a part has it: somebody may set it. */
  readonly wallOf: (part: PartName) => () => number;
  readonly lineTrouble: Readonly<Record<PartName, LineTrouble>>;
  readonly hostTrouble: Readonly<Record<HostName, Trouble>>;
  /** Until when each controller cannot reach Git, milliseconds since 1970. */
  readonly gitAway: Record<ControllerName, number>;
  readonly wrong: (what: string) => void;
  readonly note: (what: string) => void;
  readonly asked: (part: PartName, method: string) => void;
  readonly wrote: (part: PartName, call: Call) => Promise<void>;
}

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };
/** Longest way to Git, milliseconds. */
const GIT_WAY = 300;
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

const nothing: Repository = {
  fetch: () => Promise.reject(new Error('an agent has no Git')),
  catalog: () => Promise.reject(new Error('an agent has no Git')),
  commit: () => Promise.reject(new Error('an agent has no Git')),
};

/** The clock of a process that begins now, on a machine whose clock may be set. */
function clockOf({ time, wallOf, bend }: Cast, part: PartName): () => number {
  const wall = wallOf(part);
  return bend.clock?.(wall) ?? steadyClock({ wall, elapsed: time.now, whole: time.now });
}

function later(call: () => void, ms: number): () => void {
  const timer = setTimeout(call, ms);
  return () => {
    clearTimeout(timer);
  };
}

/** A part's way to the store of the fleet. */
function farOf(cast: Cast, part: PartName, life: Life, open: () => Promise<FleetStore>): FleetStore {
  const { time, bell, random, lineTrouble, bend } = cast;
  const asked = (method: string): void => cast.asked(part, method);
  const wrote = (call: Call): Promise<void> => cast.wrote(part, call);
  const options = { time, bell, random, life, trouble: lineTrouble[part], asked, wrote };
  const line = lineTo(createReopening(open), options);
  return bend.far?.(line, part) ?? line;
}

/** Runs something as a process of its own. */
function running(
  cast: Cast,
  part: PartName,
  life: Life,
  run: (signal: AbortSignal) => Promise<void>,
): Pick<Alive, 'stop' | 'ended'> {
  const stop = new AbortController();
  const ended = cast.time.within(life.process ?? {}, () => run(stop.signal));
  ended.catch((error: unknown) => {
    if (!life.dead()) cast.wrong(`${part} ended: ${String(error)}`);
  });
  return { stop: () => stop.abort(), ended };
}

/** An agent on its simulated host; what it kept from an earlier life is there. */
export async function startAgent(cast: Cast, host: HostName): Promise<Alive> {
  const { root, time, ground, laws, hosts, random, bend, hostTrouble, wrong } = cast;
  const life = createLife(time, {});
  const now = clockOf(cast, host);
  const near = await openEmbedded(join(root, host), { clock: now });
  await assertOutcomes(near);
  const runtime = simulatedRuntime(join(root, host));
  const [simulated] = runtime.providers;
  assert.ok(simulated);
  const kept = bend.near?.(near.mailbox) ?? near.mailbox;
  const assign: Mailbox['assign'] = async (assignment) => {
    const taken = await kept.assign(assignment);
    if (taken) laws.adopted(assignment);
    return taken;
  };
  const inner = {
    store: { ...near, mailbox: { ...kept, assign } },
    provider: lawful(simulated, host, laws),
    repository: nothing,
  };
  const trouble = hostTrouble[host];
  const mine = mortal(inner, { time, life, trouble, random, budget: () => Infinity, wrong });
  const far = farOf(cast, host, life, () => ground.open(host));
  const clock = { now, after: (ms: number, call: () => void) => later(call, ms) };
  const agent = createFleetAgent({
    host,
    holder: `${host}/1`,
    facts: reportOf(host).facts,
    far,
    near: mine.store,
    agent: {
      wall: cast.wallOf(host),
      providers: [mine.provider],
      health: (onChange) => createHealth({ prober: probing(runtime.prober, hosts[host]), clock, random, onChange }),
    },
    clock: now,
    random,
    log: quiet,
  });
  return {
    life,
    view: agent.view,
    journal: near.journal,
    writer: host,
    ...running(cast, host, life, (signal) => agent.run(signal)),
    bury: async () => {
      life.die();
      await time.still();
      await runtime.close();
      await near.close();
      await far.close();
    },
  };
}

/** Git as a controller sees it, for as long as it lives. */
function repositoryOf({ git, time, random, gitAway, bend }: Cast, name: ControllerName, life: Life): Repository {
  const inner = git.repository(time, () => gitAway[name]);
  return {
    ...inner,
    fetch: async () => {
      await time.sleep(Math.floor(random() * GIT_WAY));
      life.step();
      return life.dead() ? never() : inner.fetch();
    },
    catalog: async (revision) => {
      const catalog = await inner.catalog(revision);
      return bend.catalog?.(catalog) ?? catalog;
    },
  };
}

/** A controller. */
export async function startController(cast: Cast, name: ControllerName): Promise<Alive> {
  const { root, time, ground, note } = cast;
  const life = createLife(time, {});
  const writer = CONTROLLER_WRITER + name;
  const clock = clockOf(cast, name);
  const own = await openJournal(journalDirectory(join(root, name), writer), { clock });
  const journal: Journal = {
    ...own,
    read: (filter) => time.each(own.read(filter)),
    append: async (drafts) => {
      life.step();
      if (life.dead()) return never();
      for (const draft of drafts) if (draft.type === 'event') note(`${name}: ${draft.reason} ${draft.message}`);
      const entries = await time.work(own.append(drafts));
      return life.dead() ? never() : entries;
    },
  };
  const far = farOf(cast, name, life, () => ground.open(writer));
  const controller = createFleetController({
    holder: `${name}/1`,
    repository: repositoryOf(cast, name, life),
    store: far,
    journal,
    allowDeletions: true,
    clock,
    log: quiet,
  });
  return {
    life,
    view: controller.view,
    journal: own,
    writer,
    ...running(cast, name, life, (signal) => controller.run(signal)),
    bury: async () => {
      life.die();
      await time.still();
      await own.close();
      await far.close();
    },
  };
}
