import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { labDown, labUp, type Lab } from '../lab/lab.ts';
import { processFacts, startTime } from '../lab/process.ts';
import { aborted } from '../reconciler/loop/pause.ts';
import { asPlumbError } from '../reconciler/model/errors.ts';
import type { Io } from './io.ts';
import { processIo } from './main.ts';
import { remoteView } from './local.ts';
import { startShowcase, type Showcase } from './showcase.ts';
import { renderWhole } from './verbs/status.ts';
import { statusCode, type Status } from '../reconciler/loop/status/status.ts';
import { tint } from './table.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const EXAMPLES = join(ROOT, 'examples', 'manifests', 'shop');
const run = promisify(execFile);

const BASE = '/var/tmp';
const PREFIX = 'plumbline-start-';

/** The main job, on a machine of its own: examples in a fresh Git repository, converged, shown, and kept so. */
export async function start(argv: readonly string[]): Promise<number> {
  const io = processIo();
  const once = argv.includes('--once');
  const simulated = argv.includes('--simulated') || !canRunHosts(io);
  const dir = mkdtempSync(join(BASE, PREFIX));
  let lab: Lab | undefined;
  let showcase: Showcase | undefined;
  await removeLeftovers(io);
  writeFileSync(join(dir, OWNER), ownName());
  try {
    const repo = join(dir, 'repo');
    await makeRepository(repo);
    io.err(`made a Git repository of the examples: ${repo}\n`);
    if (!simulated) {
      io.err('starting three lab hosts in two racks, each with its own dockerd and Open vSwitch\n');
      lab = await labUp({ dir: join(dir, 'lab'), hosts: 3, racks: 2, signal: io.signal });
    }
    showcase = startShowcase({ dir, repo, lab, quiet: once, io });
    return await watch(showcase, { dir, repo, lab }, io, once);
  } catch (error) {
    const { message, code } = asPlumbError(error);
    if (io.signal.aborted) return 130;
    io.err(`plumb: ${message} [${code}]\n`);
    return 1;
  } finally {
    await showcase?.stop();
    if (lab) io.err('taking the lab hosts down\n');
    await lab?.down();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Names the process that a directory of ours belongs to: pid and start time. */
const OWNER = 'owner';

/** Start time of a process in clock ticks since boot; 0 for one that is dead, reaped or not. */
function bornAt(pid: number): number {
  return processFacts(pid) === undefined ? 0 : (startTime(pid) ?? 0);
}

function ownName(): string {
  return `${String(process.pid)} ${String(bornAt(process.pid))}`;
}

/** What an earlier start left that was killed: its lab host and its directory. */
async function removeLeftovers(io: Io): Promise<void> {
  for (const name of readdirSync(BASE).filter((each) => each.startsWith(PREFIX))) {
    const dir = join(BASE, name);
    const owner = existsSync(join(dir, OWNER)) ? readFileSync(join(dir, OWNER), 'utf8') : '';
    const [pid = 0, born = 0] = owner.split(' ').map(Number);
    if (owner === '' || bornAt(pid) === born) continue;
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
  const missing = ['dockerd', 'ovs-vswitchd', 'busybox', 'ip', 'redis-server'].filter(
    (program) => !onPath(program, io),
  );
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

/** What is being shown, and where. */
interface Scene {
  readonly dir: string;
  readonly repo: string;
  readonly lab: Lab | undefined;
}

async function watch(showcase: Showcase, scene: Scene, io: Io, once: boolean): Promise<number> {
  const { gone, socket } = showcase;
  const view = remoteView(socket);
  await listening(socket, gone);
  const status = await view
    .settle(AbortSignal.any([io.signal, gone, AbortSignal.timeout(150_000)]))
    .catch(() => view.status());
  io.out(`\n${renderWhole(status, io)}`);
  if (once) return statusCode(status);
  if (!io.signal.aborted) io.out(hints(showcase, scene, status, io));
  await aborted(AbortSignal.any([io.signal, gone]));
  return io.signal.aborted ? 0 : 1;
}

async function listening(socket: string, gone: AbortSignal): Promise<void> {
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

function hints({ state }: Showcase, { dir, repo, lab }: Scene, { items, hosts }: Status, io: Io): string {
  const paths = [`PLUMB_STATE_DIR=${state}`, `REPO=${repo}`, ...(lab ? [`LAB=${join(dir, 'lab')}`] : [])];
  const breakIt = lab
    ? `plumb lab exec --dir $LAB ${items.find(({ ref }) => ref === 'replica/web-0')?.host ?? 'h1'} -- docker kill plumb-web-0`
    : 'rm $PLUMB_STATE_DIR/simulated/container/web-0.json';
  const cut = lab
    ? `
  cut a host's cables, watch it be missed, and put them back:
    plumb lab cut --dir $LAB h3; sleep 20; plumb status; plumb lab heal --dir $LAB`
    : '';
  const rack = hosts[0]?.rack ?? 'r1';
  const title = tint(io, 'bold', 'Try, in another terminal:');
  return `
${title}
  export PATH=${join(ROOT, 'bin')}:$PATH ${paths.join(' ')}; cd $REPO
  break something by hand and watch it heal:
    ${breakIt}
  edit, commit, and watch it roll:
    sed -i 's/replicas: 3/replicas: 4/' $REPO/apps/web.yaml && git -C $REPO commit -qam 'One more web'
  ask why a value is what it is, and why a replica is where it is:
    plumb why container/web-0 memory; plumb explain web-0
  see a part of it, what is left, and what would fit:
    plumb status rack/${rack}; plumb capacity --scale web=20x
  say what would empty a host, and what a change would do:
    plumb drain h1; sed -i 's/replicas: [0-9]*/replicas: 5/' $REPO/apps/web.yaml; plumb plan --repo $REPO --work-tree${cut}

Ctrl-C takes everything down. What happens, as it happens:
`;
}
