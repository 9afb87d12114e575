import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import type { Files } from '../../providers/host/files.ts';
import { ethtool } from '../../providers/host/ethtool.ts';
import { knobs } from '../../providers/host/knobs/index.ts';
import type { Desired, Known, Observed } from '../../reconciler/model/change.ts';
import { CORES } from '../../reconciler/model/cores.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { KnobSpec, KnobState } from '../../reconciler/model/resources.ts';
import { cardBench, type CardBench } from './cards.ts';
import { HARDWARE, plant, type HardwareName } from './hardware.ts';
import { kernel } from './kernel-files.ts';

export type Knobs = ReturnType<typeof knobs>;

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

/** The root of a machine that has these files. */
export function machineWith(files: Readonly<Record<string, string>>): string {
  const root = fs.mkdtempSync(join(tmpdir(), 'plumbline-machine-'));
  folders.push(root);
  plant(root, files);
  return root;
}

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
  /** What ethtool asks. */
  readonly cards: CardBench;
  /** All files, by path, and what ethtool shows. */
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
  const cards = cardBench(root);
  const all = (): Readonly<Record<string, string>> => ({
    ...cards.all(),
    ...Object.fromEntries(
      Object.entries(HARDWARE[name]).flatMap(([path, node]) => (typeof node === 'string' ? [[path, read(path)]] : [])),
    ),
  });
  // what ethtool sets is a write as any other: files that count, refuse or are killed do so for it as well
  const log = join(root, 'ethtool');
  fs.writeFileSync(log, 'asked\n');
  const programOf = (other: Files) =>
    ethtool((args, signal) => {
      try {
        if (/^-[A-Z]/.test(args[0] ?? '')) other.write(log, args.join(' '));
      } catch {
        return Promise.resolve({ status: 1, stdout: '', stderr: 'netlink error: Input/output error' });
      }
      return cards.run(args, signal);
    });
  const again = (other: Files = files): Knobs => knobs({ ...at, files: other, program: programOf(other), linger: 0 });
  return { root, originalsFile, cards, read, all, again };
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
