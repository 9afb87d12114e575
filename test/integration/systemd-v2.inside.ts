// Run by systemd-v2.test under User-Mode Linux, as a service of systemd: Docker and Open vSwitch are services as their packages bring them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { remoteView } from '../../cli/local.ts';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { ensureTestImage } from '../support/image.ts';
import { makeRepository } from '../support/repository.ts';
import { base } from '../support/stage.ts';
import { becomes, CGROUPS, knobsIn, limitedWeb, PLUMB, ROOT, sh, type Knobs } from '../support/systemd-guest.ts';

const UNIT = 'plumbline.service';
/** What systemd knows of the limits. */
const PROPERTIES = ['CPUQuotaPerSecUSec', 'CPUWeight', 'MemoryMax', 'MemoryLow', 'MemorySwapMax', 'TasksMax'];
const MEBI = 2 ** 20;

/** The unit of a machine by itself, of this checkout and that repository. */
function documentedUnit(repo: string): string {
  const unit = readFileSync(join(ROOT, 'examples/systemd/plumbline.service'), 'utf8');
  const command = 'ExecStart=/opt/plumbline/bin/plumb up --quiet --repo https://git.example.com/fleet.git --ref main';
  assert.ok(unit.includes(command), unit);
  return unit.replace(command, `ExecStart=${process.execPath} ${PLUMB} up --quiet --repo ${repo} --ref main`);
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
  /** Why limits were set after the container was made, each time. */
  const causes = async (): Promise<readonly string[]> => {
    const all: string[] = [];
    for await (const entry of view.journal({ ref: 'cgroup/web-0' }, false, AbortSignal.timeout(20_000)))
      if (entry.type === 'intent') all.push(entry.because);
    return all;
  };
  /** systemd writes into all cgroups what it knows of them. */
  const reload = async (right: Knobs): Promise<void> => {
    await sh('systemctl', 'daemon-reload');
    await becomes('as before the reload', knobs, (seen) => isDeepStrictEqual(seen, right));
    await converged();
  };

  before(async () => {
    commit({ ...base(), 'web.yaml': limitedWeb('250m', '64Mi', 50) });
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
    const { messages } = await converged();
    // the look at the cgroup that tells of it may wait for systemd, and the container not for that
    const lacking = async (): Promise<readonly string[]> =>
      (await view.status()).limitations.map(({ ref, path, state }) => `${ref} ${path} ${state}`);
    await becomes('lacking', lacking, (seen) => isDeepStrictEqual(seen, ['cgroup/web-0 /blockIoWeight Unsupported']));
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

  it('what no engine tells systemd it was told at the first look, without a repair: a daemon-reload brings no swap back', async () => {
    const right = knobs();
    await becomes('told', told, (seen) => /^MemorySwapMax=0$/m.test(seen), 500);
    assert.deepEqual(await causes(), ['new']);
    await reload(right);
    assert.deepEqual(await causes(), ['new'], 'nothing was to be put right');
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
    commit({ 'web.yaml': limitedWeb('330m', '80Mi', 60) });
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
