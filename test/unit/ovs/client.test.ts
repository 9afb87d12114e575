import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ovsdbClient, type OperationResult, type OvsdbClient } from '../../../providers/ovs/client.ts';
import { groupCommits, type Part } from '../../../providers/ovs/commit.ts';
import { splitObjects } from '../../../providers/ovs/framing.ts';
import { emptyTables } from '../../../providers/ovs/rows.ts';

type Message = Readonly<Record<string, unknown>>;
const never = new AbortController().signal;
const ROW = { initial: { next_cfg: 1, cur_cfg: 1 } };

const sockets = new Set<net.Socket>();

/** A server that answers as the test says; `answer` gives the text to send back. */
function serve(path: string, answer: (message: Message) => string): Promise<net.Server> {
  const server = net.createServer((socket) => {
    const split = splitObjects();
    sockets.add(socket);
    socket.on('data', (chunk: Buffer) => {
      for (const text of split(chunk)) socket.write(answer(JSON.parse(text) as Message));
    });
    socket.on('error', () => undefined);
  });
  return new Promise((resolve) =>
    server.listen(path, () => {
      resolve(server);
    }),
  );
}

function reply({ id }: Message, result: unknown): string {
  return JSON.stringify({ id, result, error: null });
}

describe('the client', () => {
  let dir = '';
  let path = '';
  let server: net.Server | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ovsdb-'));
    path = join(dir, 'db.sock');
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    server?.close();
    rmSync(dir, { recursive: true });
  });
  const client = (timeout = 2000): OvsdbClient => ovsdbClient({ socket: path, timeout, keepalive: 2000 });

  it('applies an update that comes in one chunk with the dump, after it', async () => {
    server = await serve(path, (message) => {
      const update = {
        method: 'update2',
        params: ['replica', { Open_vSwitch: { o: { modify: { cur_cfg: 7 } } } }],
        id: null,
      };
      return reply(message, { Open_vSwitch: { o: ROW } }) + JSON.stringify(update);
    });
    const tables = await client().tables(never);
    assert.equal(tables.Open_vSwitch.get('o')?.cur_cfg, 7);
  });

  it("answers the server's echo", async () => {
    const seen: Message[] = [];
    server = await serve(path, (message) => {
      seen.push(message);
      if (message['method'] === 'monitor_cond')
        return reply(message, {}) + JSON.stringify({ method: 'echo', params: ['x'], id: 'e' });
      return message['method'] === 'echo' ? reply(message, []) : '';
    });
    const one = client();
    await one.fresh(never);
    await one.fresh(never);
    assert.deepEqual(seen.find((message) => message['id'] === 'e')?.['result'], ['x']);
  });

  it('says who does not answer, and in time', async () => {
    await assert.rejects(client().tables(never), { code: 'OVS_UNAVAILABLE', message: /db\.sock/ });
    server = await serve(path, (message) => (message['method'] === 'monitor_cond' ? reply(message, {}) : ''));
    const one = client(100);
    await one.tables(never);
    await assert.rejects(one.transact([], never), { code: 'TIMEOUT' });
    const stop = new AbortController();
    const call = one.transact([], stop.signal);
    stop.abort();
    await assert.rejects(call, { code: 'CANCELLED' });
  });

  it('gives up a server that talks nonsense', async () => {
    server = await serve(path, () => 'nonsense');
    await assert.rejects(client().tables(never), { code: 'OVS_UNAVAILABLE', message: /cannot be understood/ });
  });

  it('comes back after a loss while someone follows, with a full dump', async () => {
    let dumps = 0;
    server = await serve(path, (message) => {
      dumps += 1;
      return reply(message, { Open_vSwitch: { [`o${String(dumps)}`]: ROW } });
    });
    const one = client();
    const stop = new AbortController();
    const events: string[] = [];
    await new Promise<void>((resolve) => {
      one.follow((event) => {
        events.push(event.type);
        if (events.length === 1) for (const socket of sockets) socket.destroy();
        if (events.length === 3) resolve();
      }, stop.signal);
    });
    assert.deepEqual(events, ['loaded', 'lost', 'loaded']);
    assert.deepEqual([...(await one.tables(never)).Open_vSwitch.keys()], ['o2']);
    stop.abort();
  });
});

describe('group commit', () => {
  /** Fails operations named bad, and whole transactions that hold two named shy. */
  function fake(): OvsdbClient & { readonly sizes: number[] } {
    const tables = emptyTables();
    tables.Open_vSwitch.set('o', { next_cfg: 9, cur_cfg: 9, other_config: {}, external_ids: {} });
    const sizes: number[] = [];
    return {
      sizes,
      tables: () => Promise.resolve(tables),
      fresh: () => Promise.resolve(tables),
      follow: () => undefined,
      transact(operations) {
        sizes.push(operations.length - 2);
        const results: OperationResult[] = operations.map((operation) =>
          operation['op'] === 'bad' ? { error: 'timed out' } : { rows: [{ next_cfg: 9 }] },
        );
        const shy = operations.filter((operation) => operation['op'] === 'shy').length;
        return Promise.resolve(shy > 1 ? [...results, { error: 'constraint violation' }] : results);
      },
    };
  }
  const part = (op: string): Part => ({ operations: () => [{ op }], effective: true });
  const outcome = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );

  it('makes one transaction of what comes at once', async () => {
    const client = fake();
    const commits = groupCommits(client, 1000);
    await Promise.all(Array.from({ length: 100 }, () => commits.commit(part('insert'), AbortSignal.timeout(1000))));
    assert.deepEqual(client.sizes, [100]);
  });

  it('tells only the one to blame', async () => {
    const commits = groupCommits(fake(), 1000);
    const all = ['insert', 'bad', 'insert'].map((op) => outcome(commits.commit(part(op), AbortSignal.timeout(1000))));
    assert.deepEqual(await Promise.all(all), ['done', 'CONFLICT', 'done']);
  });

  it('tries each alone when the commit as a whole is refused', async () => {
    const client = fake();
    const commits = groupCommits(client, 1000);
    const all = ['shy', 'shy'].map((op) => outcome(commits.commit(part(op), AbortSignal.timeout(1000))));
    assert.deepEqual(await Promise.all(all), ['done', 'done']);
    assert.deepEqual(client.sizes, [2, 1, 1]);
  });
});
