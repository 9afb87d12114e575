import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { planCommand } from '../../../cli/verbs/plan.ts';
import { manifest, SOUND } from '../../support/manifests.ts';
import { makeRepository, type Repository } from '../../support/repository.ts';
import { speak, type Spoken } from '../../support/verb.ts';

describe('a plan in a work tree', () => {
  const home = mkdtempSync(join(tmpdir(), 'plumb-work-tree-'));
  let repository: Repository;
  beforeEach(() => {
    repository = makeRepository();
    for (const [path, text] of Object.entries(SOUND)) repository.write(path, text);
    repository.commit('first');
  });
  afterEach(() => {
    repository.remove();
  });
  after(() => {
    rmSync(home, { recursive: true });
  });
  const plan = (...argv: readonly string[]): Promise<Spoken> =>
    speak(
      planCommand,
      home,
      '--repo',
      repository.directory,
      '--simulated',
      '--host',
      'h1',
      '--state-dir',
      home,
      ...argv,
    );
  const extra = manifest('Zone', 'extra', 'hosts:\n  matchLabels:\n    pool: other');

  it('is of HEAD, and says which manifests are not committed', async () => {
    assert.equal((await plan()).err, '');
    const [first = ''] = Object.keys(SOUND);
    repository.write(first, `# changed\n${SOUND[first] ?? ''}`);
    const said = /^(\S+) and 1 other file are not as committed, and HEAD is what is asked about: .* --work-tree\n$/;
    repository.write('extra.yaml', extra);
    repository.write('ci.yaml', 'jobs: []\n');
    mkdirSync(join(repository.directory, '.hidden'));
    repository.write('.hidden/extra.yaml', extra);
    assert.match((await plan()).err, said);
    unlinkSync(join(repository.directory, first));
    assert.match((await plan()).err, said);
    for (const argv of [['HEAD'], ['--ref', 'main']]) assert.equal((await plan(...argv)).err, '', argv.join(' '));
  });

  it('takes lines that Git checks out with other ends for what is committed', async () => {
    const [first = ''] = Object.keys(SOUND);
    const text = (SOUND[first] ?? '').replaceAll('\n', '\r\n');
    repository.write('.gitattributes', '* text eol=crlf\n');
    repository.write(first, text);
    repository.commit('ends');
    assert.doesNotMatch(repository.git('show', `HEAD:${first}`), /\r/);
    assert.equal((await plan()).err, '');
    repository.write(first, `# changed\r\n${text}`);
    assert.ok((await plan()).err.startsWith(`${first} is not as committed`));
  });

  it('is of what lies there with --work-tree, which needs no revision', async () => {
    const said = await plan('-o', 'json');
    repository.write(
      'broken.yaml',
      'apiVersion: plumbline/v1\nkind: Zone\nmetadata: { name: x }\nspec: { hosts: 7 }\n',
    );
    assert.deepEqual(await plan('-o', 'json', 'HEAD'), said);
    const { code, out, err } = await plan('-w', '-o', 'json');
    const { revision, problems } = JSON.parse(out) as { revision: string; problems: number };
    assert.deepEqual([code, revision, problems], [2, 'folder', 1], err);
    assert.match(err, /^broken\.yaml:4:/);
    for (const argv of [['main'], ['--ref', 'main']])
      await assert.rejects(plan('-w', ...argv), {
        code: 'USAGE',
        message: /--work-tree asks about .*: leave main out/,
      });
    await assert.rejects(speak(planCommand, home, '-w', '--repo', 'https://git.example.com/x.git'), {
      code: 'USAGE',
      message: /a folder of this machine/,
    });
  });
});
