import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { simulated } from '../../../providers/simulated/index.ts';
import { simulatedProber } from '../../../providers/simulated/prober.ts';
import type { Change, Desired, Observed } from '../../../reconciler/model/change.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Context } from '../../../reconciler/model/provider.ts';
import { kindOf, type Ref } from '../../../reconciler/model/ref.ts';
import { conforms } from '../../conformance/provider.ts';
import { FIXED, RULES } from '../../support/rules.ts';

const folders: string[] = [];
function folder(): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'simulated-'));
  folders.push(path);
  return path;
}
after(() => {
  for (const path of folders) fs.rmSync(path, { recursive: true });
});

const ctx: Context = { signal: new AbortController().signal, fleet: 'test', world: { get: () => undefined } };
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };

/** What one replica and two knobs ask for. */
interface Wish {
  readonly image: string;
  readonly vlan: number;
  readonly pids: number;
  readonly hostname: string;
  readonly knobs: boolean;
  /** Whether it stands still. */
  readonly frozen?: true;
  /** How many cores it has for itself. */
  readonly cores?: number;
}
const USUAL: Wish = { image: 'busybox:1', vlan: 10, pids: 100, hostname: 'web-0', knobs: true };

function wants({ image, vlan, pids, hostname, knobs, frozen, cores }: Wish): readonly Desired[] {
  const resources = { cpu: 100, shares: 102, memory: 2 ** 26, swap: 0, pids };
  const usual = { env: {}, ulimits: {}, volumes: [], stop: { signal: 'SIGTERM', grace: 1000 } };
  const port = { bridge: 'br-int', datapath: 'netdev', address: '10.0.0.2', prefix: 24, mtu: 1500, antiSpoofing: true };
  const of = (ref: Ref, spec: object): Desired => ({ ref, spec, dependsOn: [], origin });
  const replica = 'web-0';
  return [
    of(`image/${image}`, { reference: image }),
    of('bridge/br-int', { name: 'br-int', datapath: 'netdev', uplink: 'eth1' }),
    ...(knobs ? [of('sysctl/vm.swappiness', { key: 'vm.swappiness', value: '10' })] : []),
    ...(knobs ? [of('ovs-config/max-idle', { key: 'max-idle', value: '500' })] : []),
    ...(cores === undefined ? [] : [of('cores/host', { pinned: { 'web-0': { node: 1, cores } }, shared: [] })]),
    of('sandbox/web-0', { replica, app: 'web', hostname, dns: { servers: [], search: [] }, sysctls: {} }),
    of('port/web-0', { replica, ...port, vlan, mac: '02:0a:0a:00:00:02' }),
    of('container/web-0', { replica, app: 'web', image, ...usual, resources, ...(frozen ? { frozen } : {}) }),
    of('cgroup/web-0', { replica, ...resources, ...(frozen ? { frozen } : {}) }),
  ];
}

function start(dir = folder()) {
  const provider = simulated({ dir, rules: RULES, fixed: FIXED });
  const look = async (desired: readonly Desired[] = []): Promise<readonly Observed[]> =>
    provider.observe({ ...ctx, wanted: desired.map(({ ref }) => ref) });
  /** Passes until nothing is left; the changes of the first. */
  const converge = async (desired: readonly Desired[]): Promise<readonly Change[]> => {
    let first: readonly Change[] | undefined;
    for (let pass = 0; pass < 4; pass += 1) {
      const changes = provider.diff(desired, await look(desired));
      first ??= changes;
      if (changes.length === 0) return first;
      const place = (ref: Ref): number => desired.findIndex((item) => item.ref === ref);
      for (const change of changes.toSorted((a, b) => place(a.ref) - place(b.ref)))
        await provider.apply(change, ctx).catch((error: unknown) => {
          if ((error as PlumbError).code !== 'CONFLICT') throw error;
        });
    }
    assert.deepEqual(provider.diff(desired, await look(desired)), [], 'converged');
    return first ?? [];
  };
  const file = (ref: Ref, ending = 'json'): string =>
    join(dir, kindOf(ref), `${encodeURIComponent(ref.slice(kindOf(ref).length + 1))}.${ending}`);
  const edit = (ref: Ref, state: object): void => {
    const thing = JSON.parse(fs.readFileSync(file(ref), 'utf8')) as { state: object };
    fs.writeFileSync(file(ref), JSON.stringify({ ...thing, state: { ...thing.state, ...state } }));
  };
  return { dir, provider, look, converge, file, edit };
}

