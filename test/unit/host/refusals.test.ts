import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { disk, type Files } from '../../../providers/host/files.ts';
import { host } from '../../../providers/host/index.ts';
import { knobs } from '../../../providers/host/knobs/index.ts';
import { createRefusals, isLacking, passes } from '../../../providers/host/refusals.ts';
import { takesOf } from '../../../providers/host/takes.ts';
import type { Desired, Known } from '../../../reconciler/model/change.ts';
import type { Provider } from '../../../reconciler/model/provider.ts';
import type { SysctlSpec, SysctlState } from '../../../reconciler/model/resources.ts';
import { errno } from '../../support/cgroup-tree.ts';
import { kernel } from '../../support/kernel-files.ts';
import { context, look, machine, machineWith, want } from '../../support/knobs-rig.ts';

describe('a refusal passes, or is for good', () => {
  const forGood = 'EINVAL ERANGE EDOM EOPNOTSUPP ENOSYS EIO EPERM EACCES E2BIG'.split(' ');
  const passing = 'EBUSY EAGAIN EINTR ENOMEM ENOSPC ENOBUFS EMFILE ENFILE ENODEV ENOENT ENETDOWN EROFS ETIMEDOUT'.split(
    ' ',
  );
  for (const name of forGood) it(`${name} is for good`, () => assert.equal(passes(`${name}: with words`), false));
  for (const name of passing) it(`${name} passes`, () => assert.equal(passes(name), true));
  it('what it says instead, or that another knob has it, is for good', () => {
    for (const why of [
      'it took 1000 and says 1024',
      'it is set by knob/nic.mtu',
      '9999 is more than 4096, the most that it takes',
    ])
      assert.equal(passes(why), false);
  });
  it('what a kernel has not is told from what it does not take', () => {
    assert.deepEqual(['EOPNOTSUPP', 'ENOSYS', 'EINVAL', undefined].map(isLacking), [true, true, false, false]);
  });
});

describe('a refusal is kept', () => {
  const kept = () => {
    const refusals = createRefusals();
    refusals.note('a', { target: '2', want: '2', why: 'EINVAL', says: '1', owner: 'x' });
    refusals.note('b', { target: '2', want: '2', why: 'EIO', says: '1', owner: 'x' });
    return refusals;
  };
  const has = (refusals: ReturnType<typeof kept>, id: string, says = '1', owner = 'x'): boolean =>
    refusals.of(id, says, () => ({ owner, under: undefined })) !== undefined;

  it('while the file says the same of the same device', () => {
    const refusals = kept();
    assert.deepEqual(
      [has(refusals, 'a'), has(refusals, 'a', '3'), has(refusals, 'a', '1', 'y'), has(refusals, 'c')],
      [true, false, false, false],
    );
  });
  it('while what it is refused for is as it was, also where the errno passes', () => {
    const refusals = createRefusals();
    refusals.note('a', { target: '2', want: '2', why: 'EBUSY', says: '1', under: 'performance' });
    assert.notEqual(
      refusals.of('a', '1', () => ({ under: 'performance' })),
      undefined,
    );
    assert.equal(
      refusals.of('a', '1', () => ({})),
      undefined,
    );
  });
  it('until it is taken, or passes', () => {
    for (const passing of [{ why: 'EBUSY' }, { why: 'EROFS', under: 'performance' }]) {
      const refusals = kept();
      refusals.forget('a');
      refusals.note('b', { target: '2', want: '2', says: '1', owner: 'x', ...passing });
      assert.deepEqual(
        [has(refusals, 'a'), refusals.of('b', '1', () => ({ owner: 'x', ...passing }))],
        [false, undefined],
      );
    }
  });
  it('until another of its kind is set, where that may be the reason', () => {
    const refusals = kept();
    refusals.forgetOthers((id) => id === 'c');
    assert.deepEqual([has(refusals, 'a'), has(refusals, 'b')], [true, true]);
    refusals.forgetOthers(() => true);
    assert.deepEqual([has(refusals, 'a'), has(refusals, 'b')], [false, true]);
  });
});

