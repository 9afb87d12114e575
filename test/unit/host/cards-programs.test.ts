import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ethtool, type Follow, type Notice } from '../../../providers/host/ethtool.ts';
import { knobs } from '../../../providers/host/knobs/index.ts';
import { CARD_KNOBS } from '../../../providers/host/knobs/settings.ts';
import { noticeOf } from '../../../providers/host/monitor.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { context, converge, look, machine, want } from '../../support/knobs-rig.ts';

describe('several settings of a card', () => {
  /** Applies all that differs at once, as the agent does. */
  const atOnce = async (...desired: readonly ReturnType<typeof want>[]) => {
    const one = machine('storage server');
    const provider = one.again();
    const changes = provider.diff(
      desired,
      await provider.observe({ ...context(), wanted: desired.map(({ ref }) => ref) }),
    );
    one.cards.asked.splice(0);
    const ends = await Promise.allSettled(changes.map((change) => provider.apply(change, context())));
    const wrote = one.cards.asked.filter((line) => /^-[A-Z]/.test(line));
    const whys = ends.map((end) => (end.status === 'fulfilled' ? 'done' : (end.reason as PlumbError).message));
    return { ...one, wrote, whys };
  };

  it('of a group are set by one program: the link goes down but once', async () => {
    const { wrote, whys, all } = await atOnce(
      want('nic.rings.rx', '1024'),
      want('nic.rings.tx', 'max'),
      want('nic.channels.combined', '8'),
    );
    assert.deepEqual(wrote, ['-G enp65s0f0 rx 1024 tx 4096', '-L enp65s0f0 combined 8']);
    assert.deepEqual(whys, ['done', 'done', 'done']);
    assert.match(all()['ethtool/enp65s0f0/rings'] ?? '', /Current[^]*RX:\t\t1024\n[^]*TX:\t\t4096/);
  });

  it('of which one is refused are set each by its own, and say which', async () => {
    const { wrote, whys } = await atOnce(want('nic.coalescing.rx-usecs', '50'), want('nic.coalescing.tx-frames', '9'));
    assert.deepEqual(whys, ['done']);
    assert.deepEqual(wrote, ['-C enp65s0f0 rx-usecs 50'], 'what it has not is not asked for');
    const both = await atOnce(
      want('nic.offloads.tx', 'off'),
      want('nic.offloads.tso', 'on'),
      want('nic.offloads.gro', 'off'),
    );
    assert.deepEqual(both.wrote, ['-K enp65s0f0 tx off gro off']);
  });

  it('that the kernel takes only in part are tried again each by its own', async () => {
    const one = machine('storage server');
    const provider = one.again();
    const desired = [want('nic.offloads.tso', 'off'), want('nic.offloads.gro', 'off')];
    const changes = provider.diff(
      desired,
      await provider.observe({ ...context(), wanted: desired.map(({ ref }) => ref) }),
    );
    one.cards.refuses = (words) => words.length === 4;
    one.cards.asked.splice(0);
    await Promise.all(changes.map((change) => provider.apply(change, context())));
    assert.deepEqual(
      one.cards.asked.filter((line) => line.startsWith('-K')),
      ['-K enp65s0f0 tso off gro off', '-K enp65s0f0 tso off', '-K enp65s0f0 gro off'],
    );
  });
});

it('a card that hangs is asked but once in a look', async () => {
  const { root, originalsFile, cards } = machine('two-socket server');
  const asked: string[] = [];
  const hanging = ethtool((args, signal) => {
    if (args[1] !== 'ens1f0') return cards.run(args, signal);
    asked.push(args.join(' '));
    return Promise.reject(new PlumbError('TIMEOUT', 'ethtool was not done in time'));
  });
  const provider = knobs({ procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile, program: hanging });
  const wanted = CARD_KNOBS.map(({ key }) => `knob/${key}` as const);
  const seen = await provider.observe({ ...context(), wanted });
  assert.ok(seen.every((one) => !one.known && one.why.includes('was not done in time')));
  assert.equal(asked.length, 1);
  await provider.observe({ ...context(), wanted });
  assert.equal(asked.length, 2, 'in the next look it is asked again');
});

