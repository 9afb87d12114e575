import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { fleetStatus } from '../../reconciler/loop/fleet-status.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { EntryDraft } from '../../reconciler/model/journal.ts';
import type { Notice } from '../../reconciler/model/notice.ts';
import { foreign } from '../../reconciler/model/protocol.ts';
import type { Report } from '../../reconciler/model/replica.ts';
import type { FleetStore, Store } from '../../reconciler/model/store.ts';
import { hostCommand } from '../../cli/verbs/host.ts';
import { agentRules } from '../../reconciler/store/redis/enroll.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { loadScripts } from '../../reconciler/store/redis/scripts.ts';
import { reportOf } from '../support/catalog.ts';
import { withJournal } from '../support/mirrored.ts';
import { NO_REDIS, Servers } from '../support/redis.ts';
import { hostRecord, place } from '../support/reservations.ts';
import { speak } from '../support/verb.ts';

const FILE = 'examples/redis/users.acl';
const event: EntryDraft = { type: 'event', host: 'h1', level: 'info', reason: 'Test', message: 'm' };
const assignment = {
  fleet: 'default',
  generation: 1,
  revision: 'r',
  author: 'Ann',
  resync: 10,
  replicas: [],
  networks: [],
  tuning: [],
};
const keep = { apps: [], owners: [] };
const notice: Notice = {
  ...{ source: { url: 'u', ref: 'main', revision: 'r', fetchedAt: 0 }, published: 'r', problems: 0 },
  ...{ unplaceable: [], held: [], waiting: 0, lost: [], awaited: [] },
};

function refused(error: unknown): boolean {
  assert.ok(error instanceof PlumbError, String(error));
  assert.equal(error.code, 'STORE_REFUSED', error.message);
  return true;
}

/** The commands that a line of the file grants. */
function granted(user: string): string[] {
  const line = readFileSync(FILE, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`user ${user} `));
  return [...(line ?? '').matchAll(/\+([a-z|]+)/g)].map(([, command = '']) => command);
}

