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
import type { Status } from '../../reconciler/loop/status.ts';
import { ensureTestImage } from '../support/image.ts';
import { makeRepository } from '../support/repository.ts';
import { app, base } from '../support/stage.ts';
import { SCRATCH } from '../support/uml-systemd.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PLUMB = join(ROOT, 'bin/plumb');
const CGROUPS = '/sys/fs/cgroup';
const MEBI = 2 ** 20;
const UNIT = 'plumbline.service';
/** App web with these limits, and more. */
const web = (quota: string, memory: string, pids: number): string =>
  app(
    'web',
    `  resources: { cpu: { shares: 512, quota: ${quota} }, memory: { limit: ${memory}, reservation: 16Mi }, pids: ${String(pids)} }`,
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

/** Asks until the answer is as wanted. */
async function becomes<T>(what: string, look: () => Promise<T> | T, good: (seen: T) => boolean): Promise<T> {
  let last: T | undefined;
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    last = await look();
    if (good(last)) return last;
  }
  throw new Error(`${what}: not within 60 s, but ${JSON.stringify(last)}`);
}

/** The unit that docs/operations.md shows, of this checkout and that repository. */
function documentedUnit(repo: string): string {
  const text = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
  const block = /^ {4}\[Unit\]\n(?: {4}.*\n|\n)+/m.exec(text)?.[0] ?? '';
  const unit = block.replaceAll(/^ {4}/gm, '');
  const command = 'ExecStart=/opt/plumbline/bin/plumb up --quiet --repo https://git.example.com/fleet.git --ref main';
  assert.ok(unit.includes(command), unit);
  return unit.replace(command, `ExecStart=${process.execPath} ${PLUMB} up --quiet --repo ${repo} --ref main`);
}

const view = remoteView('/run/plumbline/plumb.sock');
const repository = makeRepository();
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

const idOf = (name: string): Promise<string> => sh('docker', 'inspect', '-f', '{{.Id}}', name);
const scopeOf = async (name: string): Promise<string> => `docker-${await idOf(name)}.scope`;
const property = async (unit: string, name: string): Promise<string> =>
  await sh('systemctl', 'show', '--value', '-p', name, unit);

/** The kernel's file of a scope. */
function knob(scope: string, file: string): string {
  return readFileSync(join(CGROUPS, 'system.slice', scope, file), 'utf8').trim();
}

const FILES = ['cpu.max', 'cpu.weight', 'memory.max', 'memory.low', 'memory.swap.max', 'pids.max'];
const knobs = (scope: string): Readonly<Record<string, string>> =>
  Object.fromEntries(FILES.map((file) => [file, knob(scope, file)]));

