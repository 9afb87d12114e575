import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LEFT, systemExec, type Exec, type Finished } from '../../../providers/exec/exec.ts';
import { ethtool, parseSettings, programOf, refusalWords } from '../../../providers/host/ethtool.ts';
import { knobs } from '../../../providers/host/knobs/index.ts';
import { cardFacts } from '../../../providers/host/inventory/cards.ts';
import { CARD_KNOBS, CARD_SETTINGS } from '../../../providers/host/knobs/settings.ts';
import type { Known } from '../../../reconciler/model/change.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { KnobState } from '../../../reconciler/model/resources.ts';
import { context, converge, look, machine, want } from '../../support/knobs-rig.ts';

const why = ({ limitations = [] }: Known<KnobState>): readonly string[] =>
  limitations.map(
    ({ state, why: words, want: value }) =>
      `${state} ${words}${value === undefined ? '' : ` (${JSON.stringify(value)})`}`,
  );

describe('what ethtool shows', () => {
  it('of features has short names, and which are fixed', () => {
    const text =
      'Features for eth0:\nrx-checksumming: on [fixed]\ntcp-segmentation-offload: off [requested on]\n\ttx-tcp6-segmentation: off\n';
    assert.deepEqual(
      [...parseSettings('offloads', text)],
      [
        ['rx', { value: 'on', fixed: true }],
        ['tso', { value: 'off', requested: 'on' }],
        ['tx-tcp6-segmentation', { value: 'off' }],
      ],
    );
  });

  it('of a feature that stands for several is asked for what they are', () => {
    const text = (four: string, six: string): string =>
      `Features for eth0:\ntcp-segmentation-offload: off\n\ttx-tcp-segmentation: ${four}\n\ttx-tcp6-segmentation: ${six}\ngeneric-receive-offload: off [requested on]\n`;
    const asked = (four: string, six: string): string | undefined =>
      parseSettings('offloads', text(four, six)).get('tso')?.requested;
    assert.equal(asked('off [requested on]', 'off'), 'on');
    assert.equal(asked('off', 'off [fixed]'), undefined, 'the next feature is none of its own');
    assert.equal(parseSettings('offloads', text('off', 'off')).get('gro')?.requested, 'on');
  });

  it('of amounts has the most, and leaves out what there is not: n/a, and 0 before netlink', () => {
    const text = (none: string): string =>
      `Ring parameters for eth0:\nPre-set maximums:\nRX:\t\t511\nRX Mini:\t${none}\nTX:\t\t511\nCurrent hardware settings:\nRX:\t\t200\nRX Mini:\t${none}\nTX:\t\t511\nRX Buf Len:\t\t2048\nTX Push:\toff\n`;
    for (const none of ['n/a', '0'])
      assert.deepEqual(
        [...parseSettings('rings', text(none))],
        [
          ['rx', { value: '200', max: 511 }],
          ['tx', { value: '511', max: 511 }],
        ],
      );
  });

  it('of coalescing has what is a number or a switch', () => {
    const text =
      'Coalesce parameters for eth0:\nAdaptive RX: off  TX: n/a\nstats-block-usecs: n/a\n\nrx-usecs: 8\nrx-frames: n/a\n\nCQE mode RX: n/a  TX: n/a\n';
    assert.deepEqual(
      [...parseSettings('coalescing', text)],
      [
        ['adaptive-rx', { value: 'off' }],
        ['rx-usecs', { value: '8' }],
      ],
    );
  });

  it('in errors has the errno and what the driver says', () => {
    const cases = [
      [
        'netlink error: requested ring size exceeds maximum (offset 36)\nnetlink error: Invalid argument\n',
        'EINVAL: requested ring size exceeds maximum',
      ],
      ['netlink error: Operation not supported\n', 'EOPNOTSUPP'],
      [
        'Cannot set device coalesce parameters: Operation not supported\n',
        'EOPNOTSUPP: Cannot set device coalesce parameters: Operation not supported',
      ],
      ['Could not change any device features\n', 'Could not change any device features'],
      ['', 'it says nothing'],
    ] as const;
    for (const [stderr, words] of cases) assert.equal(refusalWords(stderr), words);
  });

  it('is not there where the program is not, and does not mend a card that is not', async () => {
    const { signal } = new AbortController();
    const none = ethtool(() =>
      Promise.resolve({ status: -1, stdout: '', stderr: 'ethtool: No such file or directory' }),
    );
    assert.equal(await none.read('eth0', 'rings', signal), 'ethtool is not installed: apt-get install ethtool');
    assert.match((await none.write('eth0', 'rings', [['rx', '1']], signal)) ?? '', /^ethtool is not installed/);
  });
});