const said = (changes: readonly Change[]): readonly string[] => changes.map(({ verb, ref }) => `${verb} ${ref}`).sort();

conforms('the simulated runtime', () => {
  const { dir, provider } = start();
  fs.mkdirSync(join(dir, 'container'));
  fs.writeFileSync(join(dir, 'container/other.json'), '{"owner":"else","state":{"id":"x","status":"running"}}');
  const states = [
    wants(USUAL),
    wants({ ...USUAL, vlan: 20, pids: 7, knobs: false }),
    wants({ ...USUAL, image: 'busybox:2', cores: 2 }),
    wants({ ...USUAL, image: 'busybox:2', cores: 40 }),
    wants({ ...USUAL, image: 'busybox:2', cores: 40, frozen: true }),
    // a bridge goes in the pass after its last port
    wants(USUAL).filter(({ ref }) => kindOf(ref) === 'bridge'),
  ];
  const snapshot = (): Promise<unknown> =>
    Promise.resolve(
      fs
        .readdirSync(dir, { recursive: true, encoding: 'utf8' })
        .sort()
        .map((name) => [name, fs.statSync(join(dir, name)).isFile() ? fs.readFileSync(join(dir, name), 'utf8') : '']),
    );
  const rank = (ref: Ref): number => ['container', 'port', 'sandbox', 'bridge'].indexOf(kindOf(ref));
  return Promise.resolve({
    provider,
    ctx: { ...ctx, wanted: states.flat().map(({ ref }) => ref) },
    states,
    deleteOrder: rank,
    strangers: ['container/other'],
    together: (ref: Ref) => (ref.endsWith('/web-0') || ref.startsWith('bridge/') ? 'web-0' : ref),
    snapshot,
    close: () => Promise.resolve(),
  });
});

