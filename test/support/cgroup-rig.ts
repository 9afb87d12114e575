import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { cgroups, type CgroupsOptions } from '../../providers/cgroups/index.ts';
import type { Desired, Known } from '../../reconciler/model/change.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { container, contextOf, fakeTree, idOf, kernelRules, limits } from './cgroup-tree.ts';

/** The container of web-0, and its cgroup. */
export const ID: string = idOf('a');
export const REF = 'cgroup/web-0';

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };

/** The limits of web-0 with some of them otherwise. */
export const want = (some: Partial<CgroupSpec> = {}): Desired<CgroupSpec> => ({
  ref: REF,
  spec: limits('web-0', some),
  dependsOn: [],
  origin,
});

/** A world in which web-0 runs. */
export const running: Context = contextOf([container('web-0', ID)]);

/** Trees that are removed after each test. */
export const roots: string[] = [];

/** A provider over a fake kernel. */
export interface Lab {
  readonly provider: Provider<CgroupSpec, CgroupState>;
  /** What a file of the cgroup says, and what it is to say. */
  readonly read: (controller: string, file: string) => string;
  readonly put: (controller: string, file: string, text: string) => void;
  /** Files that were written, in order. */
  readonly log: string[];
  readonly root: string;
  readonly path: string;
}

/** A fake kernel with one container, the provider over it, and a look into its files. */
export function lab(
  version: 'v1' | 'v2',
  options: CgroupsOptions & { lacking?: readonly string[]; path?: string } = {},
): Lab {
  const { lacking, path = `lab/h1/docker/${ID}`, ...rest } = options;
  const root = fakeTree(version, path, lacking);
  roots.push(root);
  const log: string[] = [];
  const provider = cgroups({ root, sysRoot: join(root, 'sys'), files: kernelRules(log), ...rest });
  const at = (controller: string, file: string): string =>
    version === 'v2' ? join(root, path, file) : join(root, controller, path, file);
  const read = (controller: string, file: string): string => fs.readFileSync(at(controller, file), 'utf8').trim();
  const put = (controller: string, file: string, text: string): void => {
    fs.writeFileSync(at(controller, file), `${text}\n`);
  };
  return { provider, read, put, log, root, path };
}

/** web-0 as the provider sees it. */
export async function seen(
  provider: Provider<CgroupSpec, CgroupState>,
  ctx: Context = running,
): Promise<Known<CgroupState>> {
  const [item] = await provider.observe(ctx, [REF]);
  assert.ok(item?.known, JSON.stringify(item));
  return item;
}

/** Brings web-0 to what is wanted in one apply; what was done. */
export async function converge(
  provider: Provider<CgroupSpec, CgroupState>,
  spec: Desired<CgroupSpec>,
): Promise<string> {
  const [change] = provider.diff([spec], [await seen(provider)]);
  if (!change) return 'nothing to do';
  const { did } = await provider.apply(change, running);
  assert.deepEqual(provider.diff([spec], [await seen(provider)]), [], 'converged after one apply');
  return did;
}

afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});
