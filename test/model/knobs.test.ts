import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { cgroups } from '../../providers/cgroups/index.ts';
import type { Files } from '../../providers/host/files.ts';
import { host } from '../../providers/host/index.ts';
import { MEANINGS } from '../../providers/host/knobs/rules.ts';
import { compile } from '../../reconciler/compile/compile.ts';
import type { Resources } from '../../reconciler/model/catalog.ts';
import type { Desired } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { knobsOf } from '../../reconciler/model/knobs.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { container, contextOf, fakeTree, idOf, kernelRules } from '../support/cgroup-tree.ts';
import { schemaOf, valuesOf, type Schema, type Words } from '../support/from-schema.ts';
import { HARDWARE, type HardwareName } from '../support/hardware.ts';
import { kernel } from '../support/kernel-files.ts';
import { context, machine } from '../support/knobs-rig.ts';
import { SOUND, sourceFiles } from '../support/manifests.ts';

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

/** What a field of the schema may say that means something on the machines of the tests. A field that is not here says whatever it may. */
const WORDS: Words = {
  governor: ['performance', 'powersave', 'schedutil'],
  energyPreference: ['performance', 'balance_power', 'power'],
  scheduler: ['none', 'mq-deadline', 'kyber', 'no-such'],
  workqueue: ['shared', '0-1', '3', '2,40-41'],
  name: ['ens*', 'eno1', 'enp65s0f0'],
  driver: ['mlx5_core', 'tg3', 'ixgbe'],
  vendor: ['0x15b3', '0x14e4'],
  model: ['0x1015', '0x165f'],
  '*': ['sda', 'loop0', '*'],
  sysctls: [
    { 'vm.swappiness': 1 },
    { 'net.core.somaxconn': 8192, 'net.ipv4.tcp_max_syn_backlog': 8192, 'net.ipv4.tcp_rmem': '4096 131072 67108864' },
    { 'net.netfilter.nf_conntrack_max': 2_097_152, 'net.netfilter.nf_conntrack_buckets': 524_288 },
    { 'net.ipv4.neigh.default.gc_thresh1': 8192, 'net.ipv4.neigh.default.gc_thresh3': 32_768 },
  ],
};
/** Which hosts a Tuning is for, and what is not a file of the fake machines: of Open vSwitch, ovs-laws.test has a walk. */
const ELSEWHERE = ['hosts', 'zone', 'hardware', 'priority', 'ovs'];

/** The schema of `spec` at a path below it, without some of its fields. */
function specSchema(kind: string, path: readonly string[], without: readonly string[] = []): Schema {
  let schema = schemaOf(kind).properties?.['spec'] ?? {};
  for (const name of path) schema = schema.properties?.[name] ?? {};
  const properties = Object.entries(schema.properties ?? {}).filter(([name]) => !without.includes(name));
  return { ...schema, required: [], properties: Object.fromEntries(properties) };
}

/** A document added to a sound repository, if nothing is wrong with it. */
function compiled(document: object): ReturnType<typeof compile> | undefined {
  const catalog = compile(sourceFiles({ ...SOUND, 'one.yaml': JSON.stringify(document) }), 'r1');
  return catalog.problems.length === 0 ? catalog : undefined;
}

/** What `Tuning.spec` may say, as the knobs that come of it. */
const tunings = valuesOf(specSchema('tuning', [], ELSEWHERE), WORDS, schemaOf('tuning'))
  .map((spec) => {
    const document = { apiVersion: 'plumbline/v1', kind: 'Tuning', metadata: { name: 'one' } };
    const tuning = compiled({ ...document, spec: { hosts: {}, ...(spec as object) } })?.tunings.get('one');
    return tuning && knobsOf(tuning);
  })
  .filter((knobs) => knobs !== undefined);

function resourcesOf(some: unknown): Resources | undefined {
  const spec = { image: 'a:1', zone: 'main', network: { name: 'net' }, resources: some };
  const document = { apiVersion: 'plumbline/v1', kind: 'App', metadata: { name: 'one' }, spec };
  return compiled(document)?.apps.get('one')?.spec.resources;
}