describe('what a kernel parameter takes', () => {
  const said = (key: string): string | undefined =>
    key.endsWith('available_congestion_control') ? 'reno cubic\n' : undefined;
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['net.ipv4.tcp_congestion_control', 'reno, cubic'],
    ['net/ipv4/tcp_congestion_control', 'reno, cubic'],
    ['kernel.seccomp.actions_logged', undefined],
    ['vm.swappiness', '0 to 200 (100 before Linux 5.8)'],
    ['vm.no_such', undefined],
  ];
  for (const [key, takes] of cases)
    it(`${key}: ${takes ?? 'is not known'}`, () => assert.equal(takesOf(key, said), takes));
});

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

/** Kernel parameters of which some refuse. `refuses` gives the errno, or what is written instead. */
function parameters(
  values: Readonly<Record<string, string>>,
  refuses: (key: string, text: string) => string | undefined,
) {
  const root = machineWith(
    Object.fromEntries(Object.entries(values).map(([key, text]) => [`proc/sys/${key.replaceAll('.', '/')}`, text])),
  );
  const state = fs.mkdtempSync(join(tmpdir(), 'refusals-'));
  folders.push(state);
  const tries: string[] = [];
  const files: Files = {
    ...disk,
    write: (path, text) => {
      const key = path.slice(join(root, 'proc/sys/').length).replaceAll('/', '.');
      tries.push(`${key}=${text.trim()}`);
      const answer = refuses(key, text.trim());
      if (answer?.startsWith('E') === true) throw errno(answer);
      disk.write(path, `${answer ?? text.trim()}\n`);
    },
  };
  const refusals = createRefusals();
  const again = (known = createRefusals()): Provider<SysctlSpec, SysctlState> =>
    host({ procRoot: join(root, 'proc'), originalsFile: join(state, 'originals.json'), files, refusals: known });
  const put = (key: string, text: string): void =>
    fs.writeFileSync(join(root, 'proc/sys', key.replaceAll('.', '/')), text);
  return { provider: again(refusals), refusals, again, tries, put };
}

const ask = (key: string, value: string): Desired<SysctlSpec> => ({
  ref: `sysctl/${key}`,
  spec: { key, value },
  dependsOn: [],
  origin: { revision: 'r', file: 'f', line: 1, column: 1 },
});

/** One look, and what differs is asked for. */
async function pass(
  provider: Provider<SysctlSpec, SysctlState>,
  ...wants: readonly Desired<SysctlSpec>[]
): Promise<readonly string[]> {
  const ctx = context();
  const failed: string[] = [];
  for (const change of provider.diff(
    wants,
    await provider.observe(
      ctx,
      wants.map(({ ref }) => ref),
    ),
  ))
    await provider.apply(change, ctx).catch((error: unknown) => failed.push((error as Error).message));
  return failed;
}

async function said(provider: Provider<SysctlSpec, SysctlState>, key: string) {
  const [seen] = (await provider.observe(context(), [`sysctl/${key}`])) as readonly Known<SysctlState>[];
  return seen?.limitations?.map(({ state, why, errno: name, want: value }) => [state, why, name, value]);
}

