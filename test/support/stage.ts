import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { remoteView } from '../../cli/local.ts';
import { labUp, type Lab } from '../../lab/lab.ts';
import type { Status, StatusItem } from '../../reconciler/loop/status/status.ts';
import type { LocalView } from '../../reconciler/loop/status/view.ts';
import type { Entry } from '../../reconciler/model/journal.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { endChild } from './child.ts';
import { inVain, lastWords, type LastWords } from './outline.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const PLUMB: string = join(ROOT, 'bin', 'plumb');

/** Why tests on real hosts are skipped here; false where they can run. */
export const NEEDS_ROOT: false | string =
  process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs root';

/** How a command in a host ended. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One lab host, a Git repository and, once started, a `plumb up` in it. */
export interface Stage {
  readonly lab: Lab;
  readonly dir: string;
  readonly repo: string;
  readonly state: string;
  /** Writes files (undefined removes one) and commits them. */
  commit(files: Readonly<Record<string, string | undefined>>, message?: string): string;
  /** The same on a branch of its own; main stays as it is. */
  propose(branch: string, files: Readonly<Record<string, string | undefined>>): void;
  /** Runs a command in the host; its output is text. */
  sh(...argv: readonly string[]): Promise<Said>;
  /** Runs plumb in the host on this stage's state. */
  plumb(...argv: readonly string[]): Promise<Said>;
  /** Starts `plumb up` and waits until it answers. */
  up(...flags: readonly string[]): Promise<void>;
  /** Ends it: SIGTERM waits for a graceful stop. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly view: LocalView;
  status(): Promise<Status>;
  /** Waits until the status is as wanted; fails with the last status otherwise. */
  until(what: string, good: Good, seconds?: number): Promise<Status>;
  /** Waits until Synced and Healthy at the last commit. */
  converged(seconds?: number): Promise<Status>;
  journal(ref?: Ref): Promise<readonly Entry[]>;
  /** The last of what `up` printed. */
  said(): string;
  down(): Promise<void>;
}

/** The item of a replica. */
export function itemOf(status: Status, replica: string): StatusItem | undefined {
  return status.items.find(({ ref }) => ref === `replica/${replica}`);
}

/** The documents every stage needs: a Fleet, a Zone, Host h1, and Network front on VLAN 100. */
export function base(
  more: { readonly fleet?: string; readonly network?: string; readonly zone?: string } = {},
): Record<string, string> {
  return {
    'fleet.yaml': `apiVersion: plumbline/v1\nkind: Fleet\nmetadata: { name: stage }\nspec: { intervals: { resync: 5s, poll: 1s }${more.fleet ?? ''} }\n`,
    'zone.yaml': `apiVersion: plumbline/v1\nkind: Zone\nmetadata: { name: main }\nspec: { hosts: { matchLabels: { pool: main } }${more.zone ?? ''} }\n`,
    'host.yaml': 'apiVersion: plumbline/v1\nkind: Host\nmetadata: { name: h1, labels: { pool: main } }\nspec: {}\n',
    'network.yaml': `apiVersion: plumbline/v1\nkind: Network\nmetadata: { name: front }\nspec: { vlan: 100, cidr: 10.1.0.0/24, ranges: [10.1.0.10-10.1.0.99], bridge: br-int, datapath: netdev${more.network ?? ''} }\n`,
  };
}

/** An App of the test image that serves until it is told to stop; `spec` is more YAML at the level of spec. */
export function app(name: string, spec = ''): string {
  const head = `apiVersion: plumbline/v1\nkind: App\nmetadata: { name: ${name} }\nspec:\n  zone: main\n  network: { name: front }\n`;
  const image = /^ {2}image:/m.test(spec) ? '' : '  image: plumbline/busybox:1\n';
  const command = /^ {2}command:/m.test(spec)
    ? ''
    : '  command: [sh, -c, "trap exit TERM; while :; do sleep 0.2; done"]\n';
  const stop = /^ {2}stop:/m.test(spec) ? '' : '  stop: { grace: 2s }\n';
  return `${head}${image}${command}${stop}${spec === '' ? '' : `${spec}\n`}`;
}

/** Whether a status is as wanted. */
export type Good = (status: Status) => boolean | Promise<boolean>;

/** What is waited for, and where it is seen. */
interface Wish {
  readonly what: string;
  readonly good: Good;
  readonly seconds: number;
  readonly look: () => Promise<Status>;
  readonly words: LastWords;
}

