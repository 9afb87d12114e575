import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { capacityCommand } from '../../cli/verbs/capacity.ts';
import { drainCommand } from '../../cli/verbs/drain.ts';
import { eventsCommand } from '../../cli/verbs/events.ts';
import { explainCommand } from '../../cli/verbs/explain.ts';
import { historyCommand } from '../../cli/verbs/history.ts';
import { hostCommand } from '../../cli/verbs/host.ts';
import { planCommand } from '../../cli/verbs/plan.ts';
import { statusCommand } from '../../cli/verbs/status.ts';
import { whyCommand } from '../../cli/verbs/why.ts';
import { NOBODY } from '../../reconciler/loop/fleet-status.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { openProxy } from '../support/proxy.ts';
import { NO_REDIS, Servers, single } from '../support/redis.ts';
import { speak } from '../support/verb.ts';

const SPREAD = fileURLToPath(new URL('../../../examples/manifests/spread', import.meta.url));
const IN_GIT = ['--repo', SPREAD] as const;

const ASKING = [
  { verb: planCommand, argv: IN_GIT },
  { verb: capacityCommand, argv: IN_GIT },
  { verb: drainCommand, argv: ['h1', ...IN_GIT] },
  { verb: explainCommand, argv: ['quorum-0', ...IN_GIT] },
  { verb: explainCommand, argv: ['host/h1', ...IN_GIT] },
  { verb: eventsCommand, argv: [] },
  { verb: historyCommand, argv: [] },
];

describe('verbs that ask the store of a fleet', { skip: NO_REDIS }, () => {
  const home = NO_REDIS === false ? new Servers() : undefined;
  let port = 0;
  let store: readonly string[] = [];
  const cwd = join(home?.directory ?? '', 'cwd');
  before(async () => {
    mkdirSync(cwd);
    const { url, servers } = await single([], home);
    port = servers[0]?.port ?? 0;
    store = ['--store', url];
  });
  after(() => home?.close());

  for (const { verb, argv } of ASKING)
    it(`${verb.name} ${argv.join(' ')} says once where no controller ever spoke, beside what it finds`, async () => {
      const { err } = await speak(verb, cwd, ...argv, ...store);
      assert.equal(err, `${NOBODY}\n`);
    });

  it('status says it in its text alone, and drain --watch waits for nothing', async () => {
    const { out, err } = await speak(statusCommand, cwd, ...store);
    assert.deepEqual([out.split('\n').includes(NOBODY), err], [true, '']);
    await assert.rejects(speak(drainCommand, cwd, 'h1', '--watch', ...store), { code: 'USAGE', message: NOBODY });
    await assert.rejects(speak(whyCommand, cwd, 'container/quorum-0', ...store), { code: 'NOT_RUNNING' });
  });

  it('say nothing of it while a controller leads, and each that none does once it has gone', async () => {
    const [, url = ''] = store;
    const leading = await openRedis(url, { clock: Date.now, writer: 'c1' });
    const hold = await leading.leases.acquire('controller', 'c1', 60_000);
    assert.ok(hold);
    assert.equal((await speak(capacityCommand, cwd, ...IN_GIT, ...store)).err, '');
    const source = { url: SPREAD, ref: 'main', revision: 'one', fetchedAt: 0 };
    const quiet = { published: 'one', problems: 0, unplaceable: [], held: [], waiting: 0, lost: [], awaited: [] };
    await leading.bulletin.post({ ...quiet, source, draining: [{ host: 'h1', staying: [], leaving: [] }] }, hold);
    await leading.leases.release(hold);
    await leading.close();
    for (const { verb, argv } of [...ASKING, { verb: drainCommand, argv: ['h1', '--watch'] }])
      assert.match(
        (await speak(verb, cwd, ...argv, ...store)).err,
        /^no controller leads: the last one has stopped\. One that stands by takes over within seconds.*\n$/,
        verb.name,
      );
  });

  it('say of an emptied store for which hosts it waits, and that what runs there is left out', async () => {
    const [, url = ''] = store;
    const leading = await openRedis(url, { clock: Date.now, writer: 'c1' });
    const hold = await leading.leases.acquire('controller', 'c1', 60_000);
    assert.ok(hold);
    const closed = 'the store knew no host: nothing is placed in 1 Zone (main) before 1 host (h1) reported';
    await leading.bulletin.post({
      ...{ source: { url: SPREAD, ref: 'main', revision: 'r', fetchedAt: 0 }, published: 'r', problems: 0 },
      ...{ unplaceable: [], held: [closed, 'more'], waiting: 0, lost: [], awaited: ['h1'] },
      reopening: { since: 0, open: [] },
    });
    for (const { verb, argv } of [
      { verb: planCommand, argv: IN_GIT },
      { verb: capacityCommand, argv: IN_GIT },
      { verb: drainCommand, argv: ['h1', ...IN_GIT] },
      { verb: explainCommand, argv: ['quorum-0', ...IN_GIT] },
      { verb: explainCommand, argv: ['app/quorum', ...IN_GIT] },
    ]) {
      const { err } = await speak(verb, cwd, ...argv, ...store);
      assert.equal(err, `${closed}. Until then what runs there is left out here\n`);
    }
    await assert.rejects(speak(statusCommand, cwd, 'app/quorum', ...store), {
      message: /there is no app quorum.*Held: the store knew/,
    });
    await leading.leases.release(hold);
    await leading.close();
  });

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
