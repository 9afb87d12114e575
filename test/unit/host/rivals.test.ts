import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inventory } from '../../../providers/host/inventory/inventory.ts';
import { createRivals } from '../../../providers/host/rivals/rivals.ts';
import { knobs } from '../../../providers/host/knobs/index.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { kernel } from '../../support/kernel-files.ts';
import { converge, look, machine as hardware, machineWith, want } from '../../support/knobs-rig.ts';

/** What is said of a knob: who, the value, when. */
function said(files: Readonly<Record<string, string>>, ref: Ref, own: readonly string[] = []): readonly string[] {
  const root = machineWith(files);
  const rivals = createRivals({ root, procRoot: join(root, 'proc') });
  return rivals.claimsOn(ref, own).map(({ by, value, when }) => `${by}: ${value ?? '?'} ${when}`);
}

const NAME = 'sysctl/vm.swappiness';
const TUNED = {
  'proc/12/comm': 'tuned\n',
  'etc/tuned/active_profile': 'mine\n',
  'etc/tuned/mine/tuned.conf':
    '# ours\n[main]\ninclude=throughput-performance\n\n[disks]\ntype=disk\ndevices=sda\nelevator=none\n[sysctl]\nvm.swappiness=30\n',
  'usr/lib/tuned/throughput-performance/tuned.conf':
    '[cpu]\ngovernor=performance\nenergy_perf_bias=performance\n[sysctl]\nvm.swappiness=10\nnet.core.somaxconn=>2048\n',
};

describe('who else sets a knob', () => {
  const cases: readonly {
    readonly name: string;
    readonly files: Readonly<Record<string, string>>;
    readonly ref: Ref;
    readonly own?: readonly string[];
    readonly says: readonly string[];
  }[] = [
    { name: 'nobody', files: {}, ref: NAME, says: [] },
    {
      name: 'sysctl.d, by file and line',
      files: { 'etc/sysctl.d/60-x.conf': '# a\n\n; b\nkernel.x = 1\nvm.swappiness = 60\n' },
      ref: NAME,
      says: ['/etc/sysctl.d/60-x.conf:5: 60 at the next boot'],
    },
    {
      name: 'sysctl.d in slashes, with a dash',
      files: { 'etc/sysctl.d/60-x.conf': '-net/ipv4/conf/eth0.1/rp_filter=2\n' },
      ref: 'sysctl/net.ipv4.conf.eth0/1.rp_filter',
      says: ['/etc/sysctl.d/60-x.conf:1: 2 at the next boot'],
    },
    {
      name: 'the file that comes last by name, wherever it is',
      files: {
        'etc/sysctl.d/10-a.conf': 'vm.swappiness=1',
        'usr/lib/sysctl.d/90-b.conf': 'vm.swappiness=2\nvm.swappiness=3',
        'run/sysctl.d/50-c.conf': 'vm.swappiness=4',
      },
      ref: NAME,
      says: ['/usr/lib/sysctl.d/90-b.conf:2: 3 at the next boot'],
    },
    {
      name: 'not a file that one of the same name in /etc hides',
      files: { 'etc/sysctl.d/90-b.conf': '', 'usr/lib/sysctl.d/90-b.conf': 'vm.swappiness=2' },
      ref: NAME,
      says: [],
    },
    {
      name: 'one that names it before a pattern',
      files: { 'etc/sysctl.d/1.conf': 'net.ipv4.conf.lo.rp_filter=0\nnet.ipv4.conf.*.rp_filter=1' },
      ref: 'sysctl/net.ipv4.conf.lo.rp_filter',
      says: ['/etc/sysctl.d/1.conf:1: 0 at the next boot'],
    },
    {
      name: 'a pattern',
      files: { 'etc/sysctl.d/1.conf': 'net.ipv4.conf.*.rp_filter=1' },
      ref: 'sysctl/net.ipv4.conf.lo.rp_filter',
      says: ['/etc/sysctl.d/1.conf:1: 1 at the next boot'],
    },
    {
      name: 'tmpfiles.d, by the path of the file',
      files: { 'etc/tmpfiles.d/thp.conf': 'd /run/x\nw! /sys/kernel/mm/transparent_hugepage/enabled - - - - never\n' },
      ref: 'knob/memory.hugepages',
      own: ['/sys/kernel/mm/transparent_hugepage/enabled'],
      says: ['/etc/tmpfiles.d/thp.conf:2: never at the next boot'],
    },
    {
      name: 'a profile of tuned that runs, and what it includes',
      files: TUNED,
      ref: 'knob/cpu.governor',
      says: ['tuned (profile mine), /usr/lib/tuned/throughput-performance/tuned.conf:2: performance while it runs'],
    },
    {
      name: 'a profile over what it includes',
      files: TUNED,
      ref: NAME,
      says: ['tuned (profile mine), /etc/tuned/mine/tuned.conf:10: 30 while it runs'],
    },
    {
      name: 'a section of tuned with a name of its own',
      files: TUNED,
      ref: 'knob/disk.solid.scheduler',
      says: ['tuned (profile mine), /etc/tuned/mine/tuned.conf:8: none while it runs'],
    },
    {
      name: 'tuned with a value that it works out',
      files: TUNED,
      ref: 'sysctl/net.core.somaxconn',
      says: ['tuned (profile mine), /usr/lib/tuned/throughput-performance/tuned.conf:6: ? while it runs'],
    },
    {
      name: 'not tuned where it does not run',
      files: { ...TUNED, 'proc/12/comm': 'bash\n' },
      ref: NAME,
      says: [],
    },
    {
      name: 'irqbalance, of any card',
      files: { 'proc/9/comm': 'irqbalance\n' },
      ref: 'knob/nic.interrupts[driver=ixgbe]',
      says: ['irqbalance: ? while it runs'],
    },
    { name: 'not irqbalance of another knob', files: { 'proc/9/comm': 'irqbalance\n' }, ref: 'knob/nic.mtu', says: [] },
    {
      name: 'dockerd, which turns forwarding on',
      files: { 'proc/9/comm': 'dockerd\n', 'proc/9/cmdline': '/usr/bin/dockerd\0-H\0fd://' },
      ref: 'sysctl/net.ipv4.ip_forward',
      says: ['dockerd: 1 when it starts'],
    },
    {
      name: 'not a dockerd that leaves it alone',
      files: {
        'proc/9/comm': 'dockerd\n',
        'proc/9/cmdline': '/usr/bin/dockerd',
        'etc/docker/daemon.json': '{"ip-forward": false}',
      },
      ref: 'sysctl/net.ipv4.ip_forward',
      says: [],
    },
  ];
  for (const { name, files, ref, own, says } of cases)
    it(`is ${name}`, () => {
      assert.deepEqual(said(files, ref, own), says);
    });

  it('is read again only after a minute', () => {
    const root = machineWith({ 'etc/sysctl.d/1.conf': 'vm.swappiness=1' });
    let now = 0;
    const rivals = createRivals({ root, procRoot: join(root, 'proc'), now: () => now });
    const value = (): string | undefined => rivals.claimsOn(NAME)[0]?.value;
    assert.equal(value(), '1');
    fs.writeFileSync(join(root, 'etc/sysctl.d/1.conf'), 'vm.swappiness=2');
    now = 59_999;
    assert.equal(value(), '1');
    now = 60_000;
    assert.equal(value(), '2');
  });

  it('is told with what ends it', () => {
    const root = machineWith({ ...TUNED, 'etc/sysctl.d/1.conf': 'vm.swappiness=1' });
    const rivals = createRivals({ root, procRoot: join(root, 'proc') });
    assert.deepEqual(
      rivals.claimsOn(NAME).map(({ fix }) => fix),
      ['tuned-adm off && systemctl disable --now tuned', 'remove /etc/sysctl.d/1.conf:1'],
    );
  });
});

