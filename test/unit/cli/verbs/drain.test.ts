import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { drainCommand, drainText } from '../../../../cli/verbs/drain.ts';
import { withDrain } from '../../../../cli/host-edit.ts';
import { createBook } from '../../../../reconciler/model/book.ts';
import type { Draining } from '../../../../reconciler/model/notice.ts';
import type { LocalView } from '../../../../reconciler/loop/status/view.ts';
import { compile } from '../../../../reconciler/compile/compile.ts';
import { hostViews } from '../../../../reconciler/place/hosts.ts';
import { place } from '../../../../reconciler/place/place.ts';
import { scaled } from '../../../../reconciler/place/trial.ts';
import { readFolder } from '../../../../reconciler/source/folder.ts';
import { reportOf } from '../../../support/catalog.ts';
import { commitAll } from '../../../support/placing.ts';
import { makeRepository } from '../../../support/repository.ts';
import { answering, speak, type Spoken } from '../../../support/verb.ts';

const hostsFile = 'hosts.yaml';
const FILES = ['app.yaml', 'fleet.yaml', hostsFile, 'network.yaml', 'zone.yaml'];
const SPREAD = fileURLToPath(new URL('../../../../../examples/manifests/spread', import.meta.url));
const catalog = compile(await readFolder(SPREAD), 'folder');
const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
const book = createBook();
const input = { catalog: scaled(catalog, new Map([['quorum', 2]])), snapshot: book, reports, assignments: [], now: 0 };
commitAll(book, place({ ...input, hosts: hostViews(catalog, reports, book) }).proposals, 0);
const told: Draining[][] = [];

const view: Partial<LocalView> = {
  known: () =>
    Promise.resolve({
      snapshot: { cursor: 1, hosts: book.hosts, placements: book.placements, addresses: book.addresses },
      assignments: [],
      reports,
      hidden: [],
    }),
  status: () => Promise.resolve({ messages: [], draining: told.length > 1 ? told.shift() : told[0] } as never),
};