describe('the users of examples/redis/users.acl', { skip: NO_REDIS }, () => {
  const home = new Servers();
  const folder = mkdtempSync(join(tmpdir(), 'plumb-acl-'));
  const opened: FleetStore[] = [];
  let port = 0;
  let admin: Redis;
  before(async () => {
    copyFileSync(FILE, join(folder, 'users.acl'));
    const login = { username: 'admin', password: 'change-me-admin' };
    ({ port, admin } = await home.start([`aclfile ${join(folder, 'users.acl')}`], { login }));
  });
  after(async () => {
    for (const store of opened) await store.close();
    await home.close();
    rmSync(folder, { recursive: true });
  });

  async function open(login: string, host?: string): Promise<Store & FleetStore> {
    const url = `redis://${login}@127.0.0.1:${String(port)}`;
    const small = { replies: 1, replyAge: 0, commits: 1, mails: 1, entries: 1 };
    const clock = () => 1000;
    const options = { clock, keep: small, patience: { attempt: 1000, total: 2000 } };
    const store = await openRedis(url, { ...options, ...(host !== undefined && { host, writer: host }) });
    opened.push(store);
    return withJournal(store, clock, host);
  }

  async function used(): Promise<Set<string>> {
    const stats = await admin.info('commandstats');
    return new Set([...stats.matchAll(/^cmdstat_([a-z|]+):calls=/gm)].map(([, command = '']) => command));
  }

  async function follow(from: AsyncIterable<unknown>, act: () => Promise<unknown>): Promise<void> {
    const next = from[Symbol.asyncIterator]().next();
    await act();
    assert.equal((await next).done, false);
  }

  async function journalAndLease(store: Store, lease: string): Promise<void> {
    const stop = new AbortController();
    await follow(store.journal.follow(stop.signal), () => store.journal.append([event, event, event]));
    await store.journal.append([event]);
    await store.journal.verify();
    const held = (await store.leases.acquire(lease, 'me', 1000)) ?? assert.fail();
    await store.leases.get(lease);
    await store.leases.release(held);
  }

  it('let a controller do its work, and grant it nothing beside', async () => {
    await admin.config('RESETSTAT');
    const store = await open('controller:change-me-controller');
    const { reservations, mailbox } = store;
    const stop = new AbortController();
    await follow(reservations.follow(0, stop.signal), () =>
      reservations.commit({ id: 'a', now: 1, proposals: [{ op: 'host', record: hostRecord('h1') }] }),
    );
    await reservations.commit({ id: 'b', now: 1, proposals: [place('web-0', 'h1', '10.0.0.1')] });
    await reservations.commit({
      id: 'c',
      now: 1,
      proposals: [{ op: 'release', replica: 'web-0', quarantineUntil: 0 }],
    });
    assert.deepEqual(await reservations.differing(await reservations.snapshot()), []);
    await follow(mailbox.follow(stop.signal), () => mailbox.assign({ ...assignment, keep, host: 'h1' }));
    await mailbox.assign({ ...assignment, keep, host: 'h2' });
    await admin.xadd('plumb:{default}:mail', '18446744073709551615-18446744073709551615', 'host', 'h1');
    await mailbox.news();
    await admin.sadd('plumb:{default}:reporting', 'h9');
    await mailbox.reports(await mailbox.reporting());
    await journalAndLease(store, 'controller');
    const seen = await used();
    assert.deepEqual(
      granted('controller').filter((command) => !seen.has(command)),
      ['wait'], // with acks=… only
    );
    await admin.set('elsewhere', 'x');
    const raw = new Redis({ port, username: 'controller', password: 'change-me-controller' });
    for (const call of [
      ['get', 'elsewhere'],
      ['get', 'plumb:{other}:cursor'],
      ['flushall'],
      ['config', 'get', '*'],
      ['keys', '*'],
    ])
      await assert.rejects(raw.call(...(call as [string])), /NOPERM/);
    raw.disconnect();
  });

  it('let an agent read and write what is its own, and nothing else', async () => {
    await admin.script('FLUSH');
    await admin.config('RESETSTAT');
    const agent = await open('agent-h1:change-me-h1', 'h1');
    assert.equal((await agent.mailbox.assignment('h1'))?.host, 'h1');
    const report = { host: 'h1', generation: 1, at: 1 } as unknown as Report;
    await agent.mailbox.report(report);
    await journalAndLease(agent, 'host/h1');
    const stop = new AbortController();
    const controller = opened[0] ?? assert.fail();
    await follow(agent.mailbox.follow(stop.signal), () =>
      controller.mailbox.assign({ ...assignment, keep, host: 'h1', generation: 2 }),
    );
    const seen = await used();
    assert.deepEqual(
      granted('agent-h1').filter((command) => !seen.has(command)),
      ['wait'],
    );
    await assert.rejects(agent.mailbox.assignment('h2'), refused);
    await assert.rejects(agent.mailbox.report({ ...report, host: 'h2' }), refused);
    await assert.rejects(agent.mailbox.assign({ ...assignment, keep, host: 'h1', generation: 3 }), refused);
    await assert.rejects(agent.mailbox.reporting(), refused);
    await assert.rejects(agent.leases.acquire('host/h2', 'h1', 1000), refused);
    await assert.rejects(agent.leases.acquire('controller', 'h1', 1000), refused);
    const token = (await agent.leases.acquire('repair/main/0', 'h1/web-0', 1000)) ?? assert.fail();
    assert.equal(await controller.leases.acquire('repair/main/0', 'h2/web-1', 1000), undefined, 'shared by all hosts');
    await agent.leases.release(token);
    await assert.rejects(agent.reservations.snapshot(), refused);
    await assert.rejects(agent.reservations.commit({ id: 'x', now: 1, proposals: [] }), refused);
    const other = await open('agent-h1:change-me-h1', 'h2');
    await assert.rejects(other.journal.append([event]), refused);
    const next = other.mailbox.follow(stop.signal)[Symbol.asyncIterator]();
    await assert.rejects(async () => next.next(), refused);
    const raw = new Redis({ port, username: 'agent-h1', password: 'change-me-h1' });
    for (const call of [
      ['get', 'plumb:{default}:report:h1'],
      ['set', 'plumb:{default}:incarnation', 'x'],
      ['xrange', 'plumb:{default}:mail', '-', '+'],
      ['del', 'plumb:{default}:mail'],
      ['smembers', 'plumb:{default}:reporting'],
      ['publish', 'plumb:{default}:on:commit', '1'],
      ['eval', "return redis.call('get', 'plumb:{default}:assignment:h2')", '0'],
    ])
      await assert.rejects(raw.call(...(call as [string])), /NOPERM|can't access/, call.join(' '));
    raw.disconnect();
  });

  it('let an agent that was broken into neither speak for another host nor keep the fleet from its mail', async () => {
    const controller = await open('controller:change-me-controller');
    const agent = await open('agent-h1:change-me-h1', 'h1');
    const raw = new Redis({ port, username: 'agent-h1', password: 'change-me-h1' });
    for (const body of [JSON.stringify({ ...reportOf('h2'), generation: 9 }), 'no JSON', '{}']) {
      await raw.set('plumb:{default}:report:h1', body);
      const [told, ...others] = await controller.mailbox.reports(['h1', 'h2']);
      assert.deepEqual([told?.host, told && foreign(told) !== undefined, others], ['h1', true, []], body);
    }
    const { mark: before } = await controller.mailbox.news();
    await raw.xadd('plumb:{default}:mail', 'MAXLEN', 0, '*', 'host', 'h1', 'what', 'report');
    assert.equal((await controller.mailbox.news(before)).mails, undefined, 'hints that are dropped are missed');
    await agent.mailbox.report(reportOf('h1'));
    const { mark } = await controller.mailbox.news();
    const last = '18446744073709551615-18446744073709551615';
    await raw.xadd('plumb:{default}:mail', last, 'host', 'h1', 'what', 'report');
    await assert.rejects(agent.mailbox.report(reportOf('h1')), /last possible ID/);
    const { mark: anew, mails: none } = await controller.mailbox.news(mark);
    assert.equal(none, undefined, 'look at every host');
    await agent.mailbox.report(reportOf('h1'));
    assert.ok(await controller.mailbox.assign({ ...assignment, keep, host: 'h1', generation: 3 }));
    const { mark: fresh, mails } = await controller.mailbox.news(anew);
    assert.equal(mails?.length, 2);
    // another who had found that hint, too
    await admin.eval(loadScripts().begin.text, 1, 'plumb:{default}:mail', last);
    assert.equal((await controller.mailbox.news(anew)).mails?.length, 2);
    await raw.xadd('plumb:{default}:mail', last, 'host', 'h1', 'what', 'report');
    assert.equal((await controller.mailbox.news(fresh)).mails, undefined);
    raw.disconnect();
  });

  it('let no agent hide hints from one of two controllers, nor from who follows', async () => {
    const [one, two] = [await open('controller:change-me-controller'), await open('controller:change-me-controller')];
    const agent = await open('agent-h1:change-me-h1', 'h1');
    const raw = new Redis({ port, username: 'agent-h1', password: 'change-me-h1' });
    const spoil = () => raw.xadd('plumb:{default}:mail', '18446744073709551615-18446744073709551615', 'host', 'h1');
    await admin.del('plumb:{default}:mail');
    const { mark } = await one.mailbox.news();
    await agent.mailbox.report(reportOf('h1'));
    await spoil();
    assert.equal((await two.mailbox.news(mark)).mails, undefined);
    const { mark: next, mails } = await one.mailbox.news(mark);
    assert.equal(mails, undefined, 'a hint is gone that it has not read');
    assert.deepEqual((await one.mailbox.news(next)).mails, []);
    const stop = new AbortController();
    await follow(one.mailbox.follow(stop.signal), async () => {
      await spoil();
      await raw.publish('plumb:{default}:on:mail', 'h1');
    });
    await agent.mailbox.report(reportOf('h1'));
    raw.disconnect();
  });

  it('refuse a wrong password, and nobody at all, with a code', async () => {
    await assert.rejects(open('controller:wrong'), refused);
    await assert.rejects(open('nobody:wrong'), refused);
    await assert.rejects(openRedis(`redis://127.0.0.1:${String(port)}`, { clock: () => 1 }), refused);
    const error = await open('controller:s3cret').catch((thrown: unknown) => thrown);
    assert.ok(!JSON.stringify([String(error), error]).includes('s3cret'));
  });

  it('leave an agent waiting where no controller has opened the fleet', async () => {
    await admin.flushall();
    await assert.rejects(open('agent-h1:change-me-h1', 'h1'), (error: unknown) => {
      assert.ok(error instanceof PlumbError && error.code === 'STORE_UNAVAILABLE');
      assert.match(error.message, /no controller has opened it yet/);
      return true;
    });
  });

  it('hold the same rights as a host that is enrolled, which can then do its work', async () => {
    const line = readFileSync(FILE, 'utf8')
      .split('\n')
      .find((one) => one.startsWith('user agent-h1 '));
    const rules = agentRules('redis://x', 'h1', 'default', 'secret');
    assert.equal(
      line?.replace(/ >\S+/, ''),
      `user agent-h1 ${rules.filter((rule) => !rule.startsWith('#')).join(' ')}`,
    );
    await open('controller:change-me-controller');
    const url = `redis://admin:change-me-admin@127.0.0.1:${String(port)}`;
    const argv = ['enroll', 'h7', '--store', url, '-o', 'json'];
    const { out } = await speak(hostCommand, folder, ...argv);
    const { store: own } = JSON.parse(out) as { readonly store: string };
    assert.match(own, /^redis:\/\/agent-h7:[0-9a-f]{48}@127\.0\.0\.1:/);
    const agent = await openRedis(own, { clock: () => 1000, host: 'h7', writer: 'h7' });
    opened.push(agent);
    assert.ok(await agent.leases.acquire('host/h7', 'me', 1000));
    await assert.rejects(agent.leases.acquire('host/h1', 'me', 1000), refused);
    await assert.rejects(agent.mailbox.assignment('h1'), refused);
    await assert.rejects(speak(hostCommand, folder, ...argv), { code: 'USAGE', message: /enrolled already.*--rotate/ });
    assert.ok(await agent.leases.acquire('host/h7', 'me', 1000), 'the old password goes on');
    const again = await speak(hostCommand, folder, ...argv, '--rotate');
    assert.deepEqual([again.code, again.err], [0, '']);
    assert.notEqual((JSON.parse(again.out) as { readonly store: string }).store, own, 'a new password');
    const options = { clock: () => 1000, patience: { attempt: 500, total: 500 } };
    await assert.rejects(openRedis(own, { ...options, host: 'h7', writer: 'h7' }), refused);
  });

  it('go with the host that is revoked, whose agent is cut off at once', async () => {
    const url = `redis://admin:change-me-admin@127.0.0.1:${String(port)}`;
    const { out } = await speak(hostCommand, folder, 'enroll', 'h9', '--store', url, '-o', 'json');
    const { store: own } = JSON.parse(out) as { readonly store: string };
    const signedIn = new Redis(own, { retryStrategy: null });
    await signedIn.get('plumb:{default}:assignment:h9');
    const ended = new Promise((resolve) => signedIn.once('end', resolve));
    const said = await speak(hostCommand, folder, 'revoke', 'h9', '--store', url);
    assert.deepEqual([said.code, said.err], [0, '']);
    assert.match(said.out, /^agent-h9 may not sign in any more: h9 is Lost in 8 s/);
    await ended;
    const options = { clock: () => 1000, patience: { attempt: 500, total: 500 }, host: 'h9', writer: 'h9' };
    await assert.rejects(openRedis(own, options), refused);
    assert.doesNotMatch(readFileSync(join(folder, 'users.acl'), 'utf8'), /agent-h9/);
    await assert.rejects(speak(hostCommand, folder, 'revoke', 'h9', '--store', url), {
      code: 'USAGE',
      message: /agent-h9 is not enrolled/,
    });
  });

  it('are not needed any more by a host that died and has left Git: who revokes it ends the waiting', async () => {
    const url = `redis://admin:change-me-admin@127.0.0.1:${String(port)}`;
    const store = await open('admin:change-me-admin');
    const messages = async (): Promise<string> => (await fleetStatus(store, 0)).messages.join();
    await store.bulletin.post(notice);
    await store.mailbox.report(reportOf('h6'));
    await store.mailbox.assign({ ...assignment, keep, host: 'h6' });
    assert.match(await messages(), /host h6 is not heard of since .* plumb host revoke h6/);
    const said = await speak(hostCommand, folder, 'revoke', 'h6', '--store', url);
    assert.deepEqual([said.code, said.err], [0, '']);
    assert.match(said.out, /^agent-h6 was not enrolled: h6 counts as having let go/);
    assert.doesNotMatch(await messages(), /h6/);
    await store.reservations.commit({ id: 'h5', now: 1, proposals: [{ op: 'host', record: hostRecord('h5') }] });
    await store.mailbox.report(reportOf('h5'));
    await assert.rejects(speak(hostCommand, folder, 'revoke', 'h5', '--store', url), { code: 'USAGE' });
  });

  it('say when Redis does not keep who is enrolled, and what cannot be a host', async () => {
    const { port: plain } = await home.start();
    const argv = ['enroll', 'h8', '--store', `redis://127.0.0.1:${String(plain)}`];
    const { code, err } = await speak(hostCommand, folder, ...argv);
    assert.equal(code, 2);
    assert.match(
      err,
      /^agent-h8 may sign in until Redis restarts: it did not save its users \(ERR .*ACL file.*--rotate/,
    );
    const json = await speak(hostCommand, folder, ...argv, '--rotate', '-o', 'json');
    assert.deepEqual([json.code, (JSON.parse(json.out) as { readonly saved: boolean }).saved], [2, false]);
    for (const name of ['H8', 'h.8', '8h', 'h8-', `h${'8'.repeat(40)}`])
      await assert.rejects(speak(hostCommand, folder, 'enroll', name, '--print', '--store', 'redis://x'), {
        code: 'USAGE',
        message: /is no name of a Host/,
      });
  });
});
