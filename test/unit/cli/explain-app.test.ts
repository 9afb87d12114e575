import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explainCommand } from '../../../cli/verbs/explain.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Assignment, Report } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { readFolder } from '../../../reconciler/source/folder.ts';
import { reportOf } from '../../support/catalog.ts';
import { commitAll } from '../../support/placing.ts';
import { answering, speak, type Spoken } from '../../support/verb.ts';

const SPREAD = fileURLToPath(new URL('../../../../examples/manifests/spread', import.meta.url));
const catalog = compile(await readFolder(SPREAD), 'folder');
const silent = [...catalog.hosts.keys()].map((host) => reportOf(host));
const book = createBook();
const seen = { catalog, snapshot: book, reports: silent, assignments: [], now: 0 };
commitAll(book, place({ ...seen, hosts: hostViews(catalog, silent, book) }).proposals, 0);
const { placements, hosts, addresses } = book;
const { assignments } = project({ catalog, author: '', placements, previous: new Map(), reports: silent, now: 0 });

function serving({ host, generation, replicas }: Assignment): Report {
  const well = { phase: 'Ready' as const, ready: true, restarts: 0, fingerprint: 'f' };
  const said = replicas.map((one) => ({ id: one.id, ...well, incarnation: incarnationOf(one) }));
  return reportOf(host, {}, { generation, replicas: said });
}
const snapshot = { cursor: 1, hosts, placements, addresses };
const known = { snapshot, assignments, reports: assignments.map(serving), hidden: [] };

describe('explain of an App', () => {
  const dir = answering({ known: () => Promise.resolve(known) });
  const git = join(dir, 'git');
  before(() => {
    cpSync(SPREAD, git, { recursive: true, filter: (path) => !path.endsWith('.txt') });
  });
  const ask = (...argv: readonly string[]): Promise<Spoken> =>
    speak(explainCommand, dir, ...argv, '--repo', git, '--simulated');

  it('says that all serve, and what waits for what while it changes', async () => {
    const calm = await ask('app/quorum');
    assert.equal(calm.code, 0);
    assert.match(calm.out, /^quorum: 3 of 3 replicas serve as Git says\n/);
    assert.doesNotMatch((await ask('quorum-2')).out, /as Git says/);
    const file = join(git, 'app.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('busybox:1', 'busybox:2'));
    const { code, out } = await ask('app/quorum');
    assert.equal(code, 2);
    assert.match(out, /^quorum: 3 of 3 replicas are not yet told what Git says, 3 steps to go/);
    assert.match(out, /\nREPLICA +HOST +IMAGE +NOT AS GIT SAYS +STEP +WAITS BECAUSE\n/);
    assert.match(out, /\nquorum-2 +h\d +plumbline\/busybox:1 +image +3 of 3 +quorum-0 must serve first\n/);
    assert.match(
      (await ask('quorum-2')).out,
      /\nquorum-2 is not yet as Git says \(image\), step 3 of the 3 steps to come: quorum-0 must serve first\nquorum: 3 of 3 /,
    );
    const [app, one] = await Promise.all(
      ['app/quorum', 'quorum-2'].map(
        async (what) => JSON.parse((await ask(what, '-o', 'json')).out) as Readonly<Record<string, unknown>>,
      ),
    );
    const line = {
      ...{ replica: 'quorum-2', host: placements.get('quorum-2')?.host, image: 'plumbline/busybox:1' },
      ...{ differs: ['image'], serves: true, step: 3, waits: 'quorum-0 must serve first' },
    };
    assert.deepEqual((app?.['replicas'] as readonly unknown[])[2], line);
    assert.deepEqual((one?.['change'] as { readonly replicas: unknown }).replicas, [line]);
  });

  it('says of an App with errors, and of a replica of it, that it has them', async () => {
    const file = join(git, 'app.yaml');
    const sound = readFileSync(file, 'utf8');
    writeFileSync(file, sound.replace('spec:\n', 'spec:\n  level: 9\n'));
    const says = { code: 'USAGE', message: 'App quorum has errors in Git: plumb validate shows them' };
    for (const what of ['app/quorum', 'quorum-1', 'container/quorum-1']) await assert.rejects(ask(what), says);
    writeFileSync(file, sound);
  });
});