describe('drain', () => {
  const dir = answering(view);
  const git = join(dir, 'git');
  before(() => {
    mkdirSync(git);
    for (const file of FILES) writeFileSync(join(git, file), readFileSync(join(SPREAD, file)));
  });
  const ask = (...argv: readonly string[]): Promise<Spoken> =>
    speak(drainCommand, dir, ...argv, '--repo', git, '--simulated');

  it('says which line to change, and where all would go', async () => {
    const { code, out } = await ask('h1');
    const line = lineOf(git, hostsFile, 'name: h1');
    assert.equal(code, 0);
    assert.equal(
      out,
      `${hostsFile}:${String(line)}: give Host h1 spec.drain: true, and commit it; then see plumb drain h1 --watch\n\n` +
        'MOVES WITH ITS ADDRESS  TO\nquorum-0                h2\n',
    );
  });

  it('gives the same to programs', async () => {
    const found: unknown = JSON.parse((await ask('h1', '-o', 'json')).out);
    assert.deepEqual(found, {
      version: 1,
      host: 'h1',
      drained: false,
      edit: { file: hostsFile, line: lineOf(git, hostsFile, 'name: h1'), text: 'give Host h1 spec.drain: true' },
      moves: [{ replica: 'quorum-0', to: 'h2' }],
      waits: [],
      staying: [],
      leaving: [],
      displaced: [],
    });
  });

  it('says what Git already says, and how to take it back', async () => {
    assert.match((await ask('h1', '--undo')).out, /^Git does not drain h1\n$/);
    const text = readFileSync(join(git, hostsFile), 'utf8');
    writeFileSync(join(git, hostsFile), text.replace('spec:\n', 'spec:\n  drain: true\n'));
    const line = lineOf(git, hostsFile, 'drain: true');
    const undo = await ask('h1', '--undo');
    assert.match(
      undo.out,
      new RegExp(`^${hostsFile}:${String(line)}: remove drain: true, and commit it; new replicas`),
    );
    assert.match((await ask('h1')).out, /^Git drains h1 already; see plumb drain h1 --watch\n/);
    writeFileSync(join(git, hostsFile), text);
  });

  it('writes it into the file of the work tree, and takes it back there', async () => {
    const file = join(git, hostsFile);
    const before = readFileSync(file, 'utf8');
    const { out } = await ask('h1', '--write');
    assert.ok(out.startsWith(`wrote drain: true into ${file}: commit it, and push; then see plumb drain h1 --watch\n`));
    const changed = readFileSync(file, 'utf8');
    assert.equal(changed.split('\n').filter((line) => line === '  drain: true').length, 1);
    assert.equal(changed.replace('  drain: true\n', ''), before);
    assert.deepEqual(
      [...compile(await readFolder(git), 'folder').hosts.values()].filter(({ spec }) => spec.drain).map((h) => h.name),
      ['h1'],
    );
    const undo = JSON.parse((await ask('h1', '--undo', '--write', '-o', 'json')).out) as object;
    assert.deepEqual((undo as { written: unknown }).written, { path: file, changed: true });
    assert.equal(readFileSync(file, 'utf8'), changed.replace('drain: true', 'drain: false'));
    writeFileSync(file, before);
    await assert.rejects(ask('h1', '--write', '--watch'), { code: 'USAGE', message: /--write first, commit/ });
  });

  it('writes into a work tree what is not committed yet, and takes that back too', async () => {
    const repository = makeRepository();
    try {
      for (const file of FILES) repository.write(file, readFileSync(join(SPREAD, file), 'utf8'));
      repository.commit('first');
      const path = join(repository.directory, hostsFile);
      const isDrained = (): boolean => readFileSync(path, 'utf8').includes('drain: true');
      const there = (...argv: readonly string[]): Promise<Spoken> =>
        speak(drainCommand, dir, 'h1', '--write', '--repo', repository.directory, '--simulated', ...argv);
      assert.equal((await there('--undo')).out, 'Git does not drain h1\n');
      assert.equal(readFileSync(path, 'utf8'), readFileSync(join(SPREAD, hostsFile), 'utf8'));
      await there();
      assert.ok(isDrained());
      assert.equal((await there('--undo')).out, `wrote drain: false into ${path}; Git does not drain h1\n`);
      assert.ok(!isDrained());
      await there();
      repository.commit('drain');
      await there('--undo');
      assert.ok(!isDrained());
      assert.match(
        (await there()).out,
        /^wrote drain: true into .*; Git drains h1 already; see plumb drain h1 --watch\n/,
      );
      assert.ok(isDrained());
    } finally {
      repository.remove();
    }
  });

  const host = (spec: string): string =>
    `kind: Zone\nmetadata: { name: h1 }\nspec: { a: 1 }\n---\nkind: Host\nmetadata: { name: h1 }\n${spec}`;
  for (const { name, spec, then } of [
    {
      name: 'a map in lines',
      spec: 'spec:\n    # rack\n    machine: { hostname: a }\n',
      then: 'spec:\n    # rack\n    drain: true\n    machine: { hostname: a }\n',
    },
    {
      name: 'a map in braces',
      spec: 'spec: { machine: { hostname: a } }\n',
      then: 'spec: { drain: true, machine: { hostname: a } }\n',
    },
    {
      name: 'one that says the contrary',
      spec: 'spec:\n  drain: no  # later\n',
      then: 'spec:\n  drain: true  # later\n',
    },
    { name: 'one that says so', spec: 'spec: { drain: true }', then: 'spec: { drain: true }' },
    { name: 'lines of Windows', spec: 'spec:\r\n  a: 1\r\n', then: 'spec:\r\n  drain: true\r\n  a: 1\r\n' },
    { name: 'one without a spec', spec: 'labels: {}\n', then: undefined },
    { name: 'one whose spec is empty', spec: 'spec: {}\n', then: undefined },
  ])
    it(`writes into ${name}`, () => {
      assert.equal(withDrain(host(spec), 'h1', true), then === undefined ? undefined : host(then));
      assert.equal(withDrain(host(spec), 'h2', true), undefined);
    });

  it('watches until nothing is left', async () => {
    const staying = [{ replica: 'quorum-1', why: 'waits for its turn' }];
    told.splice(
      0,
      told.length,
      [],
      [{ host: 'h1', staying, leaving: ['quorum-0'] }],
      [{ host: 'h1', staying, leaving: ['quorum-0'] }],
      [{ host: 'h1', staying: [], leaving: [], unheard: true }],
      [{ host: 'h1', staying: [], leaving: [] }],
    );
    const { code, out } = await ask('h1', '--watch');
    assert.equal(code, 0);
    assert.equal(
      out,
      'h1 is not drained, as far as the controller knows Git\n' +
        'h1: 1 replica leaving, 1 to go\nleaving: quorum-0\n\nSTAYS     BECAUSE\nquorum-1  waits for its turn\n' +
        'h1 is to be drained, and what is left on it is not known: it has not reported; look after its plumb agent\n' +
        'h1 is drained: nothing is left on it\n',
    );
    told.splice(0, told.length, [{ host: 'h1', staying, leaving: [] }], []);
    const undone = await ask('h1', '--watch', '-o', 'json');
    const lines = undone.out.split('\n').slice(0, -1);
    assert.deepEqual(
      [undone.code, ...lines.map((line) => (JSON.parse(line) as { drained: boolean }).drained)],
      [2, true, false],
    );
    assert.match(drainText('h1', { host: 'h1', staying: [], leaving: ['a', 'b'] }, { color: false }), /2 replicas/);
  });

  it('knows no host that Git does not know', async () => {
    await assert.rejects(ask('h9'), { code: 'USAGE', message: /no Host h9 in Git; did you mean h1\?/ });
  });
});

function lineOf(dir: string, file: string, text: string): number {
  return (
    readFileSync(join(dir, file), 'utf8')
      .split('\n')
      .findIndex((line) => line.trim() === text) + 1
  );
}
