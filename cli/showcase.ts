import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab/lab.ts';
import { CORE_ADDRESS } from '../lab/topology.ts';
import type { Io } from './io.ts';
import { tint } from './table.ts';

const PLUMB: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'bin', 'plumb');

/** What `npm start` shows: Plumbline at work on the examples. */
export interface Showcase {
  /** State directory and socket of who answers for the whole. */
  readonly state: string;
  readonly socket: string;
  /** Aborts when a part of it ended by itself. */
  readonly gone: AbortSignal;
  /** Ends all of it. */
  stop(): Promise<void>;
}

export interface ShowcaseOptions {
  readonly dir: string;
  readonly repo: string;
  /** Absent: one simulated host. */
  readonly lab: Lab | undefined;
  /** Nothing is shown of what happens. */
  readonly quiet: boolean;
  readonly io: Io;
}

/** A store and a controller at the core of the lab's network, an agent on each of its hosts; or one `plumb up` without a lab. */
export function startShowcase({ dir, repo, lab, quiet, io }: ShowcaseOptions): Showcase {
  const parts: ChildProcess[] = [];
  const ended = new AbortController();
  const place = (name: string): string => join(dir, 'state', name);
  const run = (name: string, child: ChildProcess): void => {
    parts.push(child);
    child.once('exit', () => {
      ended.abort();
    });
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on('line', (line) => io.out(`${tint(io, 'dim', name)} ${line}\n`));
  };
  const plumb = (verb: string, name: string, ...flags: readonly string[]): readonly string[] => {
    const common = ['--state-dir', place(name), ...(quiet ? ['--quiet'] : [])];
    return [process.execPath, PLUMB, verb, ...flags, ...common];
  };
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const env = io.color ? { FORCE_COLOR: '1' } : {};
  const front = lab ? 'controller' : 'h1';
  if (lab) {
    const data = join(dir, 'redis');
    mkdirSync(data);
    const redis = ['redis-server', '--bind', CORE_ADDRESS, '--protected-mode', 'no', '--dir', data];
    run(
      'redis',
      lab.spawnAtCore([...redis, '--appendonly', 'yes', '--logfile', join(data, 'redis.log')], { stdio: [...stdio] }),
    );
    const store = ['--store', `redis://${CORE_ADDRESS}`];
    const controller = plumb('controller', front, '--repo', repo, '--name', 'core', ...store);
    run('ctl', lab.spawnAtCore(controller, { stdio: [...stdio], env }));
    for (const { name } of lab.hosts)
      run(name, lab.spawn(name, plumb('agent', name, '--host', name, ...store), { stdio: [...stdio], env }));
  } else {
    const [program = '', ...args] = plumb('up', front, '--repo', repo, '--host', front, '--simulated');
    run(front, spawn(program, args, { stdio: [...stdio] }));
  }
  return {
    state: place(front),
    socket: join(place(front), 'plumb.sock'),
    gone: ended.signal,
    // the store last, so that everybody can say goodbye
    stop: async () => {
      for (const child of [...parts].reverse()) if (child !== parts[0] || !lab) child.kill('SIGTERM');
      await Promise.all(parts.slice(lab ? 1 : 0).map(over));
      if (lab && parts[0]) {
        parts[0].kill('SIGTERM');
        await over(parts[0]);
      }
    },
  };
}

/** Waits for the end of a process that was asked to stop, and ends it if it does not. */
async function over(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