it('a program that cannot be ended is not waited for', async () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'ethtool-'));
  const file = join(folder, 'hangs');
  // deaf to SIGTERM, as a program is that hangs in the kernel
  fs.writeFileSync(file, '#!/bin/sh\ntrap "" TERM\nsleep 120 &\necho $! > "$0.pid"\nwait\n', { mode: 0o755 });
  const began = performance.now();
  try {
    const run = programOf(systemExec(), 2000, file);
    await assert.rejects(
      run(['-g', 'eth0'], new AbortController().signal),
      (error: PlumbError) => error.code === 'TIMEOUT',
    );
    assert.ok(performance.now() - began < 60_000);
  } finally {
    if (fs.existsSync(`${file}.pid`)) process.kill(Number(fs.readFileSync(`${file}.pid`, 'utf8')), 'SIGKILL');
    fs.rmSync(folder, { recursive: true });
  }
});

it('a card that a program hangs at is asked again after pauses that double, and no other waits for it', async () => {
  let now = 0;
  let ends: Finished = LEFT;
  const tried: number[] = [];
  const right: Finished = { status: 0, stdout: '', stderr: '' };
  const exec: Exec = {
    run: (_file, [, card = '']) => {
      if (card !== 'bad0') return Promise.resolve(right);
      tried.push(now / 60_000);
      return Promise.resolve(ends);
    },
  };
  const { signal } = new AbortController();
  const run = programOf(exec, 60_000, 'ethtool', () => now);
  const during = async (minutes: number): Promise<void> => {
    for (const end = now + minutes * 60_000; now < end; now += 30_000) {
      await run(['-g', 'bad0'], signal).catch((error: unknown) => {
        assert.match(String(error), /is not tried: one hangs at bad0/);
      });
      assert.equal(await run(['-g', 'eth0'], signal), right);
    }
  };
  await during(16);
  assert.deepEqual(tried, [0, 1, 3, 7, 15]);
  ends = right;
  await during(16);
  assert.deepEqual(tried.slice(5, 7), [31, 31.5]);
});