it('programs are looked for among all processes seldom, and those that were found each minute', (t) => {
  const root = machineWith({ 'proc/9/comm': 'irqbalance\n', 'proc/10/comm': 'bash\n', 'proc/11/comm': 'dockerd\n' });
  let now = 0;
  const rivals = createRivals({ root, procRoot: join(root, 'proc'), now: () => now });
  const seen = (after: number): number => {
    now += after;
    return rivals.claimsOn('knob/nic.interrupts').length;
  };
  const read = t.mock.method(fs, 'readFileSync');
  const names = (): readonly string[] =>
    read.mock.calls.map(({ arguments: [path] }) => String(path)).filter((path) => path.endsWith('/comm'));
  assert.equal(seen(0), 1);
  assert.equal(names().length, 3, 'each process once');
  read.mock.resetCalls();
  assert.equal(seen(60_000), 1);
  assert.equal(names().length, 2, 'those that were found');
  fs.writeFileSync(join(root, 'proc/9/comm'), 'bash\n');
  assert.equal(seen(60_000), 0, 'another one has its number');
  assert.equal(seen(180_000), 0);
  fs.writeFileSync(join(root, 'proc/10/comm'), 'irqbalance\n');
  assert.equal(seen(60_000), 0);
  assert.equal(seen(600_000), 1);
});

it('a program that is started anew is found at the next look', () => {
  const root = machineWith({ 'proc/9/comm': 'irqbalance\n' });
  let now = 0;
  const rivals = createRivals({ root, procRoot: join(root, 'proc'), now: () => now });
  const seen = (after: number): number => {
    now += after;
    return rivals.claimsOn('knob/nic.interrupts').length;
  };
  const move = (from: string, to: string): void => fs.renameSync(join(root, from), join(root, to));
  assert.equal(seen(0), 1);
  move('proc/9', 'proc/20');
  assert.equal(seen(60_000), 1, 'it has another number');
  move('proc/20', 'ended');
  assert.equal(seen(60_000), 0);
  move('ended', 'proc/30');
  assert.equal(seen(60_000), 1, 'it took its time to come back');
});

it('a line of tmpfiles.d that says what a word stands for in its file is no claim', async () => {
  const claims = async (mask: string) => {
    const { root, originalsFile } = hardware('two-socket server');
    const line = `w /sys/class/net/eno1/queues/rx-3/rps_cpus - - - - ${mask}\n`;
    const rivals = createRivals({ root: machineWith({ 'etc/tmpfiles.d/x.conf': line }), procRoot: join(root, 'none') });
    const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
    const provider = knobs({ ...at, files: kernel, rivals });
    const key = 'nic.receiveSteering[driver=tg3]';
    await converge(provider, [want(key, 'spread')]);
    return (await look(provider, key)).claims?.map(({ value }) => value);
  };
  assert.equal(await claims('0000ffff,ffffffff,ffffffff'), undefined);
  assert.deepEqual(await claims('1'), ['1']);
});

it('the facts of a machine name files that set kernel parameters, and the profile of tuned', () => {
  const root = machineWith({ ...TUNED, 'etc/sysctl.d/1.conf': 'vm.swappiness=1\nvm.x=2' });
  const { rivals } = inventory({
    root,
    procRoot: join(root, 'proc'),
    sysRoot: root,
    cgroupRoot: root,
    runRoot: root,
    path: [],
  });
  assert.deepEqual(
    rivals.map(({ name, sets }) => [name, sets]),
    [
      ['tuned (profile mine)', 'sysctls, governors, disks and more by its profile'],
      ['/etc/sysctl.d/1.conf', 'vm.swappiness and vm.x at each boot'],
    ],
  );
});
