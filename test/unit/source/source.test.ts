import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { ErrorCode } from '../../../reconciler/model/errors.ts';
import { MAX_FILE_BYTES, MAX_FILES } from '../../../reconciler/model/source.ts';
import type { SourceFile } from '../../../reconciler/model/source.ts';
import { readFolder } from '../../../reconciler/source/folder.ts';
import { openSource } from '../../../reconciler/source/source.ts';
import type { Source, SourceOptions } from '../../../reconciler/source/source.ts';
import { makeRepository } from '../../support/repository.ts';
import type { Repository } from '../../support/repository.ts';

const code =
  (wanted: ErrorCode) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === wanted;

const text = (file: SourceFile | undefined): string => Buffer.from(file?.bytes ?? []).toString();

describe('source', () => {
  let repository: Repository;
  let cacheDir: string;
  let now = 1_000_000;

  beforeEach(() => {
    repository = makeRepository();
    cacheDir = mkdtempSync(join(tmpdir(), 'plumb-cache-'));
  });
  afterEach(() => {
    repository.remove();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  const open = (options: Partial<SourceOptions> = {}): Promise<Source> =>
    openSource({ url: repository.directory, cacheDir, env: process.env, clock: () => now, ...options });

  async function revision(source: Source): Promise<string> {
    const result = await source.fetch();
    assert.equal(result.error, undefined);
    return result.revision ?? assert.fail('no revision');
  }

  it('reads manifests of a commit, each with its Git blob id, and no work tree', async () => {
    repository.write('web.yaml', 'a: 1\n');
    repository.write('deep/er/db.yml', 'b: 2\n');
    repository.write('README.md', '# no manifest\n');
    const id = repository.commit('first');
    repository.write('uncommitted.yaml', 'x: 1\n');
    const source = await open();
    assert.equal(await revision(source), id);
    const files = await source.files(id);
    assert.deepEqual(
      files.map((file) => [file.path, text(file)]),
      [
        ['deep/er/db.yml', 'b: 2\n'],
        ['web.yaml', 'a: 1\n'],
      ],
    );
    assert.equal(files[1]?.blob, repository.git('rev-parse', 'HEAD:web.yaml'));
    const known = await source.files(id, { known: new Set([files[0]?.blob ?? '']) });
    assert.deepEqual(
      known.map((file) => file.bytes === undefined),
      [true, false],
    );
    const mirror = readdirSync(cacheDir).find((name) => name.endsWith('.git')) ?? assert.fail('no mirror');
    assert.equal(existsSync(join(cacheDir, mirror, 'web.yaml')), false);
    assert.equal(existsSync(join(cacheDir, mirror, 'hooks')), false);
  });

  it('comes to the files and the author of a first revision with eight runs of git', async () => {
    repository.write('web.yaml', 'a: 1\n');
    const id = repository.commit('first');
    const log = join(cacheDir, 'runs');
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    writeFileSync(join(cacheDir, 'git'), `#!/bin/sh\necho "$@" >> ${log}\nexec ${real} "$@"\n`, { mode: 0o755 });
    const source = await open({ env: { ...process.env, PATH: `${cacheDir}:${process.env['PATH'] ?? ''}` } });
    await revision(source);
    await Promise.all([source.files(id), source.commit(id)]);
    const runs = readFileSync(log, 'utf8').trim().split('\n');
    assert.ok(runs.length <= 8, runs.join('\n'));
  });

  it('does not take a mirror that lost its commit for an empty repository', async () => {
    repository.write('web.yaml', 'a: 1\n');
    const id = repository.commit('first');
    const source = await open();
    await revision(source);
    const mirror = readdirSync(cacheDir).find((name) => name.endsWith('.git')) ?? '';
    rmSync(join(cacheDir, mirror, 'objects'), { recursive: true });
    mkdirSync(join(cacheDir, mirror, 'objects'));
    await assert.rejects(source.files(id, { allowEmpty: true }), code('REVISION_NOT_FOUND'));
  });

  it('serves bare repositories, branches, tags, commits and folders', async () => {
    repository.write('a/x.yaml', 'v: 1\n');
    repository.write('b/y.yaml', 'w: 1\n');
    const first = repository.commit('first');
    repository.git('tag', '-a', 'v1', '-m', 'one');
    repository.git('checkout', '-q', '-b', 'topic');
    repository.write('a/x.yaml', 'v: 2\n');
    const second = repository.commit('second');
    const bare = join(cacheDir, 'bare.git');
    repository.git('clone', '-q', '--bare', '.', bare);
    const heads = { branch: 'topic' };
    assert.equal(await revision(await open({ url: bare, ref: heads })), second);
    assert.equal(await revision(await open({ url: `file://${bare}`, ref: { tag: 'v1' } })), first);
    assert.equal(await revision(await open({ ref: { commit: first.slice(0, 10) } })), first);
    assert.equal(await revision(await open({ ref: { commit: first } })), first);
    const inside = await open({ ref: heads, path: 'a/' });
    const [only] = await inside.files(await revision(inside));
    assert.deepEqual([only?.path, text(only)], ['x.yaml', 'v: 2\n']);
    assert.deepEqual(await inside.changedFiles(first, second), ['x.yaml']);
    assert.deepEqual(await (await open({ path: 'b' })).changedFiles(first, second), []);
    assert.equal((await inside.blame(second, 'x.yaml', 1)).subject, 'second');
    repository.git('checkout', '-q', first);
    assert.equal(await revision(await open()), first);
  });

  it('finds the commit that last changed a line, names as written there', async () => {
    repository.write('web.yaml', 'a: 1\nb: 1\n');
    repository.write('.mailmap', 'Mallory <m@example.org> <ann@example.org>\n');
    const first = repository.commit('web: add');
    repository.write('web.yaml', 'a: 1\nb: 2\n');
    const second = repository.commit('web: raise b', 'Bob Other <bob@example.org>');
    const source = await open();
    await source.fetch();
    assert.equal((await source.blame(second, 'web.yaml', 1)).revision, first);
    const info = await source.blame('main', 'web.yaml', 2);
    assert.deepEqual(
      [info.revision, info.author, info.email, info.subject],
      [second, 'Bob Other', 'bob@example.org', 'web: raise b'],
    );
    assert.equal((await source.commit(first)).author, 'Ann Example');
    assert.equal(await source.resolve('main~1'), first);
    assert.equal(await source.resolve('HEAD'), second);
    assert.equal(await source.resolve(second.slice(0, 8)), second);
    await assert.rejects(source.resolve('nowhere'), code('REVISION_NOT_FOUND'));
    await assert.rejects(source.resolve('--all'), code('SOURCE_REFUSED'));
  });

  it('keeps the last good revision while the remote is gone, also over a restart', async () => {
    repository.write('web.yaml', 'a: 1\n');
    const id = repository.commit('first');
    const source = await open();
    assert.equal(await revision(source), id);
    repository.git('config', 'core.repositoryformatversion', '99');
    now += 5000;
    for (const again of [source, await open()]) {
      const result = await again.fetch();
      assert.equal(result.revision, id);
      assert.equal(result.lastSuccess, now - 5000);
      assert.equal(result.error?.code, 'SOURCE_UNREACHABLE');
      assert.equal(text((await again.files(id))[0]), 'a: 1\n');
    }
    repository.git('config', '--file', join(repository.directory, '.git/config'), 'core.repositoryformatversion', '0');
    assert.deepEqual(await source.fetch(), { revision: id, lastSuccess: now });
  });

  it('says that history was rewritten, and keeps what was dropped', async () => {
    repository.write('web.yaml', 'a: 1\n');
    repository.commit('first');
    repository.write('web.yaml', 'a: 2\n');
    const dropped = repository.commit('second');
    const source = await open();
    assert.equal(await revision(source), dropped);
    repository.git('reset', '-q', '--hard', 'HEAD~1');
    repository.write('web.yaml', 'a: 3\n');
    const id = repository.commit('other second');
    const result = await source.fetch();
    assert.deepEqual(result.forced, { from: dropped, to: id });
    const mirror = readdirSync(cacheDir).find((name) => name.endsWith('.git')) ?? '';
    repository.git('--git-dir', join(cacheDir, mirror), 'gc', '-q', '--prune=now');
    assert.equal((await source.commit(dropped)).subject, 'second');
    assert.equal((await source.fetch()).forced, undefined);
  });

  it('says that a branch vanished and keeps its last revision', async () => {
    repository.write('web.yaml', 'a: 1\n');
    repository.commit('first');
    repository.git('checkout', '-q', '-b', 'live');
    repository.write('web.yaml', 'a: 2\n');
    const id = repository.commit('second');
    const source = await open({ ref: { branch: 'live' } });
    assert.equal(await revision(source), id);
    repository.git('checkout', '-q', 'main');
    repository.git('branch', '-q', '-D', 'live');
    const result = await source.fetch();
    assert.deepEqual([result.revision, result.vanished, result.error?.code], [id, true, 'REVISION_NOT_FOUND']);
    assert.equal(text((await source.files(id))[0]), 'a: 2\n');
  });

  it('refuses an empty tree unless that is allowed', async () => {
    repository.write('README.md', '# nothing\n');
    const id = repository.commit('first');
    const source = await open();
    await source.fetch();
    await assert.rejects(source.files(id), {
      code: 'TREE_EMPTY',
      message: /Where that is meant, plumb controller, up, apply and plan take --allow-empty$/,
    });
    assert.deepEqual(await source.files(id, { allowEmpty: true }), []);
    await assert.rejects((await open({ path: 'nowhere' })).files(id), code('TREE_EMPTY'));
  });

  it('says what is wrong with what is no repository, or an empty one', async () => {
    assert.equal((await (await open()).fetch()).error?.code, 'REVISION_NOT_FOUND');
    const result = await (await open({ url: join(cacheDir, 'nowhere') })).fetch();
    assert.equal(result.error?.code, 'SOURCE_UNREACHABLE');
    assert.equal(result.revision, undefined);
    await assert.rejects(open({ url: 'ext::sh -c id' }), code('SOURCE_REFUSED'));
    await assert.rejects(open({ ref: { branch: '--upload-pack=x' } }), code('SOURCE_REFUSED'));
  });

  it('takes nothing from a hostile repository but its files', async () => {
    const ran = join(cacheDir, 'ran');
    const secret = repository.feed('/etc/passwd', 'hash-object', '-w', '--stdin');
    const ok = repository.feed('a: 1\n', 'hash-object', '-w', '--stdin');
    const attributes = repository.feed('*.yaml filter=evil diff=evil\n', 'hash-object', '-w', '--stdin');
    const modules = repository.feed(
      '[submodule "s"]\n\tpath = s\n\turl = ext::sh -c id\n',
      'hash-object',
      '-w',
      '--stdin',
    );
    const sub = '1234567890123456789012345678901234567890';
    const entries: [string, string][] = [
      [`100644 blob ${attributes}`, '.gitattributes'],
      [`100644 blob ${modules}`, '.gitmodules'],
      [`120000 blob ${secret}`, 'passwd.yaml'],
      [`160000 commit ${sub}`, 's'],
      [`100644 blob ${ok}`, 'web.yaml'],
      [`100644 blob ${ok}`, 'bad\u00ff.yaml'],
    ];
    // latin1: the last name is not UTF-8
    const listing = Buffer.from(entries.map(([head, name]) => `${head}\t${name}\u0000`).join(''), 'latin1');
    const tree = repository.feed(listing, 'mktree', '-z', '--missing');
    const id = repository.git('-c', 'user.name=M', '-c', 'user.email=m@x', 'commit-tree', tree, '-m', 'evil');
    repository.git('update-ref', 'refs/heads/main', id);
    repository.git('update-ref', 'refs/heads/--upload-pack=x', id);
    const script = `#!/bin/sh\necho "$0" >> '${ran}'\n`;
    for (const hook of ['pre-receive', 'post-update', 'reference-transaction', 'post-checkout', 'post-merge'])
      repository.write(`.git/hooks/${hook}`, script);
    repository.write('.git/evil.sh', script);
    repository.git('config', 'core.fsmonitor', join(repository.directory, '.git/evil.sh'));
    repository.git('config', 'uploadpack.packObjectsHook', join(repository.directory, '.git/evil.sh'));
    repository.git('config', 'filter.evil.smudge', join(repository.directory, '.git/evil.sh'));
    const source = await open();
    assert.equal(await revision(source), id);
    const files = await source.files(id);
    assert.deepEqual(
      files.map((file) => [file.path, file.refused ?? text(file)]),
      [
        ['bad\uFFFD.yaml', 'name'],
        ['passwd.yaml', 'symlink'],
        ['s', 'submodule'],
        ['web.yaml', 'a: 1\n'],
      ],
    );
    assert.equal((await source.blame(id, 'web.yaml', 1)).revision, id);
    assert.equal(existsSync(ran), false);
  });

  it('does not read what is too large and stops behind the most files', async () => {
    repository.write('a.yaml', 'x'.repeat(MAX_FILE_BYTES + 1));
    repository.write('b.yaml', 'x'.repeat(MAX_FILE_BYTES));
    const blob = repository.feed('c: 1\n', 'hash-object', '-w', '--stdin');
    const many = Array.from({ length: MAX_FILES }, (_, index) => `100644 blob ${blob}\tz${String(index)}.yaml`).join(
      '\n',
    );
    repository.commit('large');
    const all = `${repository.git('ls-tree', 'HEAD')}\n${many}\n`;
    const tree = repository.feed(all, 'mktree');
    const id = repository.git('-c', 'user.name=M', '-c', 'user.email=m@x', 'commit-tree', tree, '-m', 'many');
    repository.git('update-ref', 'refs/heads/main', id);
    const source = await open();
    await source.fetch();
    const files = await source.files(id);
    assert.equal(files.length, MAX_FILES + 1);
    assert.deepEqual(
      [files[0]?.refused, files[0]?.bytes, files[1]?.bytes?.length],
      ['too-large', undefined, MAX_FILE_BYTES],
    );
  });

  it('rebuilds a mirror that a kill left broken', async () => {
    repository.write('web.yaml', 'a: 1\n');
    repository.commit('first');
    const source = await open();
    await source.fetch();
    const mirror = join(cacheDir, readdirSync(cacheDir).find((name) => name.endsWith('.git')) ?? '');
    writeFileSync(join(mirror, 'refs/heads/main.lock'), '');
    repository.write('web.yaml', 'a: 2\n');
    const id = repository.commit('second');
    assert.equal(await revision(source), id);
    rmSync(join(mirror, 'objects'), { recursive: true });
    repository.write('web.yaml', 'a: 3\n');
    const third = repository.commit('third');
    assert.equal(await revision(source), third);
    assert.equal(text((await source.files(third))[0]), 'a: 3\n');
    rmSync(mirror, { recursive: true });
    assert.equal(await revision(source), third);
    assert.deepEqual(
      readdirSync(cacheDir).filter((name) => name.startsWith('new-')),
      [],
    );
  });

  it('sweeps a mirror and a file that a kill left half-made, once they are old', async () => {
    const old = ['new-abc123', 'x.json.0011223344ff.new'].map((name) => join(cacheDir, name));
    const young = join(cacheDir, 'new-xyz789');
    for (const path of [...old, young]) mkdirSync(join(path, 'mirror.git'), { recursive: true });
    for (const path of old) utimesSync(path, 1, 1);
    await open();
    assert.deepEqual([...old, young].filter(existsSync), [young]);
  });

  it('stops when it is told to', async () => {
    repository.write('web.yaml', 'a: 1\n');
    repository.commit('first');
    const stop = new AbortController();
    const source = await open({ signal: stop.signal });
    stop.abort();
    assert.equal((await source.fetch()).error?.code, 'CANCELLED');
  });
});

describe('folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'plumb-folder-'));
  after(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it('reads a plain folder as Git would', async () => {
    const repository = makeRepository();
    repository.write('a/web.yaml', 'a: 1\n');
    repository.write('big.yaml', 'x'.repeat(MAX_FILE_BYTES + 1));
    repository.write('notes.txt', 'no');
    symlinkSync('/etc/passwd', join(repository.directory, 'passwd.yaml'));
    repository.write('nested/.git', 'gitdir: /tmp');
    repository.write('nested/x.yaml', 'no: 1\n');
    const files = await readFolder(repository.directory);
    assert.deepEqual(
      files.map((file) => [file.path, file.refused ?? text(file)]),
      [
        ['a/web.yaml', 'a: 1\n'],
        ['big.yaml', 'too-large'],
        ['nested', 'submodule'],
        ['passwd.yaml', 'symlink'],
      ],
    );
    assert.equal(files[0]?.blob, repository.git('hash-object', 'a/web.yaml'));
    repository.remove();
  });

  it('refuses an empty folder and one that is not there', async () => {
    await assert.rejects(readFolder(root), code('TREE_EMPTY'));
    await assert.rejects(readFolder(join(root, 'nowhere')), code('SOURCE_UNREACHABLE'));
  });
});
