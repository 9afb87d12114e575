import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Catalog } from '../reconciler/model/catalog.ts';
import type { Assignment, Report } from '../reconciler/model/replica.ts';
import type { FleetStore } from '../reconciler/model/store.ts';
import { single } from '../test/support/redis.ts';
import type { Server } from '../test/support/redis.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { appPath, fabricFiles } from './fabric-files.ts';
import { fabric, IDLE } from './fabric.ts';
import { writeFiles } from './fleet.ts';
import { DURABLE, introduce, settle, type Presence } from './idle-fleet-settle.ts';
import { PLUMB } from './rig.ts';

/** How often a Fleet that says nothing about it has Git looked at, milliseconds. */
export const POLL = 15_000;
/** The fleet is left alone for so long before each change, milliseconds. */
const IDLE_FOR = 2_000;
/** The longest that anything may take, milliseconds. */
const DEADLINE = 300_000;

/** What commits take until the last Assignment is in Redis, milliseconds. */
export interface FromGit {
  /** All Apps come. */
  readonly publish: number;
  /** One App has another image, of all its replicas at once. */
  readonly change: readonly number[];
  /** Of each such change the bare cost: a fetch and a look at the revision by hand, and the same Assignments written. */
  readonly bare: readonly number[];
  /** How many Assignments that were. */
  readonly told: number;
}

/** A repository of which the branch `main` is moved at once, whatever it takes to make a commit. */
interface Repo {
  readonly directory: string;
  /** A new commit of what is in the work tree. */
  prepare(): string;
  /** The branch shows it. */
  show(revision: string): void;
}

function repoIn(directory: string): Repo {
  const git = (...argv: readonly string[]): string =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=Bench', '-c', 'user.email=bench@localhost', ...argv], {
      encoding: 'utf8',
    }).trim();
  execFileSync('git', ['init', '-q', '-b', 'next', directory]);
  git('config', 'gc.auto', '0');
  return {
    directory,
    prepare: () => {
      git('add', '-A');
      git('commit', '-q', '-m', 'Bench');
      return git('rev-parse', 'HEAD');
    },
    show: (revision) => void git('update-ref', 'refs/heads/main', revision),
  };
}

/** Until the hosts were told all of a revision. */
async function published({ bulletin }: FleetStore, revision: string): Promise<void> {
  for (const end = performance.now() + DEADLINE; (await bulletin.read())?.published !== revision; await sleep(20))
    if (performance.now() > end) throw new Error(`${revision} was not published in time`);
}

/** Shows a revision; milliseconds until so many replicas of an image are in Assignments, and these. */
async function told(
  store: FleetStore,
  { image, replicas }: { readonly image: string; readonly replicas: number },
  show: () => void,
): Promise<{ readonly took: number; readonly assignments: readonly Assignment[] }> {
  const stop = new AbortController();
  const deadline = AbortSignal.timeout(DEADLINE);
  const mails = store.mailbox.follow(AbortSignal.any([stop.signal, deadline]));
  const found = new Map<string, Assignment>();
  const began = performance.now();
  show();
  for await (const { host, what } of mails) {
    const assignment = what === 'assignment' ? await store.mailbox.assignment(host) : undefined;
    if (assignment?.replicas.some(({ spec }) => spec.image === image)) found.set(host, assignment);
    const there = [...found.values()].flatMap((one) => one.replicas).filter(({ spec }) => spec.image === image);
    if (there.length < replicas) continue;
    const took = performance.now() - began;
    stop.abort();
    return { took, assignments: [...found.values()] };
  }
  throw new Error(`${image} was not published in time`);
}

/** What cannot be left out: a fetch into a mirror, a look at what it brought, and the Assignments written. Milliseconds. */
async function byHand(
  mirror: string,
  path: string,
  { admin }: Server,
  assignments: readonly Assignment[],
): Promise<number> {
  const began = performance.now();
  execFileSync('git', ['-C', mirror, 'fetch', '-q']);
  execFileSync('git', ['-C', mirror, 'rev-parse', 'refs/heads/main']);
  execFileSync('git', ['-C', mirror, 'cat-file', 'blob', `refs/heads/main:${path}`]);
  await Promise.all(assignments.map((one) => admin.set(`by-hand:${one.host}`, JSON.stringify(one))));
  return performance.now() - began;
}