describe('the simulated world heals as the real one would', () => {
  const cases: readonly {
    readonly name: string;
    readonly hand: (world: ReturnType<typeof start>) => void;
    readonly changes: readonly string[];
  }[] = [
    {
      name: 'a VLAN tag edited',
      hand: ({ edit }) => {
        edit('port/web-0', { vlan: 99 });
      },
      changes: ['update port/web-0'],
    },
    {
      name: 'a container that exits',
      hand: ({ edit }) => {
        edit('container/web-0', { status: 'exited', exitCode: 1 });
      },
      changes: ['update container/web-0'],
    },
    {
      name: 'a container removed',
      hand: ({ file }) => {
        fs.rmSync(file('container/web-0'));
      },
      changes: ['create container/web-0'],
    },
    {
      name: 'a sandbox killed',
      hand: ({ edit }) => {
        edit('sandbox/web-0', { status: 'exited' });
      },
      changes: ['replace container/web-0', 'replace sandbox/web-0'],
    },
    {
      name: 'a sandbox removed',
      hand: ({ file }) => {
        fs.rmSync(file('sandbox/web-0'));
      },
      changes: ['create sandbox/web-0', 'replace container/web-0'],
    },
    {
      name: 'a limit edited',
      hand: ({ edit }) => {
        edit('cgroup/web-0', { pids: 3 });
      },
      changes: ['update cgroup/web-0'],
    },
    {
      name: 'limits thrown away',
      hand: ({ file }) => {
        fs.rmSync(file('cgroup/web-0'));
      },
      changes: ['update cgroup/web-0'],
    },
    {
      name: 'a sysctl edited',
      hand: ({ edit }) => {
        edit('sysctl/vm.swappiness', { value: '60' });
      },
      changes: ['update sysctl/vm.swappiness'],
    },
    {
      name: 'a bridge removed',
      hand: ({ file }) => {
        fs.rmSync(file('bridge/br-int'));
      },
      changes: ['create bridge/br-int'],
    },
  ];
  for (const { name, hand, changes } of cases)
    it(name, async () => {
      const world = start();
      await world.converge(wants(USUAL));
      hand(world);
      assert.deepEqual(said(await world.converge(wants(USUAL))), changes);
      assert.deepEqual(said(await world.converge(wants(USUAL))), []);
    });

  it('in any order of wishes, hands and new processes', async () => {
    const wish = fc.record({
      image: fc.constantFrom('busybox:1', 'busybox:2'),
      vlan: fc.constantFrom(10, 20),
      pids: fc.constantFrom(100, 7),
      hostname: fc.constantFrom('web-0', 'other'),
      knobs: fc.boolean(),
    });
    const hand = fc.constantFrom(...cases.map(({ name }) => name), 'gone');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(wish, hand), { maxLength: 5 }), async (walk) => {
        const dir = folder();
        for (const [each, name] of walk) {
          const world = start(dir);
          await world.converge(wants(each));
          if (name === 'gone') fs.rmSync(dir, { recursive: true });
          else if (each.knobs) cases.find((one) => one.name === name)?.hand(world);
          await world.converge(wants(each));
        }
        const last = start(dir);
        await last.converge([]);
        const left = (await last.look()).filter((item) => item.known && item.owned);
        assert.deepEqual(left, []);
        fs.mkdirSync(dir, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });
});

describe('the simulated world', () => {
  it('plans nothing disruptive when only limits or a port change', async () => {
    const world = start();
    await world.converge(wants(USUAL));
    const changes = await world.converge(wants({ ...USUAL, pids: 5, vlan: 30 }));
    assert.deepEqual(said(changes), ['update cgroup/web-0', 'update port/web-0']);
    assert.ok(changes.every(({ disruption, provider }) => disruption === 'none' && provider === 'simulated'));
  });

  it('keeps a sandbox, and so the address, over a new image', async () => {
    const world = start();
    await world.converge(wants(USUAL));
    const before = fs.readFileSync(world.file('sandbox/web-0'), 'utf8');
    assert.deepEqual(said(await world.converge(wants({ ...USUAL, image: 'busybox:2' }))), [
      'create image/busybox:2',
      'replace container/web-0',
    ]);
    assert.equal(fs.readFileSync(world.file('sandbox/web-0'), 'utf8'), before);
  });

  it('puts back what an edited knob said first', async () => {
    const world = start();
    fs.mkdirSync(join(world.dir, 'ovs-config'));
    fs.writeFileSync(world.file('ovs-config/max-idle'), '{"state":{"value":"9"}}');
    await world.converge(wants(USUAL));
    await world.converge(wants({ ...USUAL, knobs: false }));
    const [knob] = await world.provider.observe(ctx, ['ovs-config/max-idle']);
    assert.deepEqual(knob?.known === true && [knob.state, knob.owned], [{ value: '9' }, false]);
    const [sysctl] = await world.provider.observe(ctx, ['sysctl/vm.swappiness']);
    assert.deepEqual(sysctl?.known === true && sysctl.state, { value: 'default' });
  });

  it('is Unknown, and left alone, where a file is not JSON or has no state', async () => {
    for (const text of ['{"state":', '[]', 'null', '{"state":7}', '']) {
      const world = start();
      await world.converge(wants(USUAL));
      fs.writeFileSync(world.file('port/web-0'), text);
      const [item] = await world.provider.observe(ctx, ['port/web-0']);
      assert.equal(item?.known, false);
      assert.match(!item?.known ? item.why : '', /web-0\.json.*repair the file or remove it/);
      assert.deepEqual(await world.converge(wants(USUAL)), []);
      assert.equal(fs.readFileSync(world.file('port/web-0'), 'utf8'), text);
    }
  });

  it('fails where a .fail file says so, with its words and the code of the real provider', async () => {
    const world = start();
    fs.mkdirSync(join(world.dir, 'image'));
    fs.writeFileSync(world.file('image/busybox:1', 'fail'), 'no such host: registry.example\n');
    const [change] = world.provider.diff(wants(USUAL), []);
    assert.ok(change);
    await assert.rejects(world.provider.apply(change, ctx), (error: PlumbError) => {
      assert.deepEqual([error.code, error.message], ['IMAGE_UNAVAILABLE', 'no such host: registry.example']);
      return true;
    });
    fs.rmSync(world.file('image/busybox:1', 'fail'));
    await world.converge(wants(USUAL));
  });

  it('does not take a stranger for its own', async () => {
    const world = start();
    fs.mkdirSync(join(world.dir, 'container'));
    fs.writeFileSync(world.file('container/web-0'), '{"owner":"else","state":{"id":"x","status":"running"}}');
    await world.converge(wants(USUAL));
    const desired = wants(USUAL).find(({ ref }) => ref === 'container/web-0');
    const forced = { provider: 'simulated', fields: [], disruption: 'none', because: 'new', guard: 'x' } as const;
    for (const verb of ['create', 'replace', 'delete'] as const) {
      const change: Change = { ...forced, ref: 'container/web-0', verb, want: desired?.spec };
      await assert.rejects(world.provider.apply(change, ctx), (error: PlumbError) => error.code === 'NOT_OURS');
    }
    assert.match(fs.readFileSync(world.file('container/web-0'), 'utf8'), /"else"/);
  });

  it('outlives a process that was killed while writing', async () => {
    const world = start();
    await world.converge(wants(USUAL));
    const partial = join(world.dir, 'port/web-0.json.abc.new');
    fs.writeFileSync(partial, '{"ref":');
    const next = start(world.dir);
    assert.deepEqual(await next.converge(wants(USUAL)), []);
    await next.converge(wants({ ...USUAL, vlan: 77 }));
    assert.equal(fs.existsSync(partial), false);
  });

  it('hints at what was edited or removed by hand, and at what hangs on it', async () => {
    const world = start();
    await world.converge(wants(USUAL));
    const stop = new AbortController();
    const seen = new Set<Ref>();
    const wanted: readonly Ref[] = ['sandbox/web-0', 'port/web-0', 'container/web-0', 'image/busybox:1'];
    const reading = (async () => {
      for await (const ref of world.provider.watch?.({ ...ctx, signal: stop.signal }) ?? []) {
        seen.add(ref);
        if (wanted.every((each) => seen.has(each))) stop.abort();
      }
    })();
    await new Promise((resolve) => setImmediate(resolve));
    fs.rmSync(world.file('sandbox/web-0'));
    world.edit('image/busybox:1', {});
    await reading;
    assert.ok(wanted.every((each) => seen.has(each)));
  });

  it('answers probes by its files', async () => {
    const world = start();
    await world.converge(wants(USUAL));
    const prober = simulatedProber(world.dir);
    const [item] = await world.provider.observe(ctx, ['container/web-0']);
    const { id } = (item?.known === true ? item.state : {}) as { readonly id: string };
    const ask = async (containerId = id): Promise<boolean> => {
      const target = { pid: 1, containerId, address: '10.0.0.2' };
      return (await prober.probe(target, { type: 'tcp', port: 80 }, 1000, ctx.signal)).ok;
    };
    assert.deepEqual([await ask(), await ask('other')], [true, false]);
    const thing = JSON.parse(fs.readFileSync(world.file('container/web-0'), 'utf8')) as object;
    fs.writeFileSync(world.file('container/web-0'), JSON.stringify({ ...thing, ready: false }));
    assert.equal(await ask(), false);
    fs.writeFileSync(world.file('container/web-0'), JSON.stringify(thing));
    world.edit('container/web-0', { status: 'exited' });
    assert.equal(await ask(), false);
    prober.close();
  });
});