describe('a kernel parameter', () => {
  const NAME = 'vm.swappiness';
  const refusing = (values: Readonly<Record<string, string>> = { [NAME]: '60\n' }) =>
    parameters(values, (_key, text) => (text === '999' ? 'EINVAL' : undefined));

  it('that refuses a value for good is asked once, and told with what it takes', async () => {
    const { provider, tries } = refusing();
    const why = 'EINVAL, the kernel does not take this value; it takes 0 to 200 (100 before Linux 5.8)';
    assert.deepEqual(await pass(provider, ask(NAME, '999')), [`${NAME} = 999: ${why}`]);
    for (let looks = 0; looks < 3; looks += 1) assert.deepEqual(await pass(provider, ask(NAME, '999')), []);
    assert.deepEqual(tries, [`${NAME}=999`]);
    assert.deepEqual(await said(provider, NAME), [['Refused', `999: ${why}`, 'EINVAL', '999']]);
  });

  it('is asked again for another value, which ends what was said', async () => {
    const { provider, tries } = refusing();
    await pass(provider, ask(NAME, '999'));
    await pass(provider, ask(NAME, '10'));
    assert.deepEqual(tries, [`${NAME}=999`, `${NAME}=10`]);
    assert.equal(await said(provider, NAME), undefined);
  });

  it('is asked again when it says another value, and once at each start', async () => {
    const { provider, again, tries, put } = refusing();
    await pass(provider, ask(NAME, '999'));
    put(NAME, '61\n');
    await pass(provider, ask(NAME, '999'));
    await pass(provider, ask(NAME, '999'));
    assert.equal(tries.length, 2);
    const next = again();
    await pass(next, ask(NAME, '999'));
    await pass(next, ask(NAME, '999'));
    assert.equal(tries.length, 3);
  });

  it('is asked again when another of its kind was set, and not when one of another', async () => {
    const { provider, tries } = refusing({ [NAME]: '60\n', 'vm.stat_interval': '1\n', 'kernel.panic': '0\n' });
    const times = (): number => tries.filter((one) => one.startsWith(NAME)).length;
    await pass(provider, ask(NAME, '999'));
    await pass(provider, ask('kernel.panic', '10'));
    await pass(provider, ask(NAME, '999'));
    assert.equal(times(), 1);
    await pass(provider, ask('vm.stat_interval', '10'));
    await pass(provider, ask(NAME, '999'));
    assert.equal(times(), 2);
  });

  it('that takes a value as another is asked once', async () => {
    const { provider, tries } = parameters({ 'net.core.x': '1\n' }, (_key, text) => (text === '7' ? '8' : undefined));
    await pass(provider, ask('net.core.x', '7'));
    assert.deepEqual(await pass(provider, ask('net.core.x', '7')), []);
    assert.equal(tries.length, 1);
    assert.deepEqual(await said(provider, 'net.core.x'), [
      ['Refused', '7: the kernel took it and says 8', undefined, '7'],
    ]);
  });

  const passing: readonly (readonly [string, string, string, string])[] = [
    ['that is in use', 'net.netfilter.nf_conntrack_buckets', '65536', 'EBUSY'],
    ['that names a module which is not loaded', 'net.ipv4.tcp_congestion_control', 'bbr', 'ENOENT'],
    ['of huge pages, of which the kernel has fewer just now', 'vm.nr_hugepages', '1024', '700'],
  ];
  for (const [name, key, value, answer] of passing)
    it(`${name} is asked with each look`, async () => {
      const { provider, tries } = parameters({ [key]: '1\n' }, () => answer);
      for (let looks = 0; looks < 3; looks += 1) assert.equal((await pass(provider, ask(key, value))).length, 1);
      assert.equal(tries.length, 3);
      assert.equal(await said(provider, key), undefined, 'it fails, and is no limitation');
    });

  it('of the network is asked again when a card was set', async () => {
    const MTU = 'net.ipv6.conf.ens1f0.mtu';
    const { provider, refusals, tries } = parameters({ [MTU]: '1500\n' }, () => 'EINVAL');
    await pass(provider, ask(MTU, '9000'));
    const { root, originalsFile } = machine('two-socket server');
    const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile, files: kernel, refusals };
    const cards = knobs(at);
    const desired = [want('nic.mtu[name=ens1f0]', '9000')];
    for (const change of cards.diff(desired, [await look(cards, 'nic.mtu[name=ens1f0]')]))
      await cards.apply(change, context());
    await pass(provider, ask(MTU, '9000'));
    assert.equal(tries.length, 2);
  });
});