/** What `App.spec.resources` may say, in the units of the kernel. */
const resources = valuesOf(specSchema('app', ['resources'], ['disk']), WORDS, schemaOf('app'))
  .map(resourcesOf)
  .filter((found) => found !== undefined);

/** Limits, and whether all stands still. */
type Some = Resources & { readonly frozen?: boolean };

/** What is wanted of a replica next. */
const limited: fc.Arbitrary<Some> = fc.tuple(resources, fc.boolean()).map(([some, frozen]) => ({ ...some, frozen }));

/** What is wanted next, and after how many writes the process that sees to it is killed; never for 0. */
const walkOf = <T>(wants: fc.Arbitrary<T>) =>
  fc.array(fc.record({ want: wants, killedAfter: fc.nat(12) }), { minLength: 1, maxLength: 4 });

/** Files of a process that ends with its k-th write: from then on nothing of it reaches the machine. */
function mortal<F extends { write(path: string, text: string): void }>(files: F, after: number, killed: () => void): F {
  let writes = 0;
  return {
    ...files,
    write: (path: string, text: string) => {
      writes += 1;
      if (after > 0 && writes > after) {
        if (writes === after + 1) killed();
        throw new Error('it was killed');
      }
      files.write(path, text);
    },
  };
}

/** How often it is looked at again: of two knobs one may be in the way of the other. */
const LOOKS = 6;

/** Applies what differs until nothing does; what is refused is tried once. */
async function settle<S, T>(
  provider: Provider<S, T>,
  wants: readonly Desired<S>[],
  ctx: Context,
  looks = LOOKS,
): Promise<void> {
  const asking = { ...ctx, wanted: wants.map(({ ref }) => ref) };
  for (let look = 0; look < looks; look += 1) {
    const changes = provider.diff(wants, await provider.observe(asking));
    if (changes.length === 0) return;
    for (const change of changes)
      await provider.apply(change, asking).catch((error: unknown) => {
        if (!(error instanceof PlumbError)) throw error;
      });
  }
  assert.deepEqual(provider.diff(wants, await provider.observe(asking)), [], 'as wanted');
}

