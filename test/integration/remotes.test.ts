import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openSource } from '../../reconciler/source/source.ts';
import type { Source } from '../../reconciler/source/source.ts';
import { serveGit, serveHttp, serveSsh, SSHD } from '../support/git-servers.ts';
import type { GitServer, SshServer } from '../support/git-servers.ts';
import { makeRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';

describe('remotes', () => {
  let repository: Repository;
  let root: string;
  const servers: GitServer[] = [];
  before(() => {
    repository = makeRepository();
    repository.write('web.yaml', 'a: 1\n');
    repository.commit('first');
    root = mkdtempSync(join(tmpdir(), 'plumb-remotes-'));
    repository.git('clone', '-q', '--bare', '.', join(root, 'config.git'));
  });
  after(async () => {
    for (const server of servers) await server.close();
    repository.remove();
    rmSync(root, { recursive: true, force: true });
  });

  async function ssh(): Promise<SshServer> {
    const server = await serveSsh(mkdtempSync(join(root, 'ssh-')));
    servers.push(server);
    return server;
  }

  let caches = 0;
  const open = (url: string, env: NodeJS.ProcessEnv = process.env, signal?: AbortSignal): Promise<Source> =>
    openSource({
      url,
      cacheDir: join(root, `cache-${String(caches++)}`),
      env,
      clock: () => 1,
      ...(signal ? { signal } : {}),
    });

  /** Fetches, follows a push, survives the end of the server. */
  async function works(source: Source, end?: () => Promise<void>): Promise<void> {
    const before = repository.git('rev-parse', 'HEAD');
    assert.deepEqual(await source.fetch(), { revision: before, lastSuccess: 1 });
    repository.write('web.yaml', `a: ${String(caches)}${before}\n`);
    const id = repository.commit('next');
    repository.git('push', '-q', join(root, 'config.git'), 'main');
    assert.deepEqual(await source.fetch(), { revision: id, lastSuccess: 1 });
    assert.equal((await source.files(id)).length, 1);
    assert.equal((await source.blame(id, 'web.yaml', 1)).revision, id);
    if (!end) return;
    await end();
    const stale = await source.fetch();
    assert.deepEqual([stale.revision, stale.error?.code], [id, 'SOURCE_UNREACHABLE']);
  }

  it('are read over http; when nothing is new, one listing is all that is asked', async () => {
    const server = await serveHttp(root);
    servers.push(server);
    const source = await open(`${server.url}/config.git`);
    await source.fetch();
    server.requests.length = 0;
    await source.fetch();
    assert.ok(server.requests.length <= 2, server.requests.join(' '));
    assert.ok(!server.requests.some((path) => path.includes('receive-pack')));
    await works(source, () => server.close());
    servers.pop();
  });

  it('are read over git://', async () => {
    const server = await serveGit(root);
    servers.push(server);
    await works(await open(`${server.url}/config.git`), () => server.close());
  });

  it('are read over ssh', { skip: SSHD === undefined ? 'needs sshd' : false }, async () => {
    const server = await ssh();
    const env = { ...process.env, GIT_SSH_COMMAND: server.known };
    await works(await open(`${server.url}${root}/config.git`, env), () => server.close());
  });

  it(
    'are read over ssh by the short form of an address',
    { skip: SSHD === undefined ? 'needs sshd' : false },
    async () => {
      const server = await ssh();
      const { username, port } = new URL(server.url);
      const env = { ...process.env, GIT_SSH_COMMAND: `${server.known} -p ${port}` };
      await works(await open(`${username}@127.0.0.1:${root}/config.git`, env), () => server.close());
    },
  );

  it(
    'over ssh whose host key is not known are refused without a prompt',
    { skip: SSHD === undefined ? 'needs sshd' : false },
    async () => {
      const server = await ssh();
      const env = { ...process.env, GIT_SSH_COMMAND: server.stranger };
      const { error } = await (await open(`${server.url}${root}/config.git`, env)).fetch();
      assert.equal(error?.code, 'SOURCE_UNREACHABLE');
      assert.match(error.message, /[Hh]ost key/);
    },
  );

  it('that lead elsewhere by another transport are not followed', async () => {
    const server = await serveHttp(root, (path, outgoing) => {
      outgoing.statusCode = 302;
      outgoing.setHeader('location', `ftp://127.0.0.1/x${path}`);
      outgoing.end();
      return true;
    });
    servers.push(server);
    assert.equal((await (await open(`${server.url}/config.git`)).fetch()).error?.code, 'SOURCE_UNREACHABLE');
  });

  it('that want a password are refused without a prompt', async () => {
    const server = await serveHttp(root, (_path, outgoing) => {
      outgoing.statusCode = 401;
      outgoing.setHeader('www-authenticate', 'Basic realm="x"');
      outgoing.end();
      return true;
    });
    servers.push(server);
    const ran = join(root, 'askpass-ran');
    const askpass = join(root, 'askpass');
    writeFileSync(askpass, `#!/bin/sh\ntouch '${ran}'\necho x\n`);
    chmodSync(askpass, 0o755);
    const env = { ...process.env, GIT_ASKPASS: askpass, SSH_ASKPASS: askpass };
    assert.equal((await (await open(`${server.url}/config.git`, env)).fetch()).error?.code, 'SOURCE_UNREACHABLE');
    assert.equal(existsSync(ran), false);
  });

  it('that do not answer can be given up', async () => {
    const server = await serveHttp(root, () => true);
    servers.push(server);
    const stop = new AbortController();
    const source = await open(`${server.url}/config.git`, process.env, stop.signal);
    const fetched = source.fetch();
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    assert.equal((await fetched).error?.code, 'CANCELLED');
  });

  it(
    'of another user are read, with nothing of their configuration run',
    { skip: process.getuid?.() === 0 ? false : 'needs root' },
    async () => {
      const ran = join(root, 'config-ran');
      const other = makeRepository();
      other.write('web.yaml', 'a: 1\n');
      const id = other.commit('first');
      const evil = join(other.directory, 'evil.sh');
      writeFileSync(evil, `#!/bin/sh\ntouch '${ran}'\n`);
      chmodSync(evil, 0o755);
      for (const key of [
        'core.fsmonitor',
        'uploadpack.packObjectsHook',
        'core.alternateRefsCommand',
        'core.sshCommand',
      ])
        other.git('config', key, evil);
      other.git('config', 'remote.origin.url', `ext::${evil}`);
      other.git('config', 'remote.origin.promisor', 'true');
      execFileSync('chown', ['-R', '65534:65534', other.directory]);
      const source = await open(other.directory);
      assert.deepEqual(await source.fetch(), { revision: id, lastSuccess: 1 });
      assert.equal((await source.files(id)).length, 1);
      assert.equal(existsSync(ran), false);
      other.remove();
    },
  );
});
