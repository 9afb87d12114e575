import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { completeCommand, completionCommand } from '../../../../cli/verbs/completion.ts';
import { VERBS } from '../../../../cli/verbs.ts';
import type { LocalView } from '../../../../reconciler/loop/status/view.ts';
import { answering, speak } from '../../../support/verb.ts';

const view: Pick<LocalView, 'known'> = {
  known: () =>
    Promise.resolve({
      snapshot: {
        cursor: 1,
        hosts: new Map(),
        addresses: new Map(),
        placements: new Map([
          ['web-0', { replica: 'web-0', app: 'web', host: 'h1', address: '10.0.0.2', incarnation: '' } as never],
        ]),
      },
      assignments: [],
      reports: [],
      hidden: [],
    }),
};

describe('completion', () => {
  const dir = answering(view);
  const offered = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await speak((argv, io) => completeCommand(VERBS, argv, io), dir, '--', ...words)).out
      .split('\n')
      .map((line) => line.split('\t')[0] ?? '');

  for (const { words, has } of [
    { words: ['lab', ''], has: ['up', 'exec', 'down'] },
    { words: ['lab', 'up', '--'], has: ['--hosts', '--racks', '--dir'] },
    { words: ['completion', ''], has: ['bash', 'zsh', 'fish', 'powershell'] },
    { words: ['completion', '-o', ''], has: [] },
    { words: ['plan', '--'], has: ['--repo', '--output'] },
    { words: ['explain', ''], has: ['web-0', 'app/web'] },
    { words: ['plan', '--output', ''], has: ['text', 'json', 'markdown'] },
    { words: ['plan', '-o', ''], has: ['text', 'json', 'markdown'] },
    { words: ['why', ''], has: ['container/web-0', 'port/web-0'] },
    { words: ['status', ''], has: ['app/web'] },
    { words: ['history', ''], has: ['app/web', 'container/web-0'] },
    { words: ['capacity', ''], has: ['web'] },
    { words: ['agent', '--'], has: ['--simulated', '--latency', '--silent', '--store'] },
    { words: ['drain', 'h1', '--'], has: ['--undo', '--watch', '--output'] },
    { words: ['capacity', '--'], has: ['--repo', '--output', '--scale'] },
    { words: ['explain', '--state-dir', join(dir, 'state'), 'w'], has: ['web-0'] },
  ])
    it(`offers ${has.join(', ')} for ${words.join(' ')}`, async () => {
      const all = await offered(...words);
      for (const word of has) assert.ok(all.includes(word), all.join(' '));
      assert.ok(!all.includes('help'));
    });

  it('gives up in time on a store that does not answer', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const since = performance.now();
    assert.deepEqual(await offered('drain', '--store', `redis://127.0.0.1:${String(port)}`, ''), [':4', '']);
    assert.ok(performance.now() - since < 4_000);
    silent.close();
  });

  it('offers no name when there is no state to read', async () => {
    assert.deepEqual(await offered('why', '--state-dir', join(dir, 'none'), ''), [':4', '']);
  });

  it('works in a bash without the package bash-completion, and runs nothing of what is typed', async () => {
    const { out } = await speak(completionCommand, dir, 'bash');
    const bin = join(import.meta.dirname, '../../../../../bin');
    /** What bash offers for the last word. */
    const typed = (...words: readonly string[]): readonly string[] => {
      const line = `${out}
        compopt() { :; } # bash has it while it completes
        COMP_WORDS=(plumb "$@") COMP_CWORD=$#
        __plumb_complete
        printf '%s\\n' "\${COMPREPLY[@]}"`;
      const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: dir, PLUMB_STATE_DIR: join(dir, 'state') };
      const said = spawnSync('bash', ['--norc', '-c', line, '-', ...words], { encoding: 'utf8', env, cwd: dir });
      assert.equal(said.stderr, '');
      return said.stdout.trimEnd().split('\n');
    };
    assert.deepEqual(typed('stat'), ['status']);
    assert.deepEqual(typed('plan', '--work'), ['--work-tree']);
    assert.deepEqual(typed('lab', 'he'), ['heal']);
    assert.deepEqual(typed('plan', '--output', 'm'), ['markdown']);
    assert.deepEqual(typed('plan', '$(touch ran)', '--work'), ['--work-tree']);
    assert.equal(existsSync(join(dir, 'ran')), false);
  });

  it('prints the script of a shell, also for programs, and refuses others', async () => {
    const { out } = await speak(completionCommand, dir, 'bash');
    const twice = spawnSync('bash', ['-ec', `${out}\n${out}\necho twice`], { encoding: 'utf8' });
    assert.deepEqual([twice.stdout, twice.stderr], ['twice\n', '']);
    assert.doesNotMatch(out, /\beval\b/);
    const json: unknown = JSON.parse((await speak(completionCommand, dir, 'bash', '-o', 'json')).out);
    assert.deepEqual(json, { version: 1, shell: 'bash', script: out });
    await assert.rejects(speak(completionCommand, dir, 'csh'), { code: 'USAGE', message: /one for bash/ });
  });
});