/** A fleet at rest under `plumb controller`. */
interface Stage {
  readonly repo: Repo;
  readonly files: ReadonlyMap<string, string>;
  readonly store: FleetStore;
  readonly server: Server;
  readonly reports: readonly Report[];
  readonly mirror: string;
}

/** One App of so many replicas has another image, of all of them at once, and its hosts serve it. */
async function change(
  { repo, files, store, server, reports, mirror }: Stage,
  rank: number,
  replicas: number,
): Promise<{ readonly took: number; readonly bare: number; readonly assignments: number }> {
  const path = appPath(rank);
  const image = `changed:${String(rank)}`;
  const text = files.get(path)?.replace(/image: \S+/, `image: ${image}`) ?? '';
  writeFileSync(join(repo.directory, path), `${text}  update:\n    maxUnavailable: ${String(replicas)}\n`);
  const revision = repo.prepare();
  await sleep(IDLE_FOR);
  const { took, assignments } = await told(store, { image, replicas }, () => repo.show(revision));
  await published(store, revision);
  const bare = await byHand(mirror, path, server, assignments);
  const hosts = new Set(assignments.map(({ host }) => host));
  await settle(
    store,
    reports.filter(({ host }) => hosts.has(host)),
  );
  return { took, bare, assignments: assignments.length };
}

/** `plumb controller`, until the signal aborts; resolves once it has ended. */
async function controllerOn(repo: Repo, state: string, url: string, signal: AbortSignal): Promise<void> {
  const argv = ['controller', '--repo', repo.directory, '--ref', 'main', '--state-dir', state, '--quiet'];
  const child = spawn(process.execPath, [PLUMB, ...argv, '--store', url], { stdio: ['ignore', 'ignore', 'inherit'] });
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  await once(child, 'exit');
}

/** `plumb controller` follows a repository: all Apps are committed there, and then, in a fleet at rest, one is changed after the other. */
export async function fromGit(scale: number, rounds: number, signal: AbortSignal): Promise<FromGit> {
  const { catalog, reports } = fabric({ ...IDLE, scale });
  const files = fabricFiles(catalog);
  const dir = mkdtempSync(join(tmpdir(), 'plumb-bench-git-'));
  const { home, servers, url } = await single(DURABLE);
  const [server] = servers;
  if (!server) throw new Error('no redis-server');
  const store = await openRedis(url, { clock: Date.now, writer: 'bench' });
  const over = new AbortController();
  const repo = repoIn(join(dir, 'repo'));
  const mirror = join(dir, 'mirror.git');
  let controller: Promise<void> | undefined;
  let presence: Presence | undefined;
  try {
    writeFiles(repo.directory, new Map([...files].filter(([path]) => !path.startsWith('apps/'))));
    const hosts = repo.prepare();
    repo.show(hosts);
    presence = await introduce(store, reports);
    controller = controllerOn(repo, join(dir, 'state'), url, over.signal);
    await published(store, hosts);
    writeFiles(repo.directory, files);
    const all = repo.prepare();
    const began = performance.now();
    repo.show(all);
    await published(store, all);
    const publish = performance.now() - began;
    await settle(store, reports);
    execFileSync('git', ['clone', '-q', '--mirror', repo.directory, mirror]);
    const changes: Awaited<ReturnType<typeof change>>[] = [];
    for (let rank = first(catalog); changes.length < rounds && !signal.aborted; rank += 1)
      changes.push(
        await change(
          { repo, files, store, server, reports, mirror },
          rank,
          catalog.apps.get(`a${String(rank)}`)?.spec.replicas ?? 0,
        ),
      );
    return {
      publish,
      change: changes.map(({ took }) => took),
      bare: changes.map(({ bare }) => bare),
      told: Math.max(...changes.map(({ assignments }) => assignments)),
    };
  } finally {
    over.abort();
    await controller;
    await presence?.leave();
    await store.close();
    await home.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Rank of the first App, by size, that is no larger than the average. */
function first({ apps }: Catalog): number {
  const sizes = [...apps.values()].map(({ spec }) => spec.replicas);
  return sizes.findIndex((size) => size * sizes.length <= sizes.reduce((sum, each) => sum + each, 0));
}