describe('systemd holds the cgroups', () => {
  let scope: string;
  /** systemd writes to all cgroups anew what it knows of; what it does not know is put back. */
  const reloaded = async (right: Readonly<Record<string, string>>): Promise<void> => {
    await sh('systemctl', 'daemon-reload');
    await becomes(
      'as before the reload',
      () => knobs(scope),
      (seen) => isDeepStrictEqual(seen, right),
    );
  };
  before(async () => {
    commit({ ...base(), 'web.yaml': web('250m', '64Mi', 50) });
    await ensureTestImage();
    console.log(await sh('uname', '-r'), (await sh('systemctl', '--version')).split('\n')[0], process.version);
  });
  after(async () => {
    await sh('systemctl', 'stop', UNIT).catch(() => undefined);
  });

  it('is what users have: the unified hierarchy, and Docker with the systemd driver', async () => {
    assert.equal(readFileSync('/proc/1/comm', 'utf8').trim(), 'systemd');
    assert.ok(existsSync(join(CGROUPS, 'cgroup.controllers')));
    assert.equal(await sh('docker', 'info', '-f', '{{.CgroupDriver}} {{.CgroupVersion}}'), 'systemd 2');
    assert.equal(await property('dbus.socket', 'ActiveState'), 'active');
  });

  it('apply converges', async () => {
    const said = await sh(process.execPath, PLUMB, 'apply', '--repo', repository.directory, '--ref', 'main');
    console.log(said);
    scope = await scopeOf('plumb-web-0');
    console.log(scope, knobs(scope));
    const { 'cpu.weight': weight, ...others } = knobs(scope);
    assert.ok(['20', '50', '59'].includes(weight ?? ''), weight);
    assert.deepEqual(others, {
      'cpu.max': '25000 100000',
      'memory.max': String(64 * MEBI),
      'memory.low': String(16 * MEBI),
      'memory.swap.max': '0',
      'pids.max': '50',
    });
  });

  it('up as the documented service is Synced and Healthy', async () => {
    writeFileSync(`/etc/systemd/system/${UNIT}`, documentedUnit(repository.directory));
    await sh('systemctl', 'daemon-reload');
    await sh('systemctl', 'start', UNIT);
    const status = await converged();
    console.log(status.limitations, status.messages);
    assert.equal(await scopeOf('plumb-web-0'), scope, 'what apply made is taken over');
  });

  it('what is written by hand is put back, and systemd knows no other', async () => {
    const right = knobs(scope);
    for (const [file, text] of [
      ['pids.max', '7'],
      ['cpu.max', 'max 100000'],
      ['memory.max', 'max'],
      ['memory.low', '0'],
      ['memory.swap.max', 'max'],
      ['cpu.weight', '77'],
    ] as const) {
      writeFileSync(join(CGROUPS, 'system.slice', scope, file), text);
      await becomes(
        file,
        () => knob(scope, file),
        (seen) => seen === right[file],
      );
    }
    await converged();
    await reloaded(right);
  });

  it('what is set through systemd is put back there too', async () => {
    const right = knobs(scope);
    const systemd = ['TasksMax', 'MemoryMax', 'MemoryLow', 'CPUQuotaPerSecUSec', 'CPUWeight', 'MemorySwapMax'];
    const told = async (): Promise<readonly string[]> =>
      await Promise.all(systemd.map(async (name) => `${name}=${await property(scope, name)}`));
    const before = await told();
    console.log(before);
    await sh('systemctl', 'set-property', '--runtime', scope, 'TasksMax=9', 'MemoryMax=80M', 'CPUQuota=50%');
    await sh('systemctl', 'set-property', '--runtime', scope, 'MemoryLow=1M', 'CPUWeight=333');
    await becomes(
      'kernel',
      () => knobs(scope),
      (seen) => isDeepStrictEqual(seen, right),
    );
    await becomes('systemd', told, (seen) => isDeepStrictEqual(seen, before));
    await reloaded(right);
    await converged();
  });

  it('new limits from Git change in place, for systemd as well', async () => {
    const before = knobs(scope);
    commit({ 'web.yaml': web('335m', '80Mi', 60) });
    await converged();
    assert.equal(await scopeOf('plumb-web-0'), scope);
    assert.equal(knob(scope, 'memory.max'), String(80 * MEBI));
    await reloaded({ ...before, 'cpu.max': '33500 100000', 'memory.max': String(80 * MEBI), 'pids.max': '60' });
    assert.equal(await property(scope, 'MemoryMax'), String(80 * MEBI));
    assert.equal(await property(scope, 'TasksMax'), '60');
    await converged();
  });

  it('a restart of the service leaves containers alone', async () => {
    const pid = await sh('docker', 'inspect', '-f', '{{.State.Pid}}', 'plumb-web-0');
    await sh('systemctl', 'restart', UNIT);
    await converged();
    assert.equal(await sh('docker', 'inspect', '-f', '{{.State.Pid}}', 'plumb-web-0'), pid);
  });

  it('a scope that is stopped is a container that starts again', async () => {
    await sh('systemctl', 'stop', scope);
    await becomes(
      'running',
      () => sh('docker', 'inspect', '-f', '{{.State.Running}}', 'plumb-web-0'),
      (text) => text === 'true',
    );
    await converged();
    assert.equal(knob(await scopeOf('plumb-web-0'), 'pids.max'), '60');
  });

  it('a restart of Docker is survived', async () => {
    await sh('systemctl', 'restart', 'docker.service');
    await becomes(
      'serving',
      () => sh('docker', 'exec', 'plumb-web-0', 'hostname').catch(String),
      (said) => said === 'web-0',
    );
    await becomes(
      'limited',
      async () => knob(await scopeOf('plumb-web-0'), 'pids.max'),
      (seen) => seen === '60',
    );
    await converged();
  });
});

describe('a lab below systemd', () => {
  const dir = join(SCRATCH, 'lab');
  const NAME = 'below';
  /** Everything of the lab that could be left. */
  const remains = async (): Promise<readonly string[]> => [
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(dir) || line.includes(`plumb-${NAME}`)),
    ...readdirSync(CGROUPS, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(`plumb-${NAME}`)),
    ...(await sh('systemctl', 'list-units', '--all', '--plain', '--no-legend'))
      .split('\n')
      .filter((line) => line.includes('scratch-lab') || line.includes(`plumb-${NAME}`)),
    ...(existsSync(dir) ? [dir] : []),
  ];
  const namespacesOf = async (): Promise<string> => await sh('lsns', '-n', '-r', '-o', 'NS,TYPE', '-t', 'net');

  it('comes up, converges, is kept through a daemon-reload, and leaves nothing', async () => {
    const nets = await namespacesOf();
    const plumb = (...argv: readonly string[]): Promise<string> => sh(process.execPath, PLUMB, ...argv);
    await plumb('lab', 'up', '--name', NAME, '--dir', dir, '--hosts', '1');
    const inLab = (...argv: readonly string[]): Promise<string> =>
      plumb('lab', 'exec', '--dir', dir, 'h1', '--', ...argv);
    const apply = (): Promise<string> =>
      inLab(process.execPath, PLUMB, 'apply', '--repo', repository.directory, '--ref', 'main');
    assert.equal(await inLab('docker', 'info', '-f', '{{.CgroupDriver}} {{.CgroupVersion}}'), 'cgroupfs 2');
    assert.match(await apply(), /Synced, Healthy/);
    const id = await inLab('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0');
    const group = join(CGROUPS, `plumb-${NAME}/h1/docker`, id);
    const files = (): Readonly<Record<string, string>> =>
      Object.fromEntries(FILES.map((file) => [file, readFileSync(join(group, file), 'utf8').trim()]));
    const right = files();
    assert.equal(right['pids.max'], '60');
    await sh('systemctl', 'daemon-reload');
    await sh('systemctl', 'start', 'systemd-tmpfiles-clean.service');
    assert.deepEqual(files(), right, 'systemd leaves alone what is not its own');
    writeFileSync(join(group, 'pids.max'), '7');
    assert.match(await apply(), /Synced, Healthy/);
    assert.deepEqual(files(), right);
    await plumb('lab', 'down', '--dir', dir);
    await becomes('nothing is left', remains, (left) => left.length === 0);
    await becomes('its network namespaces are gone', namespacesOf, (seen) => seen === nets);
  });
});
