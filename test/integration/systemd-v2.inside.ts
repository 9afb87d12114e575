// Run by systemd-v2.test under User-Mode Linux, as a service of systemd: Docker and Open vSwitch are services as their packages bring them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { remoteView } from '../../cli/local.ts';
import { labUp } from '../../lab/lab.ts';
import type { Status } from '../../reconciler/loop/status.ts';
import { ensureTestImage } from '../support/image.ts';
import { makeRepository } from '../support/repository.ts';
import { app, base } from '../support/stage.ts';
import { SCRATCH } from '../support/uml-systemd.ts';

type Knobs = Readonly<Record<string, string>>;

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PLUMB = join(ROOT, 'bin/plumb');
const CGROUPS = '/sys/fs/cgroup';
const UNIT = 'plumbline.service';
const FILES = ['cpu.max', 'cpu.weight', 'memory.max', 'memory.low', 'memory.swap.max', 'pids.max'];
/** What systemd knows of the same. */
const PROPERTIES = ['CPUQuotaPerSecUSec', 'CPUWeight', 'MemoryMax', 'MemoryLow', 'MemorySwapMax', 'TasksMax'];
const MEBI = 2 ** 20;

/** App web with these limits, and a weight that the kernel cannot keep. */
const web = (quota: string, memory: string, pids: number): string =>
  app(
    'web',
    `  resources:
    cpu: { shares: 512, quota: ${quota} }
    memory: { limit: ${memory}, reservation: 16Mi }
    pids: ${String(pids)}
    blockIoWeight: 300`,
  );

/** What a command printed; it must succeed. */
async function sh(file: string, ...args: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(file, args, { timeout: 100_000, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${file} ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
      else resolve(stdout.trim());
    });
  });
}

/** Asks until the answer is as wanted; commands are asked seldom, for the guest has one slow CPU. */
async function becomes<T>(
  what: string,
  look: () => Promise<T> | T,
  good: (seen: T) => boolean,
  pause = 50,
): Promise<T> {
  let last: T | undefined;
  for (const end = Date.now() + 150_000; Date.now() < end; await sleep(pause)) {
    last = await look();
    if (good(last)) return last;
  }
  throw new Error(`${what}: not within 150 s, but ${JSON.stringify(last)}`);
}

/** The unit of a machine by itself, of this checkout and that repository. */
function documentedUnit(repo: string): string {
  const unit = readFileSync(join(ROOT, 'examples/systemd/plumbline.service'), 'utf8');
  const command = 'ExecStart=/opt/plumbline/bin/plumb up --quiet --repo https://git.example.com/fleet.git --ref main';
  assert.ok(unit.includes(command), unit);
  return unit.replace(command, `ExecStart=${process.execPath} ${PLUMB} up --quiet --repo ${repo} --ref main`);
}

function knobsIn(directory: string): Knobs {
  return Object.fromEntries(FILES.map((file) => [file, readFileSync(join(directory, file), 'utf8').trim()]));
}

const repository = makeRepository();
const view = remoteView('/run/plumbline/plumb.sock');
let head = '';

function commit(files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) repository.write(file, text);
  head = repository.commit('Change');
}

async function converged(): Promise<Status> {
  const good = (s: Status | undefined): boolean =>
    s?.revision === head && s.sync === 'Synced' && s.health === 'Healthy';
  const status = await becomes('converged', () => view.status().catch(() => undefined), good);
  assert.ok(status);
  return status;
}

const inspect = (format: string): Promise<string> => sh('docker', 'inspect', '-f', format, 'plumb-web-0');
const scopeNow = async (): Promise<string> => `docker-${await inspect('{{.Id}}')}.scope`;

