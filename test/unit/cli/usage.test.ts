import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { agentCommand } from '../../../cli/verbs/agent.ts';
import { applyCommand } from '../../../cli/verbs/apply.ts';
import { capacityCommand } from '../../../cli/verbs/capacity.ts';
import { drainCommand } from '../../../cli/verbs/drain.ts';
import { explainCommand } from '../../../cli/verbs/explain.ts';
import { initCommand } from '../../../cli/verbs/init.ts';
import { planCommand } from '../../../cli/verbs/plan.ts';
import { statusCommand } from '../../../cli/verbs/status.ts';
import { fitted, narrowed, table } from '../../../cli/table.ts';
import { validateCommand } from '../../../cli/verbs/validate.ts';
import { blindness, noting } from '../../../cli/look.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Context } from '../../../reconciler/model/provider.ts';
import { manifest, SOUND } from '../../support/manifests.ts';
import { speak } from '../../support/verb.ts';

describe('what the verbs take, and refuse', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-usage-'));
  before(() => {
    for (const [path, text] of Object.entries(SOUND)) {
      mkdirSync(join(dir, path, '..'), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
  });
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const file = Object.keys(SOUND)[0] ?? '';
  const refused = [
    { verb: validateCommand, argv: ['/nonexistent'], message: /\/nonexistent: no such folder/ },
    { verb: validateCommand, argv: ['no/such'], message: /no\/such: no such folder/ },
    { verb: validateCommand, argv: [file], message: /is a file: name the folder/ },
    { verb: validateCommand, argv: [`${file}@main`], message: /is a file: name the folder/ },
    { verb: planCommand, argv: ['main...next'], message: /takes two: main\.\.next/ },
    { verb: planCommand, argv: ['--repo', 'x', '--ref', 'a', '--tag', 'b'], message: /give one of --ref and --tag/ },
    { verb: planCommand, argv: ['--repo', '.', '--tag', 'v1'], message: /is no Git repository; it has no revision v1/ },
    { verb: planCommand, argv: ['--repo', '.', '--path', 'no/such'], message: /has no folder no\/such/ },
    {
      verb: planCommand,
      argv: ['--host', 'h1', '--store', 'redis://127.0.0.1:1'],
      message: /a store is asked, not this/,
    },
    { verb: explainCommand, argv: ['web-0', '--allow-empty'], message: /unknown option/ },
    {
      verb: statusCommand,
      argv: ['--wat'],
      message: /^unknown option '--wat'; did you mean --watch\? \(plumb status --help explains\)$/,
    },
    { verb: explainCommand, argv: ['web-0', '--allow-deletions'], message: /unknown option/ },
    { verb: agentCommand, argv: ['--simulated', 'many'], message: /--simulated takes a whole number, 1 or more/ },
    { verb: agentCommand, argv: ['--simulated', '5', '--latency', '2s..1s'], message: /--latency takes the shorter/ },
    {
      verb: agentCommand,
      argv: ['--simulated', '5', '--latency', 'slow'],
      message: /--latency takes a duration or two/,
    },
    {
      verb: agentCommand,
      argv: ['--simulated', '5', '--failures', '0.1'],
      message: /--failures takes a share from 0%/,
    },
    {
      verb: agentCommand,
      argv: ['--simulated', '5', '--capacity', '64'],
      message: /--capacity takes cores and memory/,
    },
    { verb: agentCommand, argv: ['--simulated', '5', '--name', 'sim'], message: /--name takes .* as sim-\{0000\}/ },
    { verb: agentCommand, argv: ['--simulated', '5'], message: /which store\? give --store/ },
    { verb: agentCommand, argv: ['--simulated', '--latency', '1s'], message: /--latency is for a rehearsal/ },
    { verb: initCommand, argv: ['x', '--apps', '5'], message: /--apps and --replicas go with --simulated/ },
    { verb: initCommand, argv: ['x', '--simulated', '0'], message: /--simulated takes a whole number, 1 or more/ },
  ];
  for (const { verb, argv, message } of refused)
    it(`${verb.name} ${argv.join(' ')}`, async () => {
      await assert.rejects(speak(verb, dir, ...argv), { code: 'USAGE', message });
    });

  for (const verb of [
    applyCommand,
    planCommand,
    explainCommand,
    capacityCommand,
    drainCommand,
    statusCommand,
    validateCommand,
  ])
    it(`${verb.name} tells its exit statuses once`, async () => {
      const { out } = await speak(verb, dir, '--help');
      assert.equal(out.match(/Exit status: 0 /g)?.length, 1, out);
    });

  it(
    'a file that may not be read is one finding',
    { skip: process.getuid?.() === 0 && 'root reads everything' },
    async () => {
      const root = join(dir, 'locked');
      mkdirSync(join(root, 'shut'), { recursive: true });
      writeFileSync(join(root, 'fleet.yaml'), manifest('Fleet', 'f'));
      writeFileSync(join(root, 'app.yaml'), '');
      chmodSync(join(root, 'app.yaml'), 0);
      chmodSync(join(root, 'shut'), 0);
      const { code, out } = await speak(validateCommand, dir, 'locked', '--no-cache', '-o', 'json');
      const { errors } = JSON.parse(out) as { errors: readonly { code: string; file: string }[] };
      const found = errors.filter((error) => error.code === 'UNREADABLE').map((error) => error.file);
      assert.deepEqual([code, found], [1, ['locked/app.yaml', 'locked/shut']]);
    },
  );

  it('a state directory below a file, or of another user, is told as such', async () => {
    writeFileSync(join(dir, 'plain'), '');
    await assert.rejects(speak(statusCommand, dir, '--state-dir', 'plain'), { code: 'NOT_RUNNING' });
    await assert.rejects(speak(statusCommand, dir, '--socket', 'plain'), { code: 'NOT_RUNNING' });
  });

  it(
    'a socket of another user is told as such',
    { skip: process.getuid?.() === 0 && 'root may ask everybody' },
    async () => {
      mkdirSync(join(dir, 'theirs'));
      chmodSync(join(dir, 'theirs'), 0);
      const refusal = { code: 'STORE_UNAVAILABLE', message: /theirs.*another user's.*sudo/ };
      await assert.rejects(speak(statusCommand, dir, '--state-dir', 'theirs'), refusal);
      chmodSync(join(dir, 'theirs'), 0o700);
    },
  );

  it('a manifest that is far from here is named by its whole path', async () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    mkdirSync(join(dir, 'ill'), { recursive: true });
    writeFileSync(join(dir, 'ill/x.yaml'), 'kind: Nothing\n');
    const fromBelow = async (cwd: string): Promise<string> =>
      (await speak(validateCommand, join(dir, cwd), join(dir, 'ill'), '--no-cache')).out;
    assert.match(await fromBelow('a'), / --> \.\.\/ill\/x\.yaml:/);
    assert.ok((await fromBelow('a/b')).includes(` --> ${join(dir, 'ill/x.yaml')}:`));
  });

  it('a blind provider is told under its own code', async () => {
    const down = (): never => {
      throw new PlumbError('DOCKER_UNAVAILABLE', 'nobody answers');
    };
    const seen = noting([{ name: 'containers', kinds: [], observe: down, diff: () => [], apply: down }]);
    await assert.rejects(Promise.resolve(seen.providers[0]?.observe({} as Context)));
    const [[name, error] = ['', undefined]] = seen.failed;
    const { code, message } = blindness(name, error);
    assert.deepEqual(
      [code, message],
      ['DOCKER_UNAVAILABLE', 'containers: nobody answers; a plan needs to see the host'],
    );
  });

  it('the lines of a table end where the terminal does, colours too', () => {
    const rows = [['web-0', 'a long story about an image']];
    assert.equal(table(['NAME', 'STATE'], rows, 20), 'NAME   STATE\nweb-0  a long story…');
    assert.equal(table(['A'], [['\u001b[32mconverged\u001b[39m']], 5), 'A\n\u001b[32mconv…\u001b[39m');
    assert.equal(table(['NAME', 'STATE'], rows, undefined), 'NAME   STATE\nweb-0  a long story about an image');
  });

  it('a table takes as many lines as a large fleet has replicas', () => {
    const rows = Array.from({ length: 200_000 }, (_, at) => [`web-${String(at)}`, 'h1']);
    const shown = table(...narrowed(['REPLICA', 'HOST'], rows, ['HOST'], 80), 80);
    assert.ok(shown.endsWith('\nweb-199999  h1'));
  });

  it('a table leaves out columns where the terminal is narrow, the least important first', () => {
    const head = ['NAME', 'HOST', 'IMAGE', 'STATE'];
    const rows = [['a-very-long-name-of-an-app-12', 'h1', 'shop/web:1', 'CrashLoop: it ended with status 1']];
    const at = (width: number | undefined, of = rows): string =>
      table(...narrowed(head, of, ['IMAGE', 'HOST'], width), width);
    assert.equal(at(undefined), table(head, rows, undefined));
    assert.match(at(69), /^NAME +HOST +IMAGE +STATE\n.*-12 +h1 +shop\/web:1  CrashLoop: it ended…$/);
    assert.match(at(68), /^NAME +HOST +STATE\n.*-12  h1    CrashLoop: it ended with statu…$/);
    assert.match(at(56), /^NAME +STATE\n.*-12  CrashLoop: it ended with…$/);
    assert.equal(at(40).split('\n')[1], 'a-very-long-…pp-12  CrashLoop: it ended…');
    // what is short needs no room
    assert.match(
      at(54, [['a-very-long-name-of-an-app-12', 'h1', 'shop/web:1', 'Ready']]),
      /^NAME +HOST +IMAGE +STATE\n/,
    );
  });

  it('what is watched ends where the terminal does, lines that it breaks too', () => {
    const text = 'one\ntwo\nthree\nfour\n';
    assert.equal(fitted(text, 'look', [5, 80]), text);
    assert.equal(fitted(text, 'look', [4, 80]), 'one\ntwo\n… and 2 lines more: look\n');
    assert.equal(fitted(text, 'look', [5, 3]), 'one\ntwo\n… and 2 lines more: look\n');
    assert.equal(fitted(text, 'look', [1, 80]), '… and 4 lines more: look\n');
    assert.equal(fitted('\u001b[32mgreen\u001b[39m\nb\n', 'look', [3, 5]), '\u001b[32mgreen\u001b[39m\nb\n');
    assert.equal(fitted(text, 'look', undefined), text);
  });
});
