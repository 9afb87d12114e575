import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { initCommand } from '../../../../cli/verbs/init.ts';
import type { Io } from '../../../../cli/io.ts';
import { renderCommand } from '../../../../cli/verbs/render.ts';
import { validateCommand } from '../../../../cli/verbs/validate.ts';
import { golden } from '../../../support/golden.ts';
import { manifest, SOUND } from '../../../support/manifests.ts';
import { makeRepository } from '../../../support/repository.ts';

let base = '';
before(() => {
  base = mkdtempSync(join(tmpdir(), 'plumb-validate-'));
});
after(() => {
  rmSync(base, { recursive: true });
});

/** Runs a verb in a folder and gives what it said. */
async function run(
  verb: (argv: readonly string[], io: Io) => Promise<number>,
  cwd: string,
  ...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const code = await verb(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: { PATH: process.env['PATH'], PLUMB_CACHE_DIR: join(base, 'cache'), HOME: base },
    cwd,
    color: false,
    isTTY: false,
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

function folder(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(base, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const BROKEN = { ...SOUND, 'apps/shop/web.yaml': SOUND['apps/shop/web.yaml']?.replace('replicas', 'replica') ?? '' };

describe('plumb validate', () => {
  it('says what a valid folder holds', async () => {
    const { code, out } = await run(validateCommand, folder('sound', SOUND));
    assert.equal(code, 0);
    assert.equal(out, 'valid: Fleet lab, 2 Apps, 1 Zone, 1 Network, 2 Hosts\n');
  });
  for (const format of ['text', 'json', 'github', 'sarif'])
    it(`tells problems as ${format}, with paths from here`, async () => {
      folder('broken', BROKEN);
      const { code, out } = await run(validateCommand, base, 'broken', '-o', format);
      assert.equal(code, 1);
      golden(`compile/validate-${format}.txt`, out);
    });
  it('reads a Git repository at a revision, whatever lies in its work tree', async () => {
    const repository = makeRepository();
    try {
      for (const [path, text] of Object.entries(SOUND)) repository.write(`fleet/${path}`, text);
      repository.commit('sound');
      repository.git('tag', 'v1');
      repository.write('fleet/apps/shop/web.yaml', BROKEN['apps/shop/web.yaml']);
      repository.commit('broken');
      const at = async (target: string): Promise<number> =>
        (await run(validateCommand, base, target, '--path', 'fleet')).code;
      assert.equal(await at(`${repository.directory}@v1`), 0);
      assert.equal(await at(`${repository.directory}@HEAD`), 1);
      assert.equal(await at(repository.directory), 1);
      const { out } = await run(validateCommand, base, `${repository.directory}@main`, '--path', 'fleet', '-o', 'json');
      const { errors } = JSON.parse(out) as { readonly errors: readonly { readonly file: string }[] };
      assert.deepEqual(
        errors.map(({ file }) => file),
        ['fleet/apps/shop/web.yaml'],
      );
    } finally {
      repository.remove();
    }
  });
  it('does not follow a symbolic link', async () => {
    const root = folder('linked', SOUND);
    symlinkSync('/etc/passwd', join(root, 'hosts/h3.yaml'));
    const { code, out } = await run(validateCommand, root);
    assert.equal(code, 1);
    assert.match(out, /error\[SYMLINK\]: hosts\/h3\.yaml is a symbolic link/);
    assert.doesNotMatch(out, /root:/);
  });
  it('could not run: throws for what is not there', async () => {
    await assert.rejects(run(validateCommand, base, 'nowhere'), { code: 'USAGE' });
    await assert.rejects(run(validateCommand, base, '--nonsense'), { code: 'USAGE' });
    await assert.rejects(run(validateCommand, base, 'ext::sh -c id@main'), { code: 'SOURCE_REFUSED' });
    await assert.rejects(run(validateCommand, base, '--upload-pack=x@main'), { code: 'USAGE' });
  });
  it('keeps what it parsed of a large folder, and goes by content, not by name', async () => {
    const hosts = Array.from({ length: 120 }, (_, at) => [
      `hosts/n${String(at)}.yaml`,
      manifest('Host', `n${String(at)}`),
    ]);
    const root = folder('large', { ...SOUND, ...(Object.fromEntries(hosts) as Record<string, string>) });
    const first = await run(validateCommand, root);
    assert.equal(first.code, 0);
    const [kept = ''] = readdirSync(join(base, 'cache')).filter((name) => name.startsWith('parsed-'));
    const path = join(base, 'cache', kept);
    assert.deepEqual(await run(validateCommand, root), first);
    // proof that it is read: what it says is believed
    writeFileSync(path, readFileSync(path, 'utf8').replace('"name":"n7"', '"name":"n8"'));
    assert.match((await run(validateCommand, root)).out, /DUPLICATE_NAME/);
    assert.deepEqual(await run(validateCommand, root, '--no-cache'), first);
    writeFileSync(join(root, 'hosts/n7.yaml'), manifest('Host', 'n7', 'schedulable: nope'));
    assert.match((await run(validateCommand, root)).out, /n7\.yaml:6/);
    writeFileSync(path, '{');
    assert.equal((await run(validateCommand, root)).code, 1);
    chmodSync(path, 0o600);
  });
});

describe('plumb render', () => {
  it('fills in defaults and owners, and is valid again and stable', async () => {
    const root = folder('sound', SOUND);
    const { code, out } = await run(renderCommand, root);
    assert.equal(code, 0);
    golden('compile/render.txt', out);
    const again = await run(renderCommand, folder('rendered', { 'all.yaml': out }));
    assert.equal(again.out, out);
  });
  it('says with --origins which line wrote a value', async () => {
    const { out } = await run(renderCommand, folder('sound', SOUND), '--origins');
    assert.match(out, /replicas: 3 # apps\/shop\/web\.yaml:10\n/);
    assert.match(out, /level: 2 # default\n/);
  });
  it('gives JSON', async () => {
    const { out } = await run(renderCommand, folder('sound', SOUND), '-o', 'json');
    const { version, documents } = JSON.parse(out) as {
      readonly version: number;
      readonly documents: readonly object[];
    };
    assert.deepEqual([version, documents.length], [1, 7]);
  });
  it('shows the problems instead where there are some', async () => {
    const { code, out, err } = await run(renderCommand, folder('broken', BROKEN));
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /UNKNOWN_FIELD/);
  });
});

describe('plumb init', () => {
  it('writes a repository that is valid, and schemas for editors', async () => {
    const { code } = await run(initCommand, base, 'fresh', '--host', 'web-7');
    assert.equal(code, 0);
    const root = join(base, 'fresh');
    assert.equal((await run(validateCommand, root)).out, 'valid: Fleet web-7, 1 App, 1 Zone, 1 Network, 1 Host\n');
    for (const file of ['fleet.yaml', 'hosts/web-7.yaml']) {
      const [, schema = ''] = /\$schema=(.*)/.exec(readFileSync(join(root, file), 'utf8')) ?? [];
      assert.ok(existsSync(join(root, dirname(file), schema)), schema);
    }
  });
  it('overwrites nothing', async () => {
    const root = folder('mine', { 'zone.yaml': 'mine\n' });
    await assert.rejects(run(initCommand, root), { code: 'USAGE' });
    assert.deepEqual(readdirSync(root), ['zone.yaml']);
    assert.equal(readFileSync(join(root, 'zone.yaml'), 'utf8'), 'mine\n');
  });
  it('refuses a name that is none', async () => {
    await assert.rejects(run(initCommand, base, 'x', '--host', 'Web_7'), { code: 'USAGE' });
  });
});
