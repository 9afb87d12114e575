import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemExec } from '../../providers/exec/exec.ts';
import { ethtool, LIMIT, programOf, type Follow } from '../../providers/host/ethtool.ts';
import { knobs } from '../../providers/host/knobs/index.ts';
import { monitor } from '../../providers/host/monitor.ts';
import type { Desired, Known } from '../../reconciler/model/change.ts';
import type { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { KnobSpec, KnobState } from '../../reconciler/model/resources.ts';
import { conforms } from '../conformance/provider.ts';

const hasEthtool = spawnSync('ethtool', ['--version']).status === 0;
const skip = process.getuid?.() !== 0 ? 'needs root' : hasEthtool ? false : 'needs ethtool';
/** Whether ethtool hears the kernel, as versions since 5.8 do where it speaks netlink: it goes on until it is ended. */
const hears =
  skip === false &&
  spawnSync('setpriv', ['--pdeathsig', 'KILL', 'stdbuf', '-oL', 'timeout', '1', 'ethtool', '--monitor']).status === 124;
const CARD = 'plcard0';
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const folders: string[] = [];

const sh = (file: string, ...args: readonly string[]): string => execFileSync(file, args, { encoding: 'utf8' });
const shown = (): string => sh('ethtool', '-k', CARD) + sh('ethtool', '-l', CARD);
const feature = (name: string): string =>
  new RegExp(`^${name}: (\\w+)`, 'm').exec(sh('ethtool', '-k', CARD))?.[1] ?? '';

/** The real ethtool and a real veth; that it is a card says a folder that stands for sysfs. */
function rig(round?: number, follow?: Follow) {
  const root = fs.mkdtempSync(join(tmpdir(), 'cards-'));
  folders.push(root);
  const driver = join(root, 'sys/bus/pci/drivers/veth');
  const device = join(root, 'sys/class/net', CARD, 'device');
  fs.mkdirSync(driver, { recursive: true });
  fs.mkdirSync(device, { recursive: true });
  fs.symlinkSync(driver, join(device, 'driver'));
  fs.writeFileSync(join(root, 'sys/class/net', CARD, 'ifindex'), fs.readFileSync(`/sys/class/net/${CARD}/ifindex`));
  const at = { sysRoot: join(root, 'sys'), originalsFile: join(root, 'knobs.json') };
  const program = ethtool(programOf(systemExec(), LIMIT), follow);
  return knobs({ ...at, program, ...(round === undefined ? {} : { round }) });
}

function want(key: string, value: string): Desired<KnobSpec> {
  return { ref: `knob/${key}`, spec: { key, value }, dependsOn: [], origin };
}

function context(signal = AbortSignal.timeout(120_000)): Context {
  return { signal, fleet: 'test', world: { get: () => undefined } };
}

type Provider = ReturnType<typeof rig>;

async function look(provider: Provider, key: string): Promise<Known<KnobState>> {
  const [seen] = await provider.observe(context(), [`knob/${key}`]);
  assert.ok(seen?.known);
  return seen;
}

async function pass(provider: Provider, desired: readonly Desired<KnobSpec>[]): Promise<void> {
  const wanted = desired.map(({ ref }) => ref);
  for (const change of provider.diff(desired, await provider.observe({ ...context(), wanted })))
    await provider.apply(change, context());
}

before(() => {
  if (skip !== false) return;
  // what a run leaves that was killed
  spawnSync('ip', ['link', 'del', CARD]);
  const queues = ['numrxqueues', '4', 'numtxqueues', '4'];
  sh('ip', 'link', 'add', CARD, ...queues, 'type', 'veth', 'peer', 'name', 'plcard1', ...queues);
});
after(() => {
  if (skip === false) sh('ip', 'link', 'del', CARD);
  for (const folder of folders) fs.rmSync(folder, { recursive: true });
});

describe('settings of a card of a real kernel', { skip }, () => {
  it('are set, found in turn when a hand changes them, and come back', async () => {
    const provider = rig(100);
    const first = shown();
    const [offloads, channels] = [want('nic.offloads.tso', 'off'), want('nic.channels.rx', 'max')];
    assert.equal(feature('tcp-segmentation-offload'), 'on');
    await pass(provider, [offloads, channels]);
    assert.equal(feature('tcp-segmentation-offload'), 'off');
    assert.match(sh('ethtool', '-l', CARD), /Current[^]*RX:\s+4\n/);
    const stop = new AbortController();
    const ctx = { ...context(), signal: AbortSignal.any([stop.signal, AbortSignal.timeout(120_000)]) };
    sh('ethtool', '-K', CARD, 'tso', 'on');
    for await (const ref of provider.watch?.(ctx) ?? [])
      if (provider.diff([offloads], await provider.observe(ctx, [offloads.ref])).length > 0) {
        assert.equal(ref, offloads.ref);
        break;
      }
    stop.abort();
    await pass(provider, [offloads, channels]);
    assert.equal(feature('tcp-segmentation-offload'), 'off');
    await pass(provider, []);
    assert.equal(shown(), first);
  });

  it(
    'that a hand changes are looked at at once: the kernel tells',
    { skip: hears ? false : 'ethtool hears no changes' },
    async () => {
      const provider = rig(3_600_000, monitor);
      const offloads = want('nic.offloads.tso', 'off');
      await pass(provider, [offloads]);
      const stop = new AbortController();
      const ctx = { ...context(), signal: AbortSignal.any([stop.signal, AbortSignal.timeout(120_000)]) };
      let seen: string | undefined;
      // whenever it has begun to listen, one of these comes after that
      const hand = setInterval(() => {
        sh('ethtool', '-K', CARD, 'tso', feature('tcp-segmentation-offload') === 'on' ? 'off' : 'on');
      }, 500);
      try {
        for await (const ref of provider.watch?.(ctx) ?? []) {
          seen = ref;
          break;
        }
      } finally {
        clearInterval(hand);
        stop.abort();
      }
      assert.equal(seen, offloads.ref);
      sh('ethtool', '-K', CARD, 'tso', 'off');
      await pass(provider, []);
      assert.equal(feature('tcp-segmentation-offload'), 'on');
    },
  );

  it('that it lacks, never changes, or has not as many of, are said so', async () => {
    const provider = rig();
    const states = async (key: string) =>
      (await look(provider, key)).limitations?.map(({ state, want: value }) => [state, value]) ?? [];
    assert.deepEqual(await states('nic.rings.rx'), [['Unsupported', undefined]]);
    assert.deepEqual(await states('nic.offloads.hw-tc-offload'), [['Unsupported', 'on']]);
    assert.deepEqual(await states('nic.offloads.gro'), []);
    const first = shown();
    await assert.rejects(pass(provider, [want('nic.channels.tx', '5')]), (error: PlumbError) => {
      assert.equal(error.message, `nic.channels.tx = 5: ${CARD}: 5 is more than 4, the most that it takes`);
      return true;
    });
    await pass(provider, [want('nic.channels.tx', '5')]);
    assert.equal(shown(), first);
  });

  it('that the kernel refuses have its errno and are not tried again', async () => {
    const provider = rig();
    const none = [want('nic.channels.rx', '0')];
    await assert.rejects(pass(provider, none), (error: PlumbError) => {
      assert.match(error.message, /^nic\.channels\.rx = 0: plcard0: EINVAL/);
      return true;
    });
    await pass(provider, none);
    assert.equal((await look(provider, 'nic.channels.rx')).owned, false);
  });
});

conforms<KnobSpec, KnobState>(
  'settings of cards',
  () => {
    const provider = rig();
    const refs = ['offloads.tso', 'offloads.gro', 'channels.rx'].map((name) => `knob/nic.${name}` as const);
    return Promise.resolve({
      provider,
      ctx: { ...context(), wanted: refs },
      states: [
        [want('nic.offloads.tso', 'off'), want('nic.channels.rx', '2')],
        [want('nic.offloads.gro', 'on'), want('nic.channels.rx', 'max')],
        [],
      ],
      strangers: [],
      snapshot: () => Promise.resolve(shown()),
      close: () => pass(provider, []),
    });
  },
  { skip },
);
