import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { host } from '../../providers/host/index.ts';
import { knobs } from '../../providers/host/knobs/index.ts';
import type { Desired, Known } from '../../reconciler/model/change.ts';
import type { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf, type Ref } from '../../reconciler/model/ref.ts';
import type { KnobSpec, KnobState, SysctlSpec, SysctlState } from '../../reconciler/model/resources.ts';
import { conforms } from '../conformance/provider.ts';

const run = promisify(execFile);
const skip = process.getuid?.() === 0 ? false : 'needs root';
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const folders: string[] = [];

// only knobs of the network namespace: all others are the machine's
const KEEPALIVE = 'net.ipv4.tcp_keepalive_time';
const SOMAXCONN = 'net.core.somaxconn';
const RMEM = 'net.ipv4.tcp_rmem';
const PORTS = 'net.ipv4.ip_local_port_range';
const CONTROL = 'net.ipv4.tcp_congestion_control';

function want(key: string, value: string): Desired<SysctlSpec> {
  return { ref: `sysctl/${key}`, spec: { key, value }, dependsOn: [], origin };
}

function read(key: string): string {
  return fs.readFileSync(join('/proc/sys', key.replaceAll('.', '/')), 'utf8');
}

function folder(): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'host-'));
  folders.push(path);
  return path;
}

function context(signal = AbortSignal.timeout(60_000), wanted: readonly Ref[] = []): Context {
  return { signal, fleet: 'test', world: { get: () => undefined }, wanted };
}

after(() => {
  for (const path of folders) fs.rmSync(path, { recursive: true });
});

conforms<SysctlSpec, SysctlState>(
  'host',
  () => {
    const first = [KEEPALIVE, SOMAXCONN, RMEM].map((key) => [key, read(key)] as const);
    const originalsFile = join(folder(), 'originals.json');
    const files = (): readonly string[] => [KEEPALIVE, SOMAXCONN, RMEM].map(read);
    return Promise.resolve({
      provider: host({ originalsFile }),
      ctx: context(undefined, [`sysctl/${KEEPALIVE}`, `sysctl/${SOMAXCONN}`, `sysctl/${RMEM}`]),
      states: [
        [want(KEEPALIVE, '1111'), want(SOMAXCONN, '2222')],
        [want(KEEPALIVE, '600'), want(RMEM, '4096 87380 4194304')],
        [],
      ],
      strangers: [],
      snapshot: () =>
        Promise.resolve([files(), fs.existsSync(originalsFile) && fs.readFileSync(originalsFile, 'utf8')]),
      close: async () => {
        const provider = host({ originalsFile });
        for (const change of provider.diff([], await provider.observe(context())))
          await provider.apply(change, context());
        for (const [key, text] of first) assert.equal(read(key), text, 'the original is back');
      },
    });
  },
  { skip },
);

