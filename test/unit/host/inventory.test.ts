import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { factsText } from '../../../cli/host-facts.ts';
import { hostDocument } from '../../../cli/host-document.ts';
import { inventory, type Inventory } from '../../../providers/host/inventory/inventory.ts';
import { powerWords } from '../../../providers/host/inventory/power.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import { golden } from '../../support/golden.ts';
import { HARDWARE, plant, type HardwareName } from '../../support/hardware.ts';
import { SOUND, sourceFiles } from '../../support/manifests.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

/** What is told of a machine of this kind. */
function told(name: HardwareName): Inventory {
  const root = fs.mkdtempSync(join(tmpdir(), 'inventory-'));
  folders.push(root);
  plant(root, HARDWARE[name]);
  const at = (folder: string): string => join(root, folder);
  return inventory({
    procRoot: at('proc'),
    sysRoot: at('sys'),
    cgroupRoot: at('cgroup'),
    runRoot: at('run'),
    root,
    path: [at('bin')],
  });
}

const SAID = {
  hostname: 'H1.example.com',
  machineId: 'a'.repeat(32),
  addresses: ['10.0.0.7'],
  capacity: { cpu: 2000, memory: 2 ** 31, pids: 1000 },
  kernel: '6.1.0-18-amd64',
  cgroup: 'v2',
  platform: 'linux/amd64',
} as const;

describe('facts of machines of several kinds', () => {
  for (const name of Object.keys(HARDWARE) as HardwareName[])
    it(`${name}, as a person reads them`, () => {
      golden(`facts/${name.replaceAll(' ', '-')}.txt`, factsText({ ...SAID, inventory: told(name) }, { color: false }));
    });

  it('count sockets, cores and threads', () => {
    const counts = (name: HardwareName): readonly number[] => {
      const { sockets, cores, threads, nodes } = told(name).cpu;
      return [sockets, cores, threads, nodes.length];
    };
    assert.deepEqual(counts('two-socket server'), [2, 40, 80, 2]);
    assert.deepEqual(counts('storage server'), [1, 16, 32, 1]);
    assert.deepEqual(counts('arm server'), [1, 64, 64, 1]);
  });

  it('leave out what only software is, and disks of no size', () => {
    assert.deepEqual(
      told('two-socket server').nics.map(({ name }) => name),
      ['eno1', 'ens1f0'],
    );
    assert.deepEqual(
      told('virtual machine').disks.map(({ name }) => name),
      ['vda'],
    );
  });

  it('name the programs that set knobs as well', () => {
    assert.deepEqual(
      told('two-socket server').rivals.map(({ name }) => name),
      ['irqbalance', 'tuned'],
    );
    assert.deepEqual(told('arm server').rivals, []);
  });

  it('of an empty machine are empty, and say what is missing', () => {
    const root = fs.mkdtempSync(join(tmpdir(), 'inventory-'));
    folders.push(root);
    const none = inventory({ procRoot: root, sysRoot: root, cgroupRoot: root, runRoot: root, path: [root], root });
    assert.deepEqual([none.nics, none.disks, none.cpu.threads], [[], [], 0]);
    assert.equal(powerWords(none.power), 'no frequency scaling here');
    assert.ok(none.missing.some(({ what }) => what === 'cgroup controller memory'));
  });

  it('of this machine can be read', () => {
    const { cpu, memory } = inventory();
    assert.ok(cpu.threads > 0 && cpu.cores > 0 && cpu.cores <= cpu.threads && memory.bytes > 0);
  });
});

describe('the Host document of a machine', () => {
  for (const name of Object.keys(HARDWARE) as HardwareName[])
    it(`is valid: ${name}`, () => {
      const text = hostDocument({ ...SAID, inventory: told(name) }, 'fresh');
      const { problems, hosts } = compile(sourceFiles({ ...SOUND, 'fresh.yaml': text }), 'r1');
      assert.deepEqual(problems, []);
      assert.equal(hosts.get('fresh')?.spec.machine.machineId, SAID.machineId);
      const { cpu, nics, disks } = told(name);
      const hardware = hosts.get('fresh')?.spec.hardware;
      assert.deepEqual(
        [hardware?.cpu.cores, hardware?.nics.map((nic) => nic.driver), hardware?.disks.map((disk) => disk.rotational)],
        [cpu.cores, nics.map((nic) => nic.driver), disks.map((disk) => disk.rotational)],
      );
    });

  it('has the hostname in the letters of a name, and is recognised by it where there is no machine-id', () => {
    const text = hostDocument({ ...SAID, machineId: '', inventory: told('virtual machine') });
    assert.match(text, /name: h1\n/);
    assert.match(text, /hostname: H1\.example\.com\n/);
  });
});
