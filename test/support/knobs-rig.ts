import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import type { Files } from '../../providers/host/files.ts';
import { knobs } from '../../providers/host/knobs/index.ts';
import type { Desired, Known, Observed } from '../../reconciler/model/change.ts';
import { CORES } from '../../reconciler/model/cores.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { KnobSpec, KnobState } from '../../reconciler/model/resources.ts';
import { HARDWARE, plant, type HardwareName } from './hardware.ts';
import { kernel } from './kernel-files.ts';

export type Knobs = ReturnType<typeof knobs>;

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

export function want(key: string, value: string): Desired<KnobSpec> {
  return { ref: `knob/${key}`, spec: { key, value }, dependsOn: [], origin };
}

/** A context in which these CPUs are somebody's own. */
export function context(...given: readonly string[]): Context {
  const state = {
    nodes: {},
    memory: '0',
    held: {},
    given: Object.fromEntries(given.map((cpus, at) => [`a-${String(at)}`, cpus])),
  };
  const cores: Known = { known: true, ref: CORES, owned: true, state };
  return {
    signal: new AbortController().signal,
    fleet: 'test',
    world: { get: (ref) => (ref === CORES ? cores : undefined) },
  };
}

/** A machine whose /proc and /sys are files below a folder. */
export interface Machine {
  readonly root: string;
  readonly originalsFile: string;
  /** A file below the folder. */
  readonly read: (path: string) => string;
  /** All files, by path. */
  readonly all: () => Readonly<Record<string, string>>;
  /** The provider as after a start of the agent. */
  readonly again: (files?: Files) => Knobs;
}

export function machine(name: HardwareName, files: Files = kernel): Machine {
  const root = fs.mkdtempSync(join(tmpdir(), 'knobs-'));
  folders.push(root);
  plant(root, HARDWARE[name]);
  const originalsFile = join(root, 'state/knobs.json');
  const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
  const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8');
  const all = (): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(HARDWARE[name]).flatMap(([path, node]) => (typeof node === 'string' ? [[path, read(path)]] : [])),
    );
  return { root, originalsFile, read, all, again: (other: Files = files) => knobs({ ...at, files: other }) };
}

export async function look(provider: Knobs, key: string, ctx: Context = context()): Promise<Known<KnobState>> {
  const [item] = (await provider.observe(ctx, [`knob/${key}`])) as readonly [Observed<KnobState>];
  assert.ok(item.known, JSON.stringify(item));
  return item;
}

export async function converge(
  provider: Knobs,
  desired: readonly Desired<KnobSpec>[],
  ctx: Context = context(),
): Promise<readonly string[]> {
  const wanted = { ...ctx, wanted: desired.map(({ ref }) => ref) };
  const changes = provider.diff(desired, await provider.observe(wanted));
  for (const change of changes) await provider.apply(change, ctx);
  assert.deepEqual(provider.diff(desired, await provider.observe(wanted)), [], 'converged');
  return changes.map(({ verb, ref }) => `${verb} ${ref}`);
}
