import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { knownOf, statusFrom } from '../../reconciler/loop/control.ts';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { FleetStore } from '../../reconciler/model/store.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { createReopening } from '../../reconciler/store/reopening.ts';
import { endChild } from './child.ts';
import { inVain, lastWords } from './outline.ts';
import { Servers, type Server } from './redis.ts';

export const PLUMB: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'bin', 'plumb');

/** A fleet over a real Redis whose controllers and simulated agents are processes, and a Git repository. */
export interface FleetProcesses {
  readonly dir: string;
  readonly repo: string;
  readonly redis: Server;
  readonly url: string;
  readonly store: FleetStore;
  git(...argv: readonly string[]): string;
  /** Writes a file and commits all; gives the revision. */
  commit(file: string, text: string): string;
  agent(name: string, plumb?: string): void;
  /** By another way to the store, where one is given. */
  controller(name: string, plumb?: string, way?: string): void;
  /** Starts another verb on the store; it is ended at the latest with the fleet. */
  add(name: string, ...argv: readonly string[]): ChildProcess;
  stop(name: string, signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal to one that does not end by it. */
  signal(name: string, signal: NodeJS.Signals): void;
  /** What `plumb status --store` shows, without a process for each look. */
  status(): Promise<Status>;
  /** Waits until it is so; fails with what is wrong, and what the processes printed last, otherwise. */
  until(what: string, good: (now: Status) => boolean | Promise<boolean>, seconds?: number): Promise<Status>;
  converged(revision: string): Promise<Status>;
  /** The containers that run on a host, each with the time it was made. */
  containers(name: string): readonly string[];
  close(): Promise<void>;
}

/** The documents of a small fleet: everything but Apps. */
export function fleetDocuments(hosts: readonly string[]): string {
  const host = (name: string): string =>
    `---\napiVersion: plumbline/v1\nkind: Host\nmetadata: { name: ${name}, labels: { pool: main } }\nspec: {}\n`;
  return `apiVersion: plumbline/v1
kind: Fleet
metadata: { name: f }
spec: { intervals: { poll: 1s }, budget: { deletions: 100% } }
---
apiVersion: plumbline/v1
kind: Zone
metadata: { name: main }
spec: { hosts: { matchLabels: { pool: main } } }
---
apiVersion: plumbline/v1
kind: Network
metadata: { name: front }
spec: { vlan: 100, cidr: 10.1.0.0/24, ranges: [10.1.0.10-10.1.0.99], quarantine: 1h }
${hosts.map(host).join('')}`;
}

/** An App of that fleet; `more` goes on with the members of its spec. */
export function fleetApp(name: string, replicas: number, more = ''): string {
  return `apiVersion: plumbline/v1\nkind: App\nmetadata: { name: ${name} }\nspec: { image: plumbline/busybox:1, zone: main, network: { name: front }, replicas: ${String(replicas)}${more} }\n`;
}

/** Replica, host and address of all. */
export function homes({ items }: Status): readonly string[] {
  return items.map(({ ref, host: on, address }) => `${ref} ${on} ${String(address)}`);
}

/** Whatever a store that is away throws is no answer; what a test asserts is. */
function unlessAsserted(error: unknown): false {
  if (error instanceof assert.AssertionError) throw error;
  return false;
}

/** Starts Redis and makes an empty repository; nothing of Plumbline runs yet. */
export async function fleetProcesses(): Promise<FleetProcesses> {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-fleet-'));
  const repo = join(dir, 'repo');
  const servers = new Servers();
  const children = new Map<string, ChildProcess>();
  const words = lastWords();
  execFileSync('git', ['init', '-q', '-b', 'main', repo]);
  const redis = await servers.start();
  const url = `redis://127.0.0.1:${String(redis.port)}`;
  const store = createReopening(() => openRedis(url, { clock: Date.now, writer: 'test' }));

  const git: FleetProcesses['git'] = (...argv) =>
    execFileSync('git', ['-C', repo, ...argv], { encoding: 'utf8' }).trim();
  const add = (name: string, ...argv: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    words.hear(name, child);
    children.set(name, child);
    return child;
  };
  const start = (name: string, plumb: string, way: string, ...argv: readonly string[]): void => {
    add(name, plumb, ...argv, '--store', way, '--state-dir', join(dir, name));
  };
  const stop: FleetProcesses['stop'] = async (name, signal = 'SIGTERM') => {
    const child = children.get(name);
    children.delete(name);
    if (child) await endChild(child, signal);
  };
  const status = async (): Promise<Status> => {
    // the Notice first: with one that is newer than the rest, a store that is filled again would look empty and well
    const notice = await store.bulletin.read();
    return statusFrom(await knownOf(store), notice);
  };
  const until: FleetProcesses['until'] = async (what, good, seconds = 90) => {
    let now: Status | undefined;
    const look = async (): Promise<boolean> => (now = await status()) !== undefined && (await good(now));
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
      const found = await look().catch(unlessAsserted);
      if (found && now) return now;
    }
    return assert.fail(await inVain(what, seconds, now, { mailbox: store.mailbox, words }));
  };

  return {
    dir,
    repo,
    redis,
    url,
    store,
    git,
    stop,
    status,
    until,
    commit: (file, text) => {
      writeFileSync(join(repo, file), text);
      git('add', '-A');
      git('-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '-qm', 'Change');
      return git('rev-parse', 'HEAD');
    },
    agent: (name, plumb = PLUMB) => {
      start(name, plumb, url, 'agent', '--simulated', '--host', name);
    },
    controller: (name, plumb = PLUMB, way = url) => {
      start(name, plumb, way, 'controller', '--name', name, '--repo', repo);
    },
    signal: (name, signal) => void children.get(name)?.kill(signal),
    add: (name, ...argv) => add(name, PLUMB, ...argv, '--store', url),
    converged: (revision) =>
      until(
        'converged',
        ({ sync, health, ...now }) => sync === 'Synced' && health === 'Healthy' && now.revision === revision,
      ),
    containers: (name) => {
      const folder = join(dir, name, 'simulated', 'container');
      // beside them is what is just being written
      const made = readdirSync(folder).filter((file) => file.endsWith('.json'));
      return made.map((file) => {
        const { state } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
          readonly state: { readonly id: string };
        };
        return `${file} ${state.id}`;
      });
    },
    close: async () => {
      await Promise.all([...children.keys()].map((name) => stop(name, 'SIGKILL')));
      await store.close();
      await servers.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
