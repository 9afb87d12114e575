import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remoteView } from '../../cli/local.ts';
import { labUp, type Lab } from '../../lab/lab.ts';
import { CORE_ADDRESS } from '../../lab/topology.ts';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Entry } from '../../reconciler/model/journal.ts';
import { lastWords, type LastWords } from './outline.ts';
import { endChild } from './child.ts';
import { Servers, single, type Running } from './redis.ts';
import { makeRepository } from './repository.ts';
import { PLUMB, untilStatus, type Good, type Said } from './stage.ts';
import { readPing, type Ping } from './traffic.ts';

/** The hosts of a fleet stage. */
export const HOSTS: readonly string[] = ['h1', 'h2', 'h3'];

/** Three lab hosts in two racks (h1 h2 | h3), Redis and controllers at the core, an agent on each host, and a Git repository. */
export interface FleetStage {
  readonly lab: Lab;
  /** Writes files and commits them. */
  commit(files: Readonly<Record<string, string>>): string;
  readonly redis: Running;
  /** Starts a controller and waits until it answers. A query is put behind the store's address. */
  controller(name: string, query?: string): Promise<void>;
  agent(host: string, query?: string): Promise<void>;
  /** Ends a part by its name: a controller's, or a host's for its agent. */
  stop(name: string, signal?: NodeJS.Signals): Promise<void>;
  /** Runs a command in a host. */
  sh(host: string, ...argv: readonly string[]): Promise<Said>;
  /** Pings an address ten times a second from inside a replica. */
  ping(host: string, replica: string, address: string): Promise<Ping>;
  /** What a controller that runs says. */
  status(): Promise<Status>;
  until(what: string, good: Good, seconds?: number): Promise<Status>;
  /** Waits until Synced and Healthy at the last commit. */
  converged(seconds?: number): Promise<Status>;
  /** What a controller or an agent has written down. */
  journal(name: string): Promise<readonly Entry[]>;
  down(): Promise<void>;
}

/** The documents of the fleet, which Docker and Open vSwitch of a lab can carry. Only h1 has the label `role: client`. */
export function fleetBase(): Record<string, string> {
  const host = (name: string, rack: string, more = ''): string =>
    `apiVersion: plumbline/v1\nkind: Host\nmetadata: { name: ${name}, labels: { pool: main${more} } }\nspec: { topology: { rack: ${rack} } }\n`;
  return {
    'fleet.yaml':
      'apiVersion: plumbline/v1\nkind: Fleet\nmetadata: { name: stage }\nspec: { intervals: { resync: 10s, poll: 1s }, budget: { deletions: 100% } }\n',
    'zone.yaml':
      'apiVersion: plumbline/v1\nkind: Zone\nmetadata: { name: main }\nspec: { hosts: { matchLabels: { pool: main } } }\n',
    'hosts.yaml': [host('h1', 'r1', ', role: client'), host('h2', 'r1'), host('h3', 'r2')].join('---\n'),
    'network.yaml':
      'apiVersion: plumbline/v1\nkind: Network\nmetadata: { name: front }\nspec: { vlan: 100, cidr: 10.1.0.0/24, ranges: [10.1.0.10-10.1.0.99], bridge: br-int, datapath: netdev, uplink: up0 }\n',
  };
}

/** Waits until something comes true; fails with its name. */
export async function eventually(what: string, holds: () => Promise<boolean>, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await holds()); await sleep(200))
    if (Date.now() > end) throw new Error(`${what}: not within ${String(seconds)} s`);
}

interface Parts {
  /** Puts a process under a name; what it prints last is kept. */
  add(name: string, child: ChildProcess): ChildProcess;
  stop(name: string, signal: NodeJS.Signals): Promise<void>;
  names(): readonly string[];
  readonly words: LastWords;
}

function startParts(): Parts {
  const children = new Map<string, ChildProcess>();
  const words = lastWords();
  return {
    add: (name, child) => {
      children.set(name, child);
      words.hear(name, child);
      return child;
    },
    stop: async (name, signal) => {
      const child = children.get(name);
      children.delete(name);
      if (child) await endChild(child, signal);
    },
    names: () => [...children.keys()],
    words,
  };
}

