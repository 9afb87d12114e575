import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hostCommand } from '../../cli/verbs/host.ts';
import { openProxy } from '../support/proxy.ts';
import { NO_REDIS, Servers, single } from '../support/redis.ts';
import { speak } from '../support/verb.ts';

describe('verbs that ask the store of a fleet', { skip: NO_REDIS }, () => {
  const home = NO_REDIS === false ? new Servers() : undefined;
  let port = 0;
  const cwd = join(home?.directory ?? '', 'cwd');
  before(async () => {
    mkdirSync(cwd);
    const { servers } = await single([], home);
    port = servers[0]?.port ?? 0;
  });
  after(() => home?.close());

  it('host revoke gives up a store that does not answer as soon as those that only look', async () => {
    const proxy = await openProxy(port);
    proxy.holdFrom('incarnation');
    let said = '';
    const err = (text: string): void => void (said += text);
    const url = `redis://127.0.0.1:${String(proxy.port)}`;
    const verb: typeof hostCommand = (argv, io) => hostCommand(argv, { ...io, err });
    await assert.rejects(speak(verb, cwd, 'revoke', 'h1', '--store', url), { code: 'STORE_UNAVAILABLE' });
    assert.equal(said, `${url} does not answer yet; asking for 5 s\n`);
    await proxy.close();
  });
});
