import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { checkPath, checkWanted, parseAddress, parseRevision } from '../../../reconciler/source/address.ts';

const refused = (error: unknown): boolean => error instanceof PlumbError && error.code === 'SOURCE_REFUSED';

describe('git address', () => {
  const allowed: [string, string, string][] = [
    ['/srv/config', 'file', '/srv/config'],
    ['/srv/a/../config/', 'file', '/srv/config'],
    ['file:///srv/my%20config', 'file', '/srv/my config'],
    ['https://git.example.org/team/config.git', 'https', 'https://git.example.org/team/config.git'],
    ['http://user@127.0.0.1:8080/c.git', 'http', 'http://user@127.0.0.1:8080/c.git'],
    ['ssh://git@git.example.org:2222/c.git', 'ssh', 'ssh://git@git.example.org:2222/c.git'],
    ['git@git.example.org:team/c.git', 'ssh', 'git@git.example.org:team/c.git'],
    ['git://127.0.0.1:9418/c', 'git', 'git://127.0.0.1:9418/c'],
  ];
  for (const [text, transport, url] of allowed)
    it(`takes ${text}`, () => {
      assert.deepEqual(parseAddress(text), { url, transport });
    });

  for (const text of [
    '',
    'ext::sh -c id',
    'fd::17',
    'EXT::sh -c id',
    'persistent-https::x',
    'ftp://example.org/c',
    'https://',
    'https://user:secret@example.org/c',
    'file://host/srv/config',
    '--upload-pack=touch /tmp/x',
    '-uhost:x',
    'ssh://-oProxyCommand=id/c',
    'ssh://%2doProxyCommand=id/c',
    'ssh://-ouser@example.org/c',
    'git://example.org/-x',
    '-oProxyCommand=id@host:x',
    'git@-oProxyCommand=id:x',
    'git@host:-x',
    'https://example.org/a\nb',
    '/srv/con\u0000fig',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseAddress(text), refused);
    });

  it('never shows a password', () => {
    assert.throws(
      () => parseAddress('https://ann:hunter2@example.org/c'),
      (error) => refused(error) && !String(error).includes('hunter2'),
    );
  });

  it('gives an address or SOURCE_REFUSED for any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const { url } = parseAddress(text);
          assert.ok(!url.startsWith('-') && !url.includes('\n'));
        } catch (error) {
          assert.ok(refused(error), String(error));
        }
      }),
    );
  });
});

describe('refs, revisions and paths', () => {
  for (const branch of ['main', 'release/1.2', 'a@b', 'ünï'])
    it(`takes the branch ${branch}`, () => {
      checkWanted({ branch });
    });
  for (const branch of [
    '',
    '--upload-pack=x',
    '-b',
    'a..b',
    'a b',
    'a:b',
    'a\nb',
    'a~1',
    '@{-1}',
    'a.lock',
    '/a',
    'a/',
    '.a',
    '@',
    'a^',
  ])
    it(`refuses the branch ${JSON.stringify(branch)}`, () => {
      assert.throws(() => {
        checkWanted({ branch });
      }, refused);
    });
  it('refuses a commit that is none', () => {
    for (const commit of ['main', '12345', 'ABCDEF0', '1234567 x'])
      assert.throws(() => {
        checkWanted({ commit });
      }, refused);
  });
  it('reads steps behind a revision', () => {
    assert.deepEqual(parseRevision('main~2^'), { name: 'main', steps: '~2^' });
    for (const text of ['--all', 'a..b', ':/x', 'main^{/x}', 'main:file', '~1'])
      assert.throws(() => parseRevision(text), refused);
  });
  it('keeps paths inside', () => {
    assert.equal(checkPath('./clusters//a/'), 'clusters/a');
    assert.equal(checkPath(''), '');
    for (const path of ['..', 'a/../..', '/etc', 'a\nb']) assert.throws(() => checkPath(path), refused);
  });
});