describe('changes that the kernel tells of', () => {
  it('are known by the first line of what ethtool --monitor prints', () => {
    const cases = [
      ['Features for eth0:', { card: 'eth0', group: 'offloads' }],
      ['Ring parameters for eth0.5:', { card: 'eth0.5', group: 'rings' }],
      ['Channel parameters for ens1f0np0:', { card: 'ens1f0np0', group: 'channels' }],
      ['Coalesce parameters for eth0:', { card: 'eth0', group: 'coalescing' }],
      ['Pause parameters for eth0:', undefined],
      ['tcp-segmentation-offload: off', undefined],
      ['RX:\t\t512', undefined],
      ['listening...', undefined],
    ] as const;
    for (const [line, notice] of cases) assert.deepEqual(noticeOf(line), notice, line);
  });

  it('are looked at at once, of groups that somebody asks for', async () => {
    const { root, originalsFile, cards } = machine('storage server');
    let tell: (notice?: Notice) => void = () => undefined;
    const follow: Follow = (told, signal) => {
      tell = told;
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
    };
    const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
    const provider = knobs({ ...at, program: ethtool(cards.run, follow), round: 3_600_000, linger: 0 });
    const key = 'nic.rings.rx';
    await converge(provider, [want(key, '1024')]);
    const stop = new AbortController();
    const hints = provider.watch?.({ ...context(), signal: stop.signal });
    const next = hints?.[Symbol.asyncIterator]().next();
    await cards.set('enp65s0f0', '-G', 'rx', '64');
    cards.asked.splice(0);
    try {
      for (const group of ['offloads', 'rings', 'rings', 'rings'] as const) tell({ card: 'enp65s0f0', group });
      assert.equal((await next)?.value, `knob/${key}`);
      assert.equal((await look(provider, key)).state.value, '64');
      assert.deepEqual(new Set(cards.asked), new Set(['-g enp65s0f0']), 'nobody asks for the other');
      assert.ok(cards.asked.length <= 2, 'notices that come while it is read are one look');
    } finally {
      stop.abort();
    }
  });

  it('may have been missed while nobody listened: all groups are read once when that begins anew', async () => {
    const { root, originalsFile, cards } = machine('storage server');
    const monitors: { end: () => void; readonly ended: Promise<void> }[] = [];
    const follow: Follow = (told, signal) => {
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        end = resolve;
        signal.addEventListener('abort', end);
      });
      monitors.push({ end, ended });
      told();
      return ended;
    };
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) await sleep(5);
    };
    const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
    const provider = knobs({ ...at, program: ethtool(cards.run, follow), round: 3_600_000, linger: 0 });
    const desired = [want('nic.rings.rx', '1024'), want('nic.offloads.tso', 'on')];
    await converge(provider, desired);
    const stop = new AbortController();
    const hints = provider.watch?.({ ...context(), signal: stop.signal })[Symbol.asyncIterator]();
    const next = hints?.next();
    const readAll = (): boolean => ['-g enp65s0f0', '-k enp65s0f0'].every((line) => cards.asked.includes(line));
    try {
      cards.asked.splice(0);
      await until(readAll);
      monitors[0]?.end();
      await cards.set('enp65s0f0', '-G', 'rx', '64');
      cards.asked.splice(0);
      await until(readAll);
      assert.equal((await next)?.value, 'knob/nic.rings.rx');
      assert.equal(monitors.length, 2);
      // nothing is wanted of cards any more
      await converge(provider, []);
      await provider.observe({ ...context(), wanted: [] });
      await monitors[1]?.ended;
    } finally {
      stop.abort();
    }
  });
});
