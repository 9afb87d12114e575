import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explainCommand } from '../../../cli/verbs/explain.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import { reportOf } from '../../support/catalog.ts';
import { answering, speak } from '../../support/verb.ts';

const ZONES = fileURLToPath(new URL('../../../../examples/manifests/zones', import.meta.url));
const { hosts, placements, addresses } = createBook();
const reports = ['h1', 'h2', 'h3'].map((host) => reportOf(host));
const known = { snapshot: { cursor: 0, hosts, placements, addresses }, assignments: [], reports, hidden: [] };

describe('explain of an App that asks for its Zone and Network', () => {
  const dir = answering({ known: () => Promise.resolve(known) });
  const git = join(dir, 'git');
  before(() => {
    cpSync(ZONES, git, { recursive: true, filter: (path) => !path.endsWith('.txt') });
  });
  const ask = async (...argv: readonly string[]): Promise<string> =>
    (await speak(explainCommand, dir, ...argv, '--repo', git, '--simulated')).out;

  it('says by what they were chosen, and nothing of one that names them', async () => {
    const lines =
      /\nits Zone batch is the one with work=batch, level 3\nits Network net is the one with isolation internal\n/;
    assert.match(await ask('reports-0'), lines);
    assert.match(await ask('app/reports'), lines);
    assert.doesNotMatch(await ask('checkout-0'), /is the one with/);
    for (const what of ['reports-0', 'app/reports']) {
      const { chosen } = JSON.parse(await ask(what, '-o', 'json')) as { readonly chosen?: unknown };
      assert.deepEqual(chosen, {
        zone: { name: 'batch', traits: { work: 'batch' }, level: 3 },
        network: { name: 'net', isolation: 'internal' },
      });
    }
  });
});
