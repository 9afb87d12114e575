import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { disk, type Files } from '../../providers/host/files.ts';
import { host } from '../../providers/host/index.ts';
import { pathOf } from '../../providers/host/key.ts';
import type { Desired, Known } from '../../reconciler/model/change.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { SysctlSpec, SysctlState } from '../../reconciler/model/resources.ts';

/** A world with nothing in it. */
export const ctx: Context = { signal: new AbortController().signal, fleet: 'test', world: { get: () => undefined } };

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };

const folders: string[] = [];

/** A value that is wanted of a knob. */
export function want(key: string, value: string): Desired<SysctlSpec> {
  return { ref: `sysctl/${key}`, spec: { key, value }, dependsOn: [], origin };
}

/** The provider of sysctls. */
export type Host = ReturnType<typeof host>;

/** A provider over a fake /proc/sys. */
export interface FakeMachine {
  readonly provider: Host;
  /** A new process over the same files. */
  readonly again: () => Host;
  readonly read: (key: string) => string;
  readonly put: (key: string, text: string) => void;
  readonly originalsFile: string;
  /** The file of a knob. */
  readonly at: (key: string) => string;
}

/** A fake /proc/sys with some knobs, and a provider over it. */
export function machine(
  knobs: Readonly<Record<string, string>>,
  files?: (base: Files, read: (key: string) => string) => Files,
): FakeMachine {
  const folder = fs.mkdtempSync(join(tmpdir(), 'host-'));
  folders.push(folder);
  const at = (key: string): string => join(folder, 'proc/sys', pathOf(key) ?? 'none');
  for (const [key, text] of Object.entries(knobs)) {
    fs.mkdirSync(join(at(key), '..'), { recursive: true });
    fs.writeFileSync(at(key), text);
  }
  const originalsFile = join(folder, 'state/originals.json');
  const read = (key: string): string => fs.readFileSync(at(key), 'utf8');
  const again = (): Host =>
    host({ procRoot: join(folder, 'proc'), originalsFile, ...(files ? { files: files(disk, read) } : {}) });
  const provider = again();
  const put = (key: string, text: string): void => {
    fs.writeFileSync(at(key), text);
  };
  return { provider, again, read, put, originalsFile, at };
}

/** A knob as the provider sees it. */
export async function seen(provider: Host, key: string): Promise<Known<SysctlState>> {
  const [item] = await provider.observe(ctx, [`sysctl/${key}`]);
  assert.ok(item?.known, JSON.stringify(item));
  return item;
}

/** Brings the knobs, owned and wanted, to what is wanted; the verbs used. */
export async function converge(provider: Host, desired: readonly Desired<SysctlSpec>[]): Promise<readonly string[]> {
  const wanted = { ...ctx, wanted: desired.map(({ ref }) => ref) };
  const changes = provider.diff(desired, await provider.observe(wanted));
  for (const change of changes) await provider.apply(change, ctx);
  assert.deepEqual(provider.diff(desired, await provider.observe(wanted)), [], 'converged');
  return changes.map(({ verb, ref }) => `${verb} ${ref}`);
}

afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});