describe('a file of a knob', () => {
  const FILE = 'sys/block/nvme0n1/queue/nr_requests';
  const KEY = 'disk.solid.queueDepth';
  const refusing = (answer: () => string) => {
    let tries = 0;
    const files: Files = {
      ...kernel,
      write: (path, text) => {
        if (!path.endsWith(FILE)) return kernel.write(path, text);
        tries += 1;
        throw errno(answer());
      },
    };
    const rig = machine('two-socket server', files);
    const provider = rig.again();
    const once = async (value = '512'): Promise<readonly string[]> => {
      const failed: string[] = [];
      for (const change of provider.diff([want(KEY, value)], [await look(provider, KEY)]))
        await provider.apply(change, context()).catch((error: unknown) => failed.push((error as Error).message));
      return failed;
    };
    return { ...rig, provider, once, tries: () => tries };
  };

  it('that refuses for now fails its knob, which is tried again while the others are as asked', async () => {
    const { once, tries, read, provider } = refusing(() => 'EBUSY');
    assert.deepEqual(await once(), [`${KEY} = 512: nvme0n1: EBUSY`]);
    assert.deepEqual(await once(), [`${KEY} = 512: nvme0n1: EBUSY`]);
    assert.equal(tries(), 2);
    assert.equal(read('sys/block/nvme1n1/queue/nr_requests'), '512\n');
    assert.equal((await look(provider, KEY)).limitations, undefined);
  });

  it('that refuses while another one says what it does is asked again once that says something else', async () => {
    const CPU = 'sys/devices/system/cpu/cpufreq';
    const root = machineWith({
      'proc/cpuinfo': '',
      [`${CPU}/policy0/scaling_governor`]: 'performance\n',
      [`${CPU}/policy0/energy_performance_preference`]: 'performance\n',
    });
    const preference = join(root, CPU, 'policy0/energy_performance_preference');
    let tries = 0;
    const files: Files = {
      ...kernel,
      write: (path, text) => {
        tries += 1;
        const governor = fs.readFileSync(join(root, CPU, 'policy0/scaling_governor'), 'utf8');
        if (path === preference && governor === 'performance\n') throw errno('EBUSY');
        kernel.write(path, text);
      },
    };
    const roots = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') };
    const provider = knobs({ ...roots, originalsFile: join(root, 'originals'), files });
    const key = 'cpu.energyPreference';
    const pass = async (): Promise<readonly string[]> => {
      const failed: string[] = [];
      for (const change of provider.diff([want(key, 'power')], [await look(provider, key)]))
        await provider.apply(change, context()).catch((error: unknown) => failed.push((error as Error).message));
      return failed;
    };
    assert.deepEqual([await pass(), await pass(), await pass()], [[`${key} = power: policy0: EBUSY`], [], []]);
    assert.equal(tries, 1);
    assert.deepEqual(
      (await look(provider, key)).limitations?.map(({ state, errno: name }) => [state, name]),
      [['Refused', 'EBUSY']],
    );
    fs.writeFileSync(join(root, CPU, 'policy0/scaling_governor'), 'powersave\n');
    assert.deepEqual(await pass(), []);
    assert.equal(fs.readFileSync(preference, 'utf8'), 'power\n');
    assert.equal((await look(provider, key)).limitations, undefined);
  });

  it('that refuses for good is asked again when it says another value', async () => {
    const { once, tries, root, provider } = refusing(() => 'EINVAL');
    assert.deepEqual([await once(), await once()], [[], []]);
    assert.equal(tries(), 1);
    assert.deepEqual(
      (await look(provider, KEY)).limitations?.map(({ state, errno: name, want: value }) => [state, name, value]),
      [['Refused', 'EINVAL', '512']],
    );
    fs.writeFileSync(join(root, FILE), '77\n');
    await once();
    assert.equal(tries(), 2);
  });
});