describe('sysctls of a real kernel', { skip }, () => {
  it('written with sysctl -w are seen and put back, every time', async () => {
    const provider = host({ originalsFile: join(folder(), 'originals.json') });
    const stop = new AbortController();
    const ctx = context(stop.signal, [`sysctl/${KEEPALIVE}`]);
    const first = read(KEEPALIVE);
    const desired = [want(KEEPALIVE, '777')];
    const pass = async (wish: readonly Desired<SysctlSpec>[]): Promise<void> => {
      for (const change of provider.diff(wish, await provider.observe(ctx))) await provider.apply(change, ctx);
    };
    await pass(desired);
    const hints: Ref[] = [];
    const reading = (async () => {
      for await (const ref of provider.watch?.(ctx) ?? []) hints.push(ref);
    })();
    await sleep(50);
    for (const value of ['901', '902', '903']) {
      hints.length = 0;
      await run('sysctl', ['-qw', `${KEEPALIVE}=${value}`]);
      for (let wait = 0; hints.length === 0 && wait < 500; wait += 1) await sleep(10);
      assert.deepEqual([...new Set(hints)], [`sysctl/${KEEPALIVE}`]);
      await pass(desired);
      assert.equal(read(KEEPALIVE).trim(), '777');
    }
    stop.abort();
    await reading;
    await pass([]);
    assert.equal(read(KEEPALIVE), first);
  });

  it('that the kernel does not take, or has not, are said with errno and left as they are', async () => {
    const provider = host({ originalsFile: join(folder(), 'originals.json') });
    const before = read(PORTS);
    const [known] = await provider.observe(context(), [`sysctl/${PORTS}`]);
    assert.ok(known);
    const [change] = provider.diff([want(PORTS, '60000 100')], [known]);
    assert.ok(change);
    await assert.rejects(provider.apply(change, context()), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.match(error.message, /^net\.ipv4\.ip_local_port_range = 60000 100: EINVAL/);
      return true;
    });
    assert.equal(read(PORTS), before);
    // once is enough: it would say the same again
    const [refused] = (await provider.observe(context(), [`sysctl/${PORTS}`])) as readonly [Known<SysctlState>];
    assert.deepEqual(provider.diff([want(PORTS, '60000 100')], [refused]), []);
    assert.deepEqual(
      refused.limitations?.map((one) => [one.state, one.errno, one.want]),
      [['Refused', 'EINVAL', '60000 100']],
    );
    // a module that it names may come
    const [control] = await provider.observe(context(), [`sysctl/${CONTROL}`]);
    assert.ok(control);
    const [module] = provider.diff([want(CONTROL, 'no-such')], [control]);
    assert.ok(module);
    await assert.rejects(
      provider.apply(module, context()),
      /= no-such: ENOENT, the kernel has nothing of that name; it takes .*\b(cubic|reno)\b/,
    );
    assert.equal(
      provider.diff([want(CONTROL, 'no-such')], await provider.observe(context(), [`sysctl/${CONTROL}`])).length,
      1,
    );
    const lacking = await provider.observe(context(), ['sysctl/net.ipv4.no_such_knob', 'sysctl/net.ipv4.route.flush']);
    assert.deepEqual(
      lacking.map((item) => item.known && item.limitations?.map(({ state }) => state)),
      [['Unsupported'], ['Refused']],
    );
  });
});

describe('knobs that are files of a real kernel', { skip }, () => {
  const disks = ['rotating', 'solid'] as const;
  const wish = (key: string, value: string): Desired<KnobSpec> => ({
    ref: `knob/${key}`,
    spec: { key, value },
    dependsOn: [],
    origin,
  });

  // a disk's read-ahead is the machine's: it is another one for a moment only, and comes back whatever becomes of this test
  it('are set, seen when somebody else writes them, and given back byte for byte', async (test) => {
    const provider = knobs({ originalsFile: join(folder(), 'knobs.json') });
    const ctx = context();
    const refs = disks.map((kind) => `knob/disk.${kind}.readAhead` as const);
    const seen = (await provider.observe(ctx, refs)) as readonly Known<KnobState>[];
    const found = seen.find(({ state }) => (state.places?.length ?? 0) > 0);
    if (!found) return test.skip('no disk of its own here');
    const key = nameOf(found.ref);
    const files = (found.state.places ?? []).map(({ name }) => `/sys/block/${name}/queue/read_ahead_kb`);
    const before = files.map((file) => fs.readFileSync(file, 'utf8'));
    const pass = async (desired: readonly Desired<KnobSpec>[]): Promise<void> => {
      const seen = await provider.observe({ ...ctx, wanted: desired.map(({ ref }) => ref) });
      for (const change of provider.diff(desired, seen)) await provider.apply(change, ctx);
    };
    try {
      const value = before.some((text) => text.trim() === '512') ? '1024' : '512';
      await pass([wish(key, value)]);
      assert.deepEqual(
        files.map((file) => fs.readFileSync(file, 'utf8').trim()),
        files.map(() => value),
      );
      fs.writeFileSync(files[0] ?? '', '256');
      await pass([wish(key, value)]);
      assert.equal(fs.readFileSync(files[0] ?? '', 'utf8').trim(), value);
      await pass([]);
      assert.deepEqual(
        files.map((file) => fs.readFileSync(file, 'utf8')),
        before,
      );
    } finally {
      for (const [at, file] of files.entries()) fs.writeFileSync(file, before[at] ?? '');
    }
  });

  it('that it has not are said so', async () => {
    const provider = knobs({ originalsFile: join(folder(), 'knobs.json') });
    const [none] = await provider.observe(context(), ['knob/nic.mtu[name=nosuch0]']);
    assert.deepEqual(none?.known && none.limitations?.map(({ state }) => state), ['Unsupported']);
  });
});