describe('a random walk over all that a Tuning may set, with a kill at any write', () => {
  const names = Object.keys(HARDWARE) as HardwareName[];
  for (const name of names)
    it(`ends as wanted, and then where it began: ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(walkOf(tunings), async (walk) => {
          const world = machine(name);
          fs.mkdirSync(join(world.root, 'state'), { recursive: true });
          const sysctls = sysctlsOf(
            world.root,
            walk.flatMap(({ want }) => want),
          );
          const before = [world.all(), sysctls()];
          const files = [world.originalsFile, join(world.root, 'state/sysctls.json')];
          /** Both providers, as after a start of the agent. */
          const providers = (over: Files) =>
            [
              ['knob', world.again(over)],
              ['sysctl', host({ procRoot: join(world.root, 'proc'), originalsFile: files[1] ?? '', files: over })],
            ] as const;
          const reach = async (wants: (typeof walk)[number]['want'], over: Files, looks?: number): Promise<void> => {
            for (const [kind, provider] of providers(over))
              await settle<unknown, unknown>(
                provider,
                wants
                  .filter((knob) => knob.kind === kind)
                  .map(({ key, value }) => ({ ref: `${kind}/${key}`, spec: { key, value }, dependsOn: [], origin })),
                context('2-3'),
                looks,
              );
          };
          for (const { want, killedAfter } of walk) {
            if (killedAfter > 0) await killedIn(files, (killed) => reach(want, mortal(kernel, killedAfter, killed), 1));
            await reach(want, kernel);
          }
          await reach([], kernel);
          assert.deepEqual([world.all(), sysctls()], before, 'originals, byte for byte');
        }),
        // a large one takes long: eighty CPUs have many files
        { numRuns: name === 'two-socket server' ? 5 : 10 },
      );
    });

  it('knows every knob there is', () => {
    const spec = specSchema('tuning', [], ELSEWHERE);
    const has = (schema: Schema, [name = '', ...rest]: readonly string[]): boolean => {
      const field = schema.properties?.[name] ?? schema.items?.properties?.[name];
      return field !== undefined && (rest.length === 0 || has(field, rest));
    };
    const fieldOf = (key: string): readonly string[] =>
      key.replace(/^disk/, 'disks').replace(/^nic/, 'nics').split('.');
    assert.deepEqual(
      Object.keys(MEANINGS).filter((key) => !has(spec, fieldOf(key))),
      [],
      'of these none can be asked for by a field of the manifest',
    );
  });
});

/** Plants the sysctls of a walk; gives what reads them all. */
function sysctlsOf(root: string, knobs: readonly { readonly kind: string; readonly key: string }[]): () => unknown {
  const paths = knobs
    .filter(({ kind }) => kind === 'sysctl')
    .map(({ key }) => join(root, 'proc/sys', key.replaceAll('.', '/')));
  for (const path of paths) {
    fs.mkdirSync(join(path, '..'), { recursive: true });
    fs.writeFileSync(path, '4096\n');
  }
  return () => paths.map((path) => fs.readFileSync(path, 'utf8'));
}

/** Does something in a process that is killed in between: what it would have kept after that is not there. */
async function killedIn(files: readonly string[], act: (killed: () => void) => Promise<void>): Promise<void> {
  const said = (): readonly (string | undefined)[] =>
    files.map((file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined));
  let left: ReturnType<typeof said> | undefined;
  await act(() => (left = said())).catch(() => undefined);
  if (!left) return; // it did not come so far
  for (const [at, file] of files.entries()) {
    const text = left[at];
    if (text === undefined) fs.rmSync(file, { force: true });
    else fs.writeFileSync(file, text);
  }
}

for (const version of ['v1', 'v2'] as const)
  describe(`a random walk over all limits of an App on cgroup ${version}`, () => {
    const id = idOf('a');
    const ref = 'cgroup/web-0';
    // Docker was told already whether it stands still
    const worldFor = ({ spec: { frozen } }: Desired<CgroupSpec>) =>
      contextOf([container('web-0', id, frozen ? 'paused' : 'running')], [ref]);
    const wantOf = ({ frozen, ...some }: Some): Desired<CgroupSpec> => ({
      ref,
      spec: { replica: 'web-0', ...some, ...(frozen ? { frozen } : {}) },
      dependsOn: [],
      origin,
    });
    const reach = (provider: Provider<CgroupSpec, CgroupState>, some: Some, looks?: number): Promise<void> =>
      settle(provider, [wantOf(some)], worldFor(wantOf(some)), looks);
    const plain = resourcesOf({});

    it('ends as wanted from any state, and where it began when nothing is asked for', async () => {
      await fc.assert(
        fc.asyncProperty(walkOf(limited), async (walk) => {
          const root = fakeTree(version, `docker/${id}`);
          folders.push(root);
          const again = (after = 0, killed = (): void => undefined) => {
            const files = kernelRules();
            const dying = mortal(files, after, killed);
            const settled = {
              ...dying,
              settle: (path: string, text: string) => Promise.resolve().then(() => dying.write(path, text)),
            };
            return cgroups({ root, sysRoot: join(root, 'sys'), procRoot: join(root, 'proc'), files: settled });
          };
          const files = (): Readonly<Record<string, string>> =>
            Object.fromEntries(
              fs
                .readdirSync(root, { recursive: true, encoding: 'utf8' })
                .filter((path) => path.includes(id) && fs.statSync(join(root, path)).isFile())
                .map((path) => [path, fs.readFileSync(join(root, path), 'utf8')]),
            );
          assert.ok(plain);
          await reach(again(), plain);
          const before = files();
          for (const { want, killedAfter } of walk) {
            if (killedAfter > 0) await reach(again(killedAfter), want, 1).catch(() => undefined);
            await reach(again(), want);
          }
          await reach(again(), plain);
          assert.deepEqual(files(), before);
        }),
        { numRuns: 60 },
      );
    });
  });