/** Waits until the status is as wanted; fails with what is wrong with the last one, and with what was printed last, otherwise. */
export async function untilStatus({ what, good, seconds, look, words }: Wish): Promise<Status> {
  const end = Date.now() + seconds * 1000;
  let last: Status | undefined;
  while (Date.now() < end) {
    last = await look().catch(() => undefined);
    if (last && (await good(last))) return last;
    await sleep(50);
  }
  throw new Error(await inVain(what, seconds, last, { words }));
}

/** A view whose place may change. */
function movable(view: () => LocalView): LocalView {
  return {
    status: () => view().status(),
    known: () => view().known(),
    reports: (hosts) => view().reports(hosts),
    journal: (...asked) => view().journal(...asked),
    settle: (...asked) => view().settle(...asked),
  };
}

/** Sets a stage: a lab host with the given number of hosts, and a repository with the first commit. */
export async function setStage(name: string, files: Readonly<Record<string, string>>): Promise<Stage> {
  const dir = mkdtempSync(`/var/tmp/plumb-${name}-`);
  const repo = join(dir, 'repo');
  const state = join(dir, 'state');
  mkdirSync(repo);
  const git = (...argv: string[]): string => execFileSync('git', ['-C', repo, ...argv], { encoding: 'utf8' }).trim();
  git('init', '-q', '-b', 'main');
  git('config', 'user.name', 'Ann');
  git('config', 'user.email', 'ann@example.com');
  const commit = (changed: Readonly<Record<string, string | undefined>>, message = 'Change'): string => {
    for (const [file, text] of Object.entries(changed)) {
      const path = join(repo, file);
      mkdirSync(dirname(path), { recursive: true });
      if (text === undefined) rmSync(path);
      else writeFileSync(path, text);
    }
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  let head = commit(files, 'First');
  const lab = await labUp({ dir: join(dir, 'lab'), hosts: 1, racks: 1 });
  let socket = join(state, 'plumb.sock');
  const view = movable(() => remoteView(socket));
  let child: ChildProcess | undefined;
  const words = lastWords();

  const sh = async (...argv: readonly string[]): Promise<Said> => {
    const { code, stdout, stderr } = await lab.exec('h1', argv);
    return { code, out: stdout, err: stderr };
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const one = child;
    child = undefined;
    if (one) await endChild(one, signal);
  };
  const said = (): string => words.lines().join('\n');
  const until: Stage['until'] = (what, good, seconds = 60) =>
    untilStatus({ what, good, seconds, look: () => view.status(), words });

  return {
    lab,
    dir,
    repo,
    state,
    view,
    sh,
    stop,
    until,
    commit: (changed, message) => (head = commit(changed, message)),
    propose: (branch, changed) => {
      git('checkout', '-q', '-b', branch);
      commit(changed, branch);
      git('checkout', '-q', 'main');
    },
    plumb: (...argv) => sh(process.execPath, PLUMB, ...argv, '--state-dir', state),
    up: async (...flags) => {
      const moved = flags.indexOf('--socket');
      if (moved >= 0) socket = flags[moved + 1] ?? socket;
      const argv = [
        process.execPath,
        PLUMB,
        'up',
        '--repo',
        repo,
        '--ref',
        'main',
        '--state-dir',
        state,
        '--host',
        'h1',
        ...flags,
      ];
      const one = lab.spawn('h1', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
      child = one;
      words.hear('up', one);
      for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
        if (one.exitCode !== null) throw new Error(`plumb up ended with ${String(one.exitCode)}:\n${said()}`);
        if (existsSync(socket) && (await view.status().catch(() => undefined))) return;
      }
      throw new Error(`plumb up does not answer:\n${said()}`);
    },
    status: () => view.status(),
    converged: (seconds) =>
      until(
        `converged at ${head.slice(0, 7)}`,
        (s) => s.revision === head && s.sync === 'Synced' && s.health === 'Healthy',
        seconds,
      ),
    journal: async (ref) => {
      const entries: Entry[] = [];
      for await (const entry of view.journal(ref === undefined ? {} : { ref }, false, AbortSignal.timeout(60_000)))
        entries.push(entry);
      return entries;
    },
    said,
    down: async () => {
      await stop('SIGKILL');
      await lab.down();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
