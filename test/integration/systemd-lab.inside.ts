// Run by systemd-lab.test under User-Mode Linux, as a service of systemd.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { labUp } from '../../lab/lab.ts';
import { makeRepository } from '../support/repository.ts';
import { base } from '../support/stage.ts';
import { becomes, CGROUPS, knobsIn, limitedWeb, PLUMB, sh } from '../support/systemd-guest.ts';
import { SCRATCH } from '../support/uml-systemd.ts';

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
    const repository = makeRepository();
    const files = { ...base(), 'web.yaml': limitedWeb('330m', '80Mi', 60) };
    for (const [file, text] of Object.entries(files)) repository.write(file, text);
    repository.commit('First');
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