/** Sets the stage: hosts and Redis are up and the files are committed; nothing of Plumbline runs yet. */
export async function setFleetStage(
  name: string,
  files: Readonly<Record<string, string>>,
  startRedis = (home: Servers): Promise<Running> => single(['appendonly yes'], home),
): Promise<FleetStage> {
  const dir = mkdtempSync(`/var/tmp/plumb-${name}-`);
  const repository = makeRepository();
  const commit = (changed: Readonly<Record<string, string>>): string => {
    for (const [file, text] of Object.entries(changed)) repository.write(file, text);
    return repository.commit('Change');
  };
  let head = commit(files);
  const lab = await labUp({ dir: join(dir, 'lab'), hosts: 3, racks: 2 });
  const home = new Servers({
    address: CORE_ADDRESS,
    run: (argv) => lab.spawnAtCore(argv, { stdio: 'ignore' }),
  });
  const redis = await startRedis(home).catch(async (error: unknown) => {
    await home.close();
    await lab.down();
    throw error;
  });
  const parts = startParts();
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const place = (part: string): string => join(dir, 'state', part);
  const viewOf = (part: string): ReturnType<typeof remoteView> => remoteView(join(place(part), 'plumb.sock'));

  const answers = async (part: string, child: ChildProcess): Promise<void> => {
    await eventually(`${part} answers`, async () => {
      if (child.exitCode !== null)
        throw new Error(`${part} ended with ${String(child.exitCode)}:\n${parts.words.lines().join('\n')}`);
      if (!existsSync(join(place(part), 'plumb.sock'))) return false;
      return viewOf(part)
        .known()
        .then(
          () => true,
          () => false,
        );
    });
  };
  const plumb = (verb: string, part: string, query: string, ...flags: readonly string[]): readonly string[] => {
    const store = ['--store', redis.url + query, '--state-dir', place(part)];
    return [process.execPath, PLUMB, verb, ...flags, ...store];
  };
  const status = async (): Promise<Status> => {
    const controller = parts.names().find((part) => part.startsWith('c'));
    return viewOf(controller ?? '').status();
  };
  const until: FleetStage['until'] = (what, good, seconds = 90) =>
    untilStatus({ what, good, seconds, look: status, words: parts.words });

  return {
    lab,
    redis,
    status,
    until,
    commit: (changed) => (head = commit(changed)),
    controller: async (part, query = '') => {
      const argv = plumb('controller', part, query, '--name', part, '--repo', repository.directory);
      await answers(part, parts.add(part, lab.spawnAtCore(argv, { stdio: [...stdio] })));
    },
    agent: async (host, query = '') => {
      const argv = plumb('agent', host, query, '--host', host);
      await answers(host, parts.add(host, lab.spawn(host, argv, { stdio: [...stdio] })));
    },
    stop: (part, signal = 'SIGTERM') => parts.stop(part, signal),
    sh: async (host, ...argv) => {
      const { code, stdout, stderr } = await lab.exec(host, argv);
      return { code, out: stdout.trim(), err: stderr };
    },
    ping: async (host, replica, address) => {
      const inspect = ['docker', 'inspect', '-f', '{{.State.Pid}}', `plumb-${replica}-sandbox`];
      const { stdout: pid } = await lab.exec(host, inspect);
      // not by docker exec, which ends with its daemon
      const argv = ['nsenter', '-t', pid.trim(), '-n', 'ping', '-n', '-i', '0.1', address];
      return readPing(lab.spawn(host, argv, { stdio: [...stdio] }));
    },
    converged: (seconds) =>
      until(
        `converged at ${head.slice(0, 7)}`,
        (s) => s.revision === head && s.sync === 'Synced' && s.health === 'Healthy',
        seconds,
      ),
    journal: async (part) => {
      const entries: Entry[] = [];
      for await (const entry of viewOf(part).journal({}, false, AbortSignal.timeout(60_000))) entries.push(entry);
      return entries;
    },
    down: async () => {
      await Promise.all(parts.names().map((part) => parts.stop(part, 'SIGKILL')));
      await home.close();
      await lab.down();
      repository.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