describe('Docker with the systemd driver', () => {
  let scope: string;
  const directory = (): string => join(CGROUPS, 'system.slice', scope);
  const knobs = (): Knobs => knobsIn(directory());
  const told = (): Promise<string> => sh('systemctl', 'show', '-p', PROPERTIES.join(), scope);
  /** How often limits were put right until now. */
  const repairs = async (): Promise<number> => {
    let count = 0;
    for await (const { type } of view.journal({ ref: 'cgroup/web-0' }, false, AbortSignal.timeout(20_000)))
      if (type === 'intent') count += 1;
    return count;
  };
  /** systemd writes into all cgroups what it knows of them. */
  const reload = async (right: Knobs): Promise<void> => {
    await sh('systemctl', 'daemon-reload');
    await becomes('as before the reload', knobs, (seen) => isDeepStrictEqual(seen, right));
    await converged();
  };

  before(async () => {
    commit({ ...base(), 'web.yaml': web('250m', '64Mi', 50) });
    await ensureTestImage();
    console.log(await sh('uname', '-r'), (await sh('systemctl', '--version')).split('\n')[0]);
  });
  after(async () => {
    await sh('systemctl', 'stop', UNIT);
  });

  it('is what is here: systemd first, on the unified hierarchy', async () => {
    assert.equal(readFileSync('/proc/1/comm', 'utf8').trim(), 'systemd');
    assert.ok(existsSync(join(CGROUPS, 'cgroup.controllers')));
    assert.equal(await sh('docker', 'info', '-f', '{{.CgroupDriver}} {{.CgroupVersion}}'), 'systemd 2');
  });

  it('holds what the documented service asks of it', async () => {
    writeFileSync(`/etc/systemd/system/${UNIT}`, documentedUnit(repository.directory));
    await sh('systemctl', 'daemon-reload');
    await sh('systemctl', 'start', UNIT);
    const { limitations, messages } = await converged();
    const lacking = limitations.map(({ ref, path, state }) => `${ref} ${path} ${state}`);
    assert.deepEqual(lacking, ['cgroup/web-0 /blockIoWeight Unsupported']);
    assert.deepEqual(messages, []);
    scope = await scopeNow();
    const { 'cpu.weight': weight = '', ...others } = knobs();
    assert.ok(['20', '50', '59'].includes(weight), `one of the formulas gave ${weight}`);
    assert.deepEqual(others, {
      'cpu.max': '25000 100000',
      'memory.max': String(64 * MEBI),
      'memory.low': String(16 * MEBI),
      'memory.swap.max': '0',
      'pids.max': '50',
    });
  });

  it('what no engine tells systemd it is told with the first repair: a daemon-reload does not bring swap back', async () => {
    const right = knobs();
    writeFileSync(join(directory(), 'memory.swap.max'), 'max');
    await becomes('told', told, (seen) => /^MemorySwapMax=0$/m.test(seen), 500);
    await reload(right);
    const before = await repairs();
    await reload(right);
    assert.equal(await repairs(), before, 'nothing was to be put right');
  });

  it('what is written by hand is put back', async () => {
    const right = knobs();
    const hands = [
      ['pids.max', '7'],
      ['cpu.max', 'max 100000'],
      ['memory.max', 'max'],
      ['memory.low', '0'],
      ['memory.swap.max', 'max'],
      ['cpu.weight', '77'],
    ] as const;
    for (const [file, text] of hands) {
      writeFileSync(join(directory(), file), text);
      await becomes(file, knobs, (seen) => seen[file] === right[file]);
    }
    await becomes('all', knobs, (seen) => isDeepStrictEqual(seen, right));
  });

  it('what is set through systemd is put back there too', async () => {
    const right = knobs();
    const known = await told();
    const other = ['TasksMax=9', 'MemoryMax=80M', 'MemoryLow=1M', 'CPUQuota=50%', 'CPUWeight=333'];
    await sh('systemctl', 'set-property', '--runtime', scope, ...other);
    await becomes('the kernel', knobs, (seen) => isDeepStrictEqual(seen, right));
    await becomes('systemd', told, (seen) => seen === known, 500);
    await reload(right);
  });

  it('new limits from Git change in place, and systemd knows them', async () => {
    const right = { ...knobs(), 'cpu.max': '33000 100000', 'memory.max': String(80 * MEBI), 'pids.max': '60' };
    commit({ 'web.yaml': web('330m', '80Mi', 60) });
    await converged();
    assert.equal(await scopeNow(), scope);
    assert.deepEqual(knobs(), right);
    const known = await told();
    for (const line of [`MemoryMax=${String(80 * MEBI)}`, 'TasksMax=60']) assert.ok(known.includes(line), known);
    await reload(right);
  });

  it('a restart of the service leaves the container alone', async () => {
    const pid = await inspect('{{.State.Pid}}');
    await sh('systemctl', 'restart', UNIT);
    await converged();
    assert.equal(await inspect('{{.State.Pid}}'), pid);
  });

  it('a scope that is stopped is a container that starts again, with its limits', async () => {
    const right = knobs();
    const pid = await inspect('{{.State.Pid}}');
    await sh('systemctl', 'stop', scope);
    await becomes(
      'another process',
      () => inspect('{{.State.Running}} {{.State.Pid}}'),
      (said) => said.startsWith('true') && said !== `true ${pid}`,
      500,
    );
    await becomes('limits', knobs, (seen) => isDeepStrictEqual(seen, right));
    await converged();
  });
});

describe('a lab below systemd', () => {
  const name = 'below';
  const dir = join(SCRATCH, name);
  /** Everything of the lab that could be left. */
  const remains = async (): Promise<readonly string[]> => [
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(dir)),
    ...readdirSync(CGROUPS, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes(`plumb-${name}`)),
    ...(await sh('systemctl', 'list-units', '--all', '--plain', '--no-legend'))
      .split('\n')
      .filter((unit) => unit.includes(`scratch-${name}`) || unit.includes(`plumb-${name}`)),
    ...(existsSync(dir) ? [dir] : []),
  ];
  const nets = (): Promise<string> => sh('lsns', '-n', '-r', '-o', 'NS', '-t', 'net');

  it('comes up, converges, is left alone by a daemon-reload, and leaves nothing', async () => {
    const before = await nets();
    const lab = await labUp({ name, dir, hosts: 1, racks: 1 });
    const inLab = async (...argv: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await lab.exec('h1', argv);
      assert.equal(code, 0, `${argv.join(' ')}: ${stdout}${stderr}`);
      return stdout.trim();
    };
    const apply = (): Promise<string> =>
      inLab(process.execPath, PLUMB, 'apply', '--repo', repository.directory, '--ref', 'main');
    assert.equal(await inLab('docker', 'info', '-f', '{{.CgroupDriver}} {{.CgroupVersion}}'), 'cgroupfs 2');
    assert.match(await apply(), /Synced, Healthy/);
    const id = await inLab('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0');
    const group = join(CGROUPS, `plumb-${name}/h1/docker`, id);
    const right = knobsIn(group);
    assert.equal(right['pids.max'], '60');
    await sh('systemctl', 'daemon-reload');
    assert.deepEqual(knobsIn(group), right, 'systemd leaves alone what is not its own');
    writeFileSync(join(group, 'pids.max'), '7');
    assert.match(await apply(), /Synced, Healthy/);
    assert.deepEqual(knobsIn(group), right);
    await lab.down();
    await becomes('nothing is left', remains, (left) => left.length === 0, 500);
    await becomes('its network namespaces are gone', nets, (seen) => seen === before, 500);
  });
});
