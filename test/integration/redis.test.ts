import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import type { Entry, EntryDraft } from '../../reconciler/model/journal.ts';
import { readJournals } from '../../reconciler/loop/status/view.ts';
import type { FleetStore, Ports, Store } from '../../reconciler/model/store.ts';
import { chained, GENESIS } from '../../reconciler/store/journal/chain.ts';
import { keysOf } from '../../reconciler/store/redis/keys.ts';
import { openRedis, type RedisOptions } from '../../reconciler/store/redis/redis.ts';
import { reportOf } from '../support/catalog.ts';
import { withJournal } from '../support/mirrored.ts';
import { assignment } from '../conformance/mailbox.ts';
import { openProxy } from '../support/proxy.ts';
import { NO_REDIS, single, until, HASTY, coded, type Running } from '../support/redis.ts';
import { hostRecord, place } from '../support/reservations.ts';

async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const list: Entry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

const event = (message: string): EntryDraft => ({ type: 'event', host: 'h1', level: 'info', reason: 'Test', message });

describe('the store on a Redis server', { skip: NO_REDIS }, () => {
  let running: Running;
  let redis: Redis;
  let fleets = 0;
  let fleet = '';
  const opened: Ports[] = [];
  before(async () => {
    running = await single();
    redis = running.servers[0]?.admin ?? assert.fail();
  });
  after(() => running.home.close());
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });

  async function open(more: Partial<RedisOptions> & { readonly url?: string } = {}): Promise<Store & FleetStore> {
    const { url = running.url, ...options } = more;
    if (options.fleet === undefined) fleet = `i${String(fleets++)}`;
    const clock = () => 1000;
    const store = await openRedis(url, { clock, fleet, patience: HASTY, ...options });
    opened.push(store);
    return withJournal(store, clock, options.writer);
  }
  const again = (more: Partial<RedisOptions> = {}): Promise<Store & FleetStore> => open({ fleet, ...more });
  const commit = (
    store: Store,
    id: string,
    ...proposals: Parameters<Store['reservations']['commit']>[0]['proposals']
  ) => store.reservations.commit({ id, now: 1000, proposals });
  const addHost = (name: string) => ({ op: 'host', record: hostRecord(name) }) as const;

  it('works on when its scripts are flushed between and during calls', async () => {
    const store = await open();
    await commit(store, 'h', addHost('h1'));
    let flushing = true;
    const flushed = (async () => {
      while (flushing) await redis.script('FLUSH');
    })();
    for (let at = 0; at < 50; at++) {
      await commit(store, `c${String(at)}`, place(`web-${String(at)}`, 'h1', `10.0.0.${String(at)}`));
      await store.leases.acquire('x', 'a', 1000);
    }
    flushing = false;
    await flushed;
    assert.equal((await store.reservations.snapshot()).placements.size, 4);
    assert.equal((await store.leases.get('x'))?.fence, 1);
  });

  it('counts a request once whose reply was lost, and an append', async () => {
    const proxy = await openProxy(running.servers[0]?.port ?? 0);
    const store = await open({ url: `redis://127.0.0.1:${String(proxy.port)}` });
    await commit(store, 'h', addHost('h1'));
    proxy.swallowReplyTo('lost-reply');
    const reply = await commit(store, 'lost-reply', place('web-0', 'h1', '10.0.0.1'));
    assert.deepEqual(reply, { verdicts: [{ accepted: true }], cursor: 2 });
    assert.equal((await store.reservations.snapshot()).cursor, 2);
    await store.journal.append([event('one')]);
    proxy.swallowReplyTo('lost-entry');
    const [entry] = await store.journal.append([event('lost-entry')]);
    assert.equal(entry?.seq, 2);
    await store.journal.append([event('three')]);
    assert.equal((await all(store.journal.read())).length, 3);
    assert.equal((await store.journal.verify()).entries, 3);
    assert.equal(proxy.swallowed, 2);
    await until('connections that hang are reset, not closed', () => Promise.resolve(proxy.resets >= 2));
    await store.close();
    await proxy.close();
  });

  it('tells of a server that was started anew, and not of a connection that was cut', async () => {
    const { url, servers, home } = await single(['appendonly yes', 'appendfsync always']);
    const [server] = servers;
    const store = await openRedis(url, { clock: () => 1000 });
    let told = 0;
    store.onBack(() => (told += 1));
    for (let cuts = 0; cuts < 3; cuts++) {
      assert.ok(Number(await server?.admin.call('client', 'kill', 'type', 'normal')) > 0);
      assert.equal(await store.leases.get('x'), undefined);
    }
    assert.equal(told, 0);
    await server?.kill();
    await server?.start();
    assert.equal(await store.leases.get('x'), undefined);
    await until('it is told', () => Promise.resolve(told === 1));
    await store.close();
    await home.close();
  });

  it('takes two thousand commits at once', async () => {
    const store = await open({ patience: { attempt: 10_000, total: 60_000 } });
    const ids = Array.from({ length: 2000 }, (_, at) => `h${String(at)}`);
    const replies = await Promise.all(ids.map((id) => commit(store, id, addHost(id))));
    assert.equal(new Set(replies.map(({ cursor }) => cursor)).size, 2000);
    assert.equal((await store.reservations.snapshot()).hosts.size, 2000);
  });

  it('waits out a server that is read-only, and gives up with the reason when that lasts', async () => {
    const store = await open({ patience: { attempt: 300, total: 60_000 } });
    await commit(store, 'h', addHost('h1'));
    await redis.replicaof('127.0.0.1', '1');
    const waiting = commit(store, 'later', place('web-0', 'h1', '10.0.0.1'));
    setTimeout(() => void redis.replicaof('NO', 'ONE'), 400);
    assert.deepEqual((await waiting).verdicts, [{ accepted: true }]);
    await redis.replicaof('127.0.0.1', '1');
    const hasty = await again({ patience: { attempt: 1000, total: 1000 } });
    await assert.rejects(commit(hasty, 'never', addHost('h2')), coded('STORE_UNAVAILABLE', 'READONLY'));
    await redis.replicaof('NO', 'ONE');
  });

  it('forgets replies that are too many, oldest first', async () => {
    const store = await open({ keep: { replies: 3 } });
    const first = { id: 'a', now: 1, proposals: [addHost('h1')] };
    await store.reservations.commit(first);
    for (const id of ['b', 'c']) await commit(store, id, addHost(id));
    await commit(store, 'r', { op: 'forget-host', host: 'h1' });
    await commit(store, 's', addHost('h3'));
    // no longer known, so it is decided once more
    assert.equal((await store.reservations.commit(first)).cursor, 6);
    assert.equal(await redis.hlen(keysOf(fleet).replies), 3);
    assert.equal(await redis.zcard(keysOf(fleet).replied), 3);
  });

  it('forgets replies that are too old', async () => {
    const store = await open({ keep: { replyAge: 10 } });
    await commit(store, 'a', addHost('h1'));
    await until('it is old', async () => {
      await commit(store, String(Math.random()), addHost('h2'));
      return (await redis.hexists(keysOf(fleet).replies, 'a')) === 0;
    });
  });

  it('sends a follower that fell behind to take a snapshot', async () => {
    const store = await open({ keep: { commits: 1 } });
    await redis.config('SET', 'stream-node-max-entries', '1');
    for (let at = 0; at < 5; at++) await commit(store, String(at), addHost(`h${String(at)}`));
    const follower = store.reservations.follow(1, new AbortController().signal)[Symbol.asyncIterator]();
    await assert.rejects(async () => follower.next(), coded('CONFLICT', 'take a snapshot'));
    await redis.config('SET', 'stream-node-max-entries', '100');
  });

  it('tells a follower that the commits it saw are not those that count', async () => {
    const store = await open();
    await commit(store, 'a', addHost('h1'));
    const stop = new AbortController();
    const { cursor } = await store.reservations.snapshot();
    const follower = store.reservations.follow(cursor, stop.signal)[Symbol.asyncIterator]();
    // a failover that lost the commit, and another that came instead
    const keys = keysOf(fleet);
    await redis.del(keys.cursor, keys.log, keys.hosts);
    await commit(store, 'b', addHost('h2'));
    await commit(store, 'c', addHost('h3'));
    await assert.rejects(async () => follower.next(), coded('CONFLICT', 'take a snapshot'));
  });

  it('reads a consistent snapshot while commits go on', async () => {
    const store = await open();
    const many = Array.from({ length: 40 }, (_, at) => at);
    await commit(store, 'h', ...many.map((at) => addHost(`h${String(at)}`)));
    for (let round = 0; round < 50; round++)
      await commit(
        store,
        `fill${String(round)}`,
        ...many
          .map((at) => ({
            ...place(`a${String(at)}-${String(round)}`, `h${String(at)}`, `10.1.${String(at)}.${String(round)}`),
          }))
          .map((one) => ({ ...one, placement: { ...one.placement, demand: { cpu: 1, memory: 1, pids: 1 } } })),
      );
    let going = true;
    let number = 0;
    const writer = (async () => {
      // each commit moves an address to another replica: never both, never none
      for (; going; number++)
        await commit(
          store,
          `m${String(number)}`,
          { op: 'release', replica: number === 0 ? 'a0-0' : `x${String(number - 1)}-0`, quarantineUntil: 0 },
          {
            ...place(`x${String(number)}-0`, 'h0', '10.1.0.0'),
            placement: {
              ...place(`x${String(number)}-0`, 'h0', '10.1.0.0').placement,
              demand: { cpu: 1, memory: 1, pids: 1 },
            },
          },
        );
    })();
    for (let reads = 0; reads < 20; reads++) {
      const { placements, addresses } = await store.reservations.snapshot();
      assert.equal(placements.size, 2000);
      assert.equal(addresses.size, 2000);
      for (const [key, record] of addresses)
        assert.ok('replica' in record && `n/${placements.get(record.replica)?.address ?? ''}` === key);
    }
    going = false;
    await writer;
    assert.ok(number > 5, `${String(number)} commits went on meanwhile`);
  });

  it('is compared with what somebody keeps without being read, and every difference is found', async () => {
    const store = await open();
    const { placements, addresses } = keysOf(fleet);
    await commit(store, 'a', { op: 'host', record: hostRecord('h1') }, place('web-0', 'h1', '10.0.0.2'));
    const [first = ''] = await redis.hvals(placements);
    for (let at = 1; at <= 2500; at += 1)
      await redis.hset(placements, `web-${String(at)}`, first.replaceAll('web-0', `web-${String(at)}`));
    const kept = await store.reservations.snapshot();
    assert.equal(kept.placements.size, 2501);
    const sent = async (): Promise<number> =>
      Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))?.[1]);
    const before = await sent();
    assert.deepEqual(await store.reservations.differing(kept), []);
    assert.ok((await sent()) - before < 50_000, 'all of it was sent');
    const changed = first.replaceAll('web-0', 'web-2000').replace('10.0.0.2', '10.0.0.3');
    await redis.hset(placements, 'web-2000', changed);
    assert.deepEqual(await store.reservations.differing(kept), ['placements/web-2000']);
    await redis.hdel(placements, 'web-2000');
    assert.deepEqual(await store.reservations.differing(kept), ['placements/web-2000']);
    await redis.hset(placements, 'web-2000', first.replaceAll('web-0', 'web-2000'));
    assert.deepEqual(await store.reservations.differing(kept), []);
    await redis.hset(addresses, 'n/10.0.0.9', '{"until":5}');
    assert.deepEqual(await store.reservations.differing(kept), ['addresses/n/10.0.0.9']);
  });

  it('says in every call that it was emptied, and writes nothing to what is there now', async () => {
    const store = await open();
    await commit(store, 'h', addHost('h1'));
    const stop = new AbortController();
    const follower = store.reservations.follow(1, stop.signal)[Symbol.asyncIterator]();
    const ended = assert.rejects(async () => follower.next(), coded('STORE_EMPTIED'));
    await redis.flushall();
    await assert.rejects(commit(store, 'i', addHost('h2')), coded('STORE_EMPTIED', 'Open the store again'));
    const reopened = await again();
    await assert.rejects(commit(store, 'j', addHost('h3')), coded('STORE_EMPTIED'));
    await assert.rejects(store.reservations.snapshot(), coded('STORE_EMPTIED'));
    await assert.rejects(store.leases.acquire('x', 'a', 1), coded('STORE_EMPTIED'));
    await assert.rejects(store.mailbox.reporting(), coded('STORE_EMPTIED'));
    await assert.rejects(store.journal.append([event('one')]), coded('STORE_EMPTIED'));
    await assert.rejects(store.mailbox.assign(assignment('h1', 1)), coded('STORE_EMPTIED'));
    const notice = { problems: 0, unplaceable: [], held: [], waiting: 0, lost: [], awaited: [] };
    const source = { url: '', ref: '', revision: 'r', fetchedAt: 0 };
    await assert.rejects(store.bulletin.post({ ...notice, source, published: 'r' }), coded('STORE_EMPTIED'));
    assert.deepEqual([await reopened.mailbox.assignment('h1'), await reopened.bulletin.read()], [undefined, undefined]);
    assert.equal((await reopened.reservations.snapshot()).hosts.size, 0);
    await commit(reopened, 'k', addHost('h4'));
    await ended;
  });

  it('keeps the chain whole when two processes share a writer, and over dropped entries', async () => {
    const store = await open({ keep: { entries: 20 } });
    const other = await again({ keep: { entries: 20 } });
    for (let at = 0; at < 30; at++) await (at % 2 ? store : other).journal.append([event(String(at)), event('b')]);
    const { entries } = await store.journal.verify();
    assert.ok(entries >= 20 && entries <= 22, String(entries));
    const last = (await all(store.journal.read())).at(-1);
    assert.deepEqual(last?.seq, 60);
    // behind what is not the end any more nothing is added
    const late = chained(event('late'), GENESIS, 1000);
    assert.deepEqual(await other.journals.mirror([late]), { seq: 60, hash: last.hash });
    assert.equal((await store.journal.verify()).head, last.hash);
    assert.deepEqual(await all((await again({ writer: 'controller-b' })).journal.read()), []);
  });

  it('shows what all others wrote where the journal of one is broken, and says so', async () => {
    const store = await open({ writer: 'controller-a' });
    const other = await again({ writer: 'h1', host: 'h1' });
    await store.journal.append([event('one'), event('two')]);
    await other.mailbox.report(reportOf('h1'));
    await other.journal.append([event('mine')]);
    await redis.xadd(keysOf(fleet).entries('h1'), '9-0', 'hash', 'x', 'line', 'garbage');
    const told = await all(readJournals(store.journals, {}, false, new AbortController().signal));
    assert.deepEqual(
      told.map((entry) => entry.type === 'event' && [entry.reason, entry.message.slice(0, 3)]),
      [
        ['Test', 'one'],
        ['Test', 'two'],
        ['Test', 'min'],
        ['JournalCorrupt', 'The'],
      ],
    );
  });

  it('finds an entry that was changed, taken out, or cut off', async () => {
    for (const [what, number, text] of [
      ['change', 2, 'entry 2: its content'],
      ['take', 2, 'entry 3: entry 2 is missing'],
      ['take', 4, 'entry 4 is missing at its end'],
      ['take', 1, 'entry 2: entry 1 is missing'],
    ] as const) {
      const store = await open();
      await store.journal.append([event('a'), event('b'), event('c'), event('d')]);
      const key = keysOf(fleet).entries('controller');
      const id = `${String(number)}-0`;
      const fields = (await redis.xrange(key, id, id))[0]?.[1] ?? [];
      if (what === 'take') await redis.xdel(key, id);
      else {
        // a stream takes no entry in its middle: all is written anew
        const rows = await redis.xrange(key, '-', '+');
        await redis.del(key);
        for (const [row, list] of rows)
          await redis.xadd(key, row, ...(row === id ? fields.map((word) => word.replace('"b"', '"x"')) : list));
      }
      await assert.rejects(store.journal.verify(), coded('JOURNAL_CORRUPT', text));
    }
  });

  it('gives leases by the time of the server, whatever the clocks of two hosts say', async () => {
    const store = await open();
    const fast = await again({ clock: () => Date.now() + 3600_000 });
    assert.ok(await store.leases.acquire('x', 'a', 60_000));
    assert.equal(await fast.leases.acquire('x', 'b', 60_000), undefined);
  });

  it('says why a server that is not there cannot be used', async () => {
    const patience = { attempt: 1000, total: 1000 };
    await assert.rejects(open({ url: 'redis://127.0.0.1:1', patience }), coded('STORE_UNAVAILABLE', 'ECONNREFUSED'));
    await assert.rejects(open({ url: 'redis+cluster://127.0.0.1:1', patience }), coded('STORE_UNAVAILABLE'));
    await assert.rejects(open({ url: 'redis+sentinel://127.0.0.1:1/fleet', patience }), coded('STORE_UNAVAILABLE'));
    await assert.rejects(open({ fleet: 'a b' }), coded('USAGE', 'fleet'));
  });
});
