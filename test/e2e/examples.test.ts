import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
/** Folders of examples, each a repository. */
const EXAMPLES = ['manifests', 'tunings'].flatMap((folder) => {
  const all = join(ROOT, 'examples', folder);
  return readdirSync(all, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name: `${folder}/${name}`, path: join(all, name) }));
});

/** The first Host that an example names. */
function firstHost(folder: string): string {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.yaml$/.test(file));
  const documents = all.sort().flatMap((file) => readFileSync(join(folder, file), 'utf8').split(/^---$/m));
  const host = documents.find((text) => /^kind: Host$/m.test(text));
  return /^\s+name: (\S+)$/m.exec(host ?? '')?.[1] ?? '';
}

describe('every example runs on the simulated runtime', () => {
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'plumb-examples-'));
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  for (const { name, path } of EXAMPLES)
    it(name, () => {
      const repo = join(dir, name);
      const state = join(dir, `${name}-state`);
      cpSync(path, repo, { recursive: true });
      const git = (...argv: string[]): void => {
        execFileSync('git', ['-C', repo, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...argv], {
          stdio: 'ignore',
        });
      };
      git('init', '-q', '-b', 'main');
      git('add', '-A');
      git('commit', '-q', '-m', 'Example');
      const host = firstHost(repo);
      const plumb = (
        ...argv: string[]
      ): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
        spawnSync(process.execPath, [join(ROOT, 'bin', 'plumb'), ...argv], { encoding: 'utf8', timeout: 120_000 });
      const flags = ['--repo', repo, '--simulated', '--host', host, '--state-dir', state];
      assert.equal(plumb('plan', ...flags).status, 2);
      const applied = plumb('apply', ...flags, '-o', 'json');
      assert.notEqual(applied.stdout, '', applied.stderr);
      const status = JSON.parse(applied.stdout) as { items: { host: string; health: string; reason: string }[] };
      const here = status.items.filter((item) => item.host === host);
      // a Tuning needs no App
      const apps = readdirSync(repo, { recursive: true, encoding: 'utf8' }).some(
        (file) => /\.yaml$/.test(file) && /^kind: App$/m.test(readFileSync(join(repo, file), 'utf8')),
      );
      assert.equal(here.length > 0, apps, applied.stderr);
      assert.deepEqual(
        here.filter(({ health }) => health !== 'Healthy'),
        [],
      );
      if (status.items.length > here.length) return;
      assert.equal(applied.status, 0, applied.stdout);
      assert.equal(plumb('plan', ...flags).status, 0);
    });
});
