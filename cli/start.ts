import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { labDown, labUp, type Lab } from '../lab/lab.ts';
import { asPlumbError } from '../reconciler/model/errors.ts';
import type { Io } from './io.ts';
import { processIo } from './main.ts';
import { remoteView } from './local.ts';
import { renderStatus } from './status.ts';
import { statusCode } from '../reconciler/loop/status.ts';
import { tint } from './table.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const PLUMB = join(ROOT, 'bin', 'plumb');
const EXAMPLES = join(ROOT, 'examples', 'manifests', 'shop');
const run = promisify(execFile);

const BASE = '/var/tmp';
const PREFIX = 'plumbline-start-';

interface Stage {
  readonly dir: string;
  readonly repo: string;
  readonly state: string;
  readonly lab: Lab | undefined;
}

/** The main job, on a machine of its own: examples in a fresh Git repository, converged, shown, and kept so. */
export async function start(argv: readonly string[]): Promise<number> {
  const io = processIo();
  const once = argv.includes('--once');
  const simulated = argv.includes('--simulated') || !canRunHosts(io);
  const dir = mkdtempSync(join(BASE, PREFIX));
  let lab: Lab | undefined;
  let child: ChildProcess | undefined;
  await removeLeftovers(io);
  writeFileSync(join(dir, OWNER), ownName());
  try {
    const repo = join(dir, 'repo');
    await makeRepository(repo);
    io.err(`made a Git repository of the examples: ${repo}\n`);
    if (!simulated) {
      io.err('starting a lab host with its own dockerd and Open vSwitch\n');
      lab = await labUp({ dir: join(dir, 'lab'), hosts: 1, racks: 1, signal: io.signal });
    }
    const stage: Stage = { dir, repo, state: join(dir, 'state'), lab };
    child = startUp(stage, once);
    return await watch(child, stage, io, once);
  } catch (error) {
    const { message, code } = asPlumbError(error);
    io.err(`plumb: ${message} [${code}]\n`);
    return 1;
  } finally {
    await ended(child);
    if (lab) io.err('taking the lab host down\n');
    await lab?.down();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Names the process that a directory of ours belongs to: pid and start time. */
const OWNER = 'owner';

/** Start time of a living process, in clock ticks since boot; undefined for one that is dead, reaped or not. */
function startOf(pid: string): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function ownName(): string {
  const pid = String(process.pid);
  return `${pid} ${startOf(pid) ?? ''}`;
}

/** What an earlier start left that was killed: its lab host and its directory. */
async function removeLeftovers(io: Io): Promise<void> {
  for (const name of readdirSync(BASE).filter((each) => each.startsWith(PREFIX))) {
    const dir = join(BASE, name);
    const owner = existsSync(join(dir, OWNER)) ? readFileSync(join(dir, OWNER), 'utf8') : '';
    const [pid = '', began = ''] = owner.split(' ');
    if (owner === '' || (startOf(pid) ?? '') === began) continue;
    io.err(`removing what an earlier start left: ${dir}\n`);
    try {
      if (existsSync(join(dir, 'lab'))) await labDown({ dir: join(dir, 'lab') });
      rmSync(dir, { recursive: true, force: true });
    } catch (error) {
      io.err(`plumb: ${asPlumbError(error).message}\n`);
    }
  }
}

/** Real hosts need root on Linux with the programs; says in one line why not. */
function canRunHosts(io: Io): boolean {
  const missing = ['dockerd', 'ovs-vswitchd', 'busybox', 'ip'].filter((program) => !onPath(program, io));
  const why =
    process.platform !== 'linux'
      ? 'this is not Linux'
      : process.getuid?.() !== 0
        ? 'not root'
        : missing.length > 0
          ? `missing: ${missing.join(', ')}`
          : undefined;
  if (why !== undefined) io.err(`using the simulated runtime (${why}): same plans and same drift, no containers\n`);
  return why === undefined;
}

function onPath(program: string, { env }: Io): boolean {
  const folders = [...(env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

async function makeRepository(repo: string): Promise<void> {
  cpSync(EXAMPLES, repo, { recursive: true });
  const who = ['-c', 'user.name=Plumbline', '-c', 'user.email=plumbline@localhost'];
  await run('git', ['init', '-q', '-b', 'main', repo]);
  await run('git', ['-C', repo, 'config', 'user.name', 'Plumbline']);
  await run('git', ['-C', repo, 'config', 'user.email', 'plumbline@localhost']);
  await run('git', ['-C', repo, 'add', '-A']);
  await run('git', ['-C', repo, ...who, 'commit', '-q', '-m', 'Start from the examples']);
}

function startUp({ repo, state, lab }: Stage, once: boolean): ChildProcess {
  const args = ['up', '--repo', repo, '--state-dir', state, '--host', 'h1', ...(once ? ['--quiet'] : [])];
  const argv = [process.execPath, PLUMB, ...args, ...(lab ? [] : ['--simulated'])];
  const stdio = ['ignore', 'inherit', 'inherit'] as const;
  if (lab) return lab.spawn('h1', argv, { stdio: [...stdio] });
  return spawn(argv[0] ?? '', argv.slice(1), { stdio: [...stdio] });
}

async function watch(child: ChildProcess, stage: Stage, io: Io, once: boolean): Promise<number> {
  const gone = new AbortController();
  child.once('exit', () => {
    gone.abort();
  });
  const view = remoteView(join(stage.state, 'plumb.sock'));
  await listening(stage, gone.signal);
  const status = await view
    .settle(AbortSignal.any([io.signal, gone.signal, AbortSignal.timeout(150_000)]))
    .catch(() => view.status());
  io.out(`\n${renderStatus(status, io)}`);
  if (once) return statusCode(status);
  io.out(hints(stage, io));
  await new Promise<void>((resolve) => {
    io.signal.addEventListener('abort', () => resolve(), { once: true });
    gone.signal.addEventListener('abort', () => resolve(), { once: true });
    if (io.signal.aborted || gone.signal.aborted) resolve();
  });
  return gone.signal.aborted && !io.signal.aborted ? 1 : 0;
}

async function listening({ state }: Stage, gone: AbortSignal): Promise<void> {
  const socket = join(state, 'plumb.sock');
  for (let waited = 0; !gone.aborted && waited < 30_000; waited += 50) {
    if (existsSync(socket) && (await answers(socket))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function answers(socket: string): Promise<boolean> {
  try {
    await remoteView(socket).status();
    return true;
  } catch {
    return false;
  }
}

function hints({ dir, repo, state, lab }: Stage, io: Io): string {
  const paths = [`PLUMB_STATE_DIR=${state}`, `REPO=${repo}`, ...(lab ? [`LAB=${join(dir, 'lab')}`] : [])];
  const breakIt = lab
    ? 'plumb lab exec --dir $LAB h1 -- docker kill plumb-web-0'
    : 'rm $PLUMB_STATE_DIR/simulated/container/web-0.json';
  const title = tint(io, 'bold', 'Try, in another terminal:');
  return `
${title}
  export PATH=${join(ROOT, 'bin')}:$PATH ${paths.join(' ')}
  break something by hand and watch it heal:
    ${breakIt}
  edit, commit, and watch it roll:
    sed -i 's/replicas: 3/replicas: 4/' $REPO/apps/web.yaml && git -C $REPO commit -qam 'One more web'
  ask why a value is what it is:
    plumb why container/web-0 memory

Ctrl-C takes everything down. What happens, as it happens:
`;
}

/** Asks the child to stop, waits, and ends it if it does not. */
async function ended(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