describe('settings of a card', () => {
  it('beyond the most that it takes are refused with that, once, and nothing is written', async () => {
    const { again, all, cards } = machine('storage server');
    const before = all();
    const provider = again();
    const desired = [want('nic.rings.rx', '8192')];
    const [change] = provider.diff(desired, [await look(provider, 'nic.rings.rx')]);
    assert.ok(change);
    await assert.rejects(provider.apply(change, context()), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.equal(error.message, 'nic.rings.rx = 8192: enp65s0f0: 8192 is more than 4096, the most that it takes');
      return true;
    });
    const seen = await look(provider, 'nic.rings.rx');
    assert.deepEqual(why(seen), ['Refused enp65s0f0: 8192 is more than 4096, the most that it takes ("8192")']);
    assert.deepEqual([provider.diff(desired, [seen]), seen.owned], [[], false]);
    assert.deepEqual(all(), before);
    assert.deepEqual(
      cards.asked.filter((line) => line.startsWith('-G')),
      [],
    );
  });

  it('that its driver lacks, or never changes, are Unsupported, the latter only where the other value is asked for', async () => {
    const provider = machine('virtual machine').again();
    const seen = async (key: string) => look(provider, key);
    for (const [key, says] of [
      ['nic.channels.rx', ['Unsupported eth0: its driver has no such setting']],
      ['nic.coalescing.adaptive-tx', ['Unsupported eth0: its driver has no such setting']],
      ['nic.offloads.lro', ['Unsupported eth0: its driver never changes it from off ("on")']],
      ['nic.offloads.rx-gro-hw', ['Unsupported eth0: its driver never changes it from on ("off")']],
      ['nic.offloads.tso', []],
    ] as const)
      assert.deepEqual(why(await seen(key)), says, key);
    assert.deepEqual(provider.diff([want('nic.offloads.lro', 'on')], [await seen('nic.offloads.lro')]), []);
  });

  it('that other settings keep off are refused until those are changed', async () => {
    const { again, all } = machine('two-socket server');
    const before = all();
    const provider = again();
    const card = '[driver=mlx5_core]';
    const tx = (value: string) => want(`nic.offloads.tx${card}`, value);
    const tso = want(`nic.offloads.tso${card}`, 'on');
    const pass = async (...desired: readonly ReturnType<typeof want>[]): Promise<void> => {
      for (const { ref } of desired)
        for (const change of provider.diff(desired, await provider.observe(context(), [ref])))
          if (change.ref === ref) await provider.apply(change, context()).catch(() => undefined);
    };
    await pass(tx('off'), tso);
    assert.deepEqual(why(await look(provider, `nic.offloads.tso${card}`)), [
      'Refused ens1f0: Could not change any device features ("on")',
    ]);
    await pass(tx('on'), tso);
    await pass(tx('on'), tso);
    assert.deepEqual(why(await look(provider, `nic.offloads.tso${card}`)), []);
    await converge(provider, []);
    assert.deepEqual(all(), before);
  });

  it('that another setting keeps off are given back by asking for them, and come once it lets them', async () => {
    const { again, all } = machine('two-socket server');
    const before = all();
    const provider = again();
    const tx = want('nic.offloads.tx[driver=mlx5_core]', 'off');
    const tso = want('nic.offloads.tso[driver=mlx5_core]', 'off');
    await converge(provider, [tso]);
    await converge(provider, [tso, tx]);
    assert.deepEqual(await converge(provider, [tx]), [`delete ${tso.ref}`]);
    assert.match(all()['ethtool/ens1f0/offloads'] ?? '', /^tcp-segmentation-offload: off \[requested on\]$/m);
    assert.equal((await look(provider, tso.spec.key)).owned, false);
    await converge(provider, []);
    assert.deepEqual(all(), before);
  });

  it('that a hand was quicker with are no refusal, though the program says that there was nothing to change', async () => {
    const { again, cards } = machine('storage server');
    const provider = again();
    const desired = [want('nic.rings.rx', '1024')];
    const [change] = provider.diff(desired, [await look(provider, 'nic.rings.rx')]);
    assert.ok(change);
    await cards.set('enp65s0f0', '-G', 'rx', '1024');
    await provider.apply(change, context());
    const seen = await look(provider, 'nic.rings.rx');
    assert.deepEqual([seen.state.value, why(seen), provider.diff(desired, [seen])], ['1024', [], []]);
  });

  it('are of the cards that a bracket names, also by model', async () => {
    const { again, all } = machine('two-socket server');
    await converge(again(), [want('nic.rings.rx[vendor=0x14e4,model=0x165f]', '511')]);
    assert.match(all()['ethtool/eno1/rings'] ?? '', /Current[^]*RX:\t\t511/);
    assert.match(all()['ethtool/ens1f0/rings'] ?? '', /Current[^]*RX:\t\t1024/);
  });

  it('are read once, after changes, and when another device comes under the name', async () => {
    const { again, cards, root } = machine('storage server');
    const provider = again();
    const reads = (): readonly string[] => cards.asked.splice(0);
    const keys = ['nic.rings.rx', 'nic.rings.tx', 'nic.coalescing.rx-usecs'];
    for (const key of keys) await look(provider, key);
    assert.deepEqual(reads(), ['-g enp65s0f0', '-c enp65s0f0']);
    for (const key of keys) await look(provider, key);
    assert.deepEqual(reads(), []);
    await converge(provider, [want('nic.rings.rx', '1024')]);
    for (const key of keys) await look(provider, key);
    assert.deepEqual(reads(), ['-G enp65s0f0 rx 1024', '-g enp65s0f0', '-c enp65s0f0']);
    fs.writeFileSync(join(root, 'sys/class/net/enp65s0f0/ifindex'), '9\n');
    await look(provider, 'nic.rings.tx');
    assert.deepEqual(reads(), ['-g enp65s0f0']);
  });

  it('changed by hand are found in turn', async () => {
    const { root, originalsFile, cards } = machine('storage server');
    const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
    const provider = knobs({ ...at, program: ethtool(cards.run), round: 20 });
    const key = 'nic.rings.rx';
    const desired = [want(key, '1024')];
    await converge(provider, desired);
    const stop = new AbortController();
    const hints = provider.watch?.({ ...context(), signal: stop.signal });
    await cards.set('enp65s0f0', '-G', 'rx', '64');
    assert.deepEqual(provider.diff(desired, [await look(provider, key)]), [], 'nobody has looked');
    for await (const ref of hints ?? []) {
      assert.equal(ref, `knob/${key}`);
      const [change] = provider.diff(desired, [await look(provider, key)]);
      assert.deepEqual(
        [change?.because, change?.fields],
        ['drift', [{ path: '/enp65s0f0', have: '64', want: '1024' }]],
      );
      break;
    }
    stop.abort();
  });

  it('cost a look at sysfs but once, however many there are, and never ask a driver for its speed', async (t) => {
    const provider = machine('two-socket server').again();
    const wanted = CARD_KNOBS.map(({ key }) => `knob/${key}[driver=mlx5_core]` as const);
    const ctx = { ...context(), wanted };
    await provider.observe(ctx);
    const read = [
      ...(['readFileSync', 'readdirSync', 'existsSync'] as const).map((name) => t.mock.method(fs, name)),
      t.mock.method(fs.realpathSync, 'native'),
    ];
    await provider.observe(ctx);
    const asked = read.map((method) =>
      method.mock.calls.map(({ arguments: [path] }) => String(path)).filter((path) => path.includes('/class/net')),
    );
    for (const paths of asked) assert.deepEqual(paths, [...new Set(paths)]);
    assert.deepEqual(
      asked.flat().filter((path) => path.endsWith('/speed')),
      [],
    );
    assert.ok(asked.flat().some((path) => path.endsWith('ens1f0/device/driver')));
  });

  it('are read in turn as long as somebody asks for their group, and never more often than a pause allows', async () => {
    const { root, originalsFile, cards } = machine('two-socket server');
    const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
    const round = 300;
    const provider = knobs({ ...at, program: ethtool(cards.run), round });
    const keys = ['nic.rings.rx', 'nic.channels.rx', 'nic.offloads.gro'];
    await provider.observe({ ...context(), wanted: keys.map((key) => `knob/${key}` as const) });
    await provider.observe({ ...context(), wanted: ['knob/nic.channels.rx', 'knob/nic.offloads.gro'] });
    cards.asked.splice(0);
    const stop = new AbortController();
    const began = performance.now();
    const end = provider
      .watch?.({ ...context(), signal: stop.signal })
      [Symbol.asyncIterator]()
      .next();
    while (cards.asked.length < 5) await new Promise((resolve) => setTimeout(resolve, 10));
    const took = performance.now() - began;
    stop.abort();
    await end;
    assert.deepEqual([...new Set(cards.asked.map((line) => line.split(' ')[0]))].sort(), ['-k', '-l']);
    assert.ok(took > 4 * round, String(took));
  });

  it('come back after the agent was killed between two cards', async () => {
    const { root, again, all, cards, originalsFile } = machine('two-socket server');
    const before = all();
    const dying = ethtool((args, signal) => {
      if (args[0] !== '-G' || args[1] !== 'ens1f0') return cards.run(args, signal);
      // what a process that ends here leaves behind
      fs.copyFileSync(originalsFile, `${originalsFile}.then`);
      return Promise.reject(new Error('killed'));
    });
    const killed = knobs({ procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile, program: dying });
    const [change] = killed.diff([want('nic.rings.tx', '256')], [await look(killed, 'nic.rings.tx')]);
    assert.ok(change);
    await assert.rejects(async () => killed.apply(change, context()), /killed/);
    fs.renameSync(`${originalsFile}.then`, originalsFile);
    assert.notDeepEqual(all(), before);
    await converge(again(), [want('nic.rings.tx', '128')]);
    await converge(again(), []);
    assert.deepEqual(all(), before);
  });
});

it('are told as facts: what they are and the most, and no offload that nothing changes', async () => {
  const { cards } = machine('virtual machine');
  const [facts, ...others] = await cardFacts(['eth0', 'gone0'], new AbortController().signal, ethtool(cards.run));
  assert.deepEqual(others, []);
  assert.deepEqual(facts?.rings, { rx: { value: 256, max: 256 }, tx: { value: 256, max: 256 } });
  assert.deepEqual(facts.channels, { combined: { value: 1, max: 1 } });
  assert.equal(facts.coalescing['rx-frames'], '1');
  assert.deepEqual(
    [facts.offloads['tso'], facts.offloads['rx-gro-list'], facts.offloads['lro']],
    [true, false, undefined],
  );
});

it('the manifest has a field for each setting, and no other', () => {
  const schema = JSON.parse(fs.readFileSync('schemas/tuning.json', 'utf8')) as {
    properties: { spec: { properties: { nics: { items: { properties: Record<string, { properties?: object }> } } } } };
  };
  const card = schema.properties.spec.properties.nics.items.properties;
  for (const [group, names] of Object.entries(CARD_SETTINGS))
    assert.deepEqual(Object.keys(card[group]?.properties ?? {}).sort(), [...names].sort(), group);
});
