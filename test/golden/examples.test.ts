import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dockerRuntime } from '../../cli/runtime.ts';
import { compile } from '../../reconciler/compile/compile.ts';
import { preview } from '../../reconciler/loop/controller/preview.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import type { Report } from '../../reconciler/model/replica.ts';
import { renderText } from '../../reconciler/plan/render.ts';
import { readFolder } from '../../reconciler/source/folder.ts';
import { golden } from '../support/golden.ts';

const EXAMPLES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'examples');
/** Folders of examples, each a repository. */
const REPOSITORIES = ['manifests', 'tunings'].flatMap((folder) =>
  readdirSync(join(EXAMPLES, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, path: join(EXAMPLES, folder, name) })),
);

/** Every Host of the catalog, empty, of 8 cores on one NUMA node and 16 GiB where it says nothing else. */
function emptyHosts(catalog: Catalog): readonly Report[] {
  return [...catalog.hosts.values()].map(({ name, spec }) => ({
    host: name,
    generation: 0,
    revision: '',
    at: 0,
    facts: {
      hostname: name,
      machineId: '',
      addresses: [],
      capacity: { cpu: 8000, memory: 16 * 2 ** 30, pids: 32_768, node0: 8, ...spec.capacity },
      kernel: '',
      cgroup: 'v2',
    },
    replicas: [],
    observed: knobs(catalog),
    limitations: [],
    conditions: [],
  }));
}

/** The knobs that a Tuning names, as an untouched kernel has them. */
function knobs({ tunings }: Catalog): Report['observed'] {
  return [...tunings.values()].flatMap(({ spec }) => {
    const refs = [
      ...Object.keys(spec.sysctls).map((key) => `sysctl/${key}` as const),
      ...spec.knobs.map(({ key }) => `knob/${key}` as const),
    ];
    return refs.map((ref) => ({ known: true, ref, state: { value: '0' }, owned: false }) as const);
  });
}

/** What is wrong with the line by which an editor finds the schema of a file. */
function wrongSchemas(file: string, text: string): readonly string[] {
  const [, schema = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
  if (schema === '') return ['it has no such line at its beginning'];
  const { title } = JSON.parse(readFileSync(join(file, '..', schema), 'utf8')) as { readonly title?: string };
  const kinds = [...text.matchAll(/^kind: (\w+)$/gm)].map(([, kind = '']) => kind);
  return kinds.filter((kind) => kind !== title).map((kind) => `${kind} has not the schema of ${String(title)}`);
}

describe('every example has its expected plan beside it', () => {
  for (const { name, path } of REPOSITORIES)
    it(name, async () => {
      const files = await readFolder(path);
      for (const { path: file, bytes } of files) assert.deepEqual(wrongSchemas(join(path, file), String(bytes)), [], file);
      const catalog = compile(files, name);
      assert.deepEqual(catalog.problems, []);
      const reports = emptyHosts(catalog);
      const snapshot = { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() };
      const runtime = dockerRuntime({}, '/nowhere');
      const plan = await preview({
        catalog,
        known: { snapshot, assignments: [], reports, hidden: [] },
        reports: () => Promise.resolve(reports),
        differs: runtime.providers,
        allowDeletions: false,
        now: 0,
      });
      await runtime.close();
      assert.deepEqual(plan.unplaceable, []);
      golden('plan.txt', renderText(plan), path);
    });
});
