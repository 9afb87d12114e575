import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { remoteView } from '../../cli/local.ts';
import type { Status } from '../../reconciler/loop/status/status.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PLUMB = join(ROOT, 'bin', 'plumb');

interface PlanJson {
  readonly changes: readonly { readonly ref: string }[];
  readonly held: readonly { readonly ref: string; readonly host: string; readonly reason: string }[];
  readonly problems: number;
  readonly summary: { readonly destroy: number };
}

/** The verbs beside a running up, as a user types them, on the simulated runtime; the tests of a suite go on from each other. */
describe('verbs beside a running up', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-verbs-'));
  const repo = join(dir, 'repo');
  const git = (...argv: readonly string[]): string =>
    execFileSync('git', ['-C', repo, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...argv], {
      encoding: 'utf8',
    }).trim();
  // the state directory is named from where the user stands
  const plumb = (...argv: readonly string[]): { code: number | null; out: string; err: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PLUMB, ...argv, '--state-dir', 'state'], {
      cwd: dir,
      encoding: 'utf8',
      timeout: 120_000,
    });
    return { code: status, out: stdout, err: stderr };
  };
  const planned = (...argv: readonly string[]): { code: number | null; plan: PlanJson } => {
    const { code, out, err } = plumb('plan', '--repo', 'repo', '--simulated', '-o', 'json', ...argv);
    assert.notEqual(out, '', err);
    return { code, plan: JSON.parse(out) as PlanJson };
  };
  let up: ChildProcess;

  before(async () => {
    cpSync(join(ROOT, 'examples', 'manifests', 'shop'), repo, { recursive: true });
    execFileSync('git', ['init', '-q', '-b', 'main', repo]);
    git('add', '-A');
    git('commit', '-q', '-m', 'First');
    up = spawn(
      process.execPath,
      [PLUMB, 'up', '-q', '--repo', 'repo', '--simulated', '--host', 'h1', '--state-dir', 'state'],
      { cwd: dir, stdio: 'ignore' },
    );
    const view = remoteView(join(dir, 'state', 'plumb.sock'));
    for (let tries = 0; tries < 600; tries += 1) {
      const status = await view.status().catch(() => undefined);
      if (status?.sync === 'Synced' && status.health === 'Healthy') return;
      assert.equal(up.exitCode, null, 'plumb up runs');
      await sleep(100);
    }
    assert.fail('the examples did not converge');
  });
  after(async () => {
    if (up.exitCode === null) {
      up.kill('SIGTERM');
      await once(up, 'exit');
    }
    rmSync(dir, { recursive: true, force: true });
  });

  it('apply asks it, and refuses what it would have to leave out', () => {
    assert.equal(plumb('apply').code, 0);
    assert.equal(plumb('apply', '--repo', 'repo').code, 0);
    const other = plumb('apply', '--repo', '/nonexistent');
    assert.equal(other.code, 1);
    assert.match(other.err, /follows .*repo, not \/nonexistent.*\[USAGE\]/);
    assert.match(plumb('apply', '--ref', 'next').err, /without --ref, not next/);
    assert.match(plumb('apply', '--simulated').err, /leave --simulated out/);
  });

  it('why says what is there where that is not what Git says', () => {
    const { out } = plumb('why', 'container/web-0');
    assert.match(out, /web-0 stop is \{.*\} on h1\n/);
    assert.doesNotMatch(out, /there now/);
    const part = JSON.parse(plumb('status', 'app/web', '-o', 'json').out) as Status & { readonly part: string };
    assert.deepEqual([part.part, part.items.length > 0], ['app/web', true]);
    assert.ok(part.items.every(({ ref }) => ref.startsWith('replica/web-')));
    assert.match(plumb('status', 'host/h1').out, /host h1 in zone main, .*open; reserved: CPU /);
    assert.match(plumb('status', 'rack/nowhere').err, /there is no rack nowhere; there are: /);
    assert.match(plumb('status', 'web').err, /is no part of a fleet: write app/);
    assert.match(plumb('why', 'container/wep-0').err, /did you mean "container\/web-0"\?/);
    assert.match(plumb('why', 'container/web-0', 'memry').err, /no field memry; did you mean "memory"\?/);
  });

  it('status, plan and apply agree that a revision with errors is not what runs', () => {
    writeFileSync(join(repo, 'bad.yaml'), 'foo: bar\n');
    git('add', '-A');
    git('commit', '-q', '-m', 'Oops');
    assert.equal(plumb('apply').code, 1);
    const { code, out } = plumb('status', '-o', 'json');
    const { sync, problems } = JSON.parse(out) as { sync: string; problems: number };
    assert.deepEqual([code, sync, problems], [2, 'OutOfSync', 1]);
    const { code: planCode, plan } = planned();
    assert.deepEqual([planCode, plan.changes, plan.problems], [1, [], 1]);
    assert.doesNotMatch(plumb('plan', '--repo', 'repo', '--simulated').out, /as Git says/);
    git('rm', '-q', 'bad.yaml');
    git('commit', '-q', '-m', 'Mend');
    assert.equal(plumb('apply').code, 0);
  });

  it('a plan says what cannot be seen, and does not call that nothing to do', async () => {
    const file = join(dir, 'state', 'simulated', 'container', 'web-0.json');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, '{');
    let said = plumb('plan', '--repo', 'repo', '--simulated');
    for (let tries = 0; tries < 600 && !/cannot be seen whole/.test(said.out); tries += 1) {
      await sleep(100);
      said = plumb('plan', '--repo', 'repo', '--simulated');
    }
    assert.match(said.out, /\nhost h1 cannot be seen whole, \d+ things? of it: .*web-0/);
    assert.doesNotMatch(said.out, /Nothing to do/);
    assert.equal(said.code, 1);
    writeFileSync(file, before);
    assert.equal(plumb('apply').code, 0);
  });

  it('a plan shows what the deletion budget holds, and what it would do without', () => {
    git('rm', '-q', 'apps/api.yaml', 'apps/web.yaml');
    git('commit', '-q', '-m', 'Drop the shop');
    const { code, plan } = planned();
    assert.deepEqual([code, plan.changes, plan.summary.destroy], [2, [], 0]);
    assert.ok(
      plan.held.some(({ ref, host, reason }) => ref === 'container/web-0' && host === 'h1' && /budget/.test(reason)),
    );
    const free = planned('--allow-deletions').plan;
    assert.deepEqual(free.held, []);
    assert.deepEqual(new Set(plan.held.map(({ ref }) => ref)), new Set(free.changes.map(({ ref }) => ref)));
    const { out } = plumb('plan', '--repo', 'repo', '--simulated', '-o', 'markdown');
    assert.match(out, /0 changes, \d+ held/);
  });

  it('apply --allow-deletions lets go what it holds, for that revision only', () => {
    const { code, out } = plumb('apply');
    assert.equal(code, 3);
    assert.match(out, /^held: 5 of 6 replicas would go/m);
    assert.equal(plumb('apply', '--allow-deletions').code, 0);
    const { out: json } = plumb('status', '-o', 'json');
    const { items } = JSON.parse(json) as { items: { ref: string }[] };
    assert.deepEqual(
      items.map(({ ref }) => ref),
      ['replica/worker-0'],
    );
    git('revert', '--no-edit', 'HEAD');
    assert.equal(plumb('apply').code, 0);
    git('revert', '--no-edit', 'HEAD');
    assert.equal(plumb('apply').code, 3);
  });
});
