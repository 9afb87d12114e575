import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { CommitReply, ReservationState } from '../../reconciler/model/reservations.ts';
import type { Lease, Store } from '../../reconciler/model/store.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { draftOf, requestOf } from '../support/store-writer.ts';

/** What the store should be, as simply as it can be said. */
interface Model {
  readonly book: Book;
  cursor: number;
  readonly replies: Map<number, CommitReply>;
  readonly leases: Map<string, Lease>;
  readonly fences: Map<string, number>;
  readonly messages: string[];
  now: number;
}

interface Real {
  store: Store;
  readonly state: string;
  readonly clock: () => number;
}

function plain({ hosts, placements, addresses }: ReservationState): unknown {
  return { hosts: new Map(hosts), placements: new Map(placements), addresses: new Map(addresses) };
}

class Commit implements fc.AsyncCommand<Model, Real> {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
  check = (): boolean => true;
  toString = (): string => `commit ${String(this.number)}`;
  async run(model: Model, real: Real): Promise<void> {
    const request = requestOf(1, this.number);
    const reply = await real.store.reservations.commit(request);
    const before = model.replies.get(this.number);
    if (before) {
      assert.deepEqual(reply, before);
      return;
    }
    const { verdicts, deltas } = decide(model.book, request);
    model.book.apply(deltas);
    if (deltas.length > 0) model.cursor++;
    // as JSON has it: a conflict's current value may hold undefined members
    assert.deepEqual(JSON.parse(JSON.stringify(reply)), JSON.parse(JSON.stringify({ verdicts, cursor: model.cursor })));
    model.replies.set(this.number, reply);
  }
}

class Acquire implements fc.AsyncCommand<Model, Real> {
  readonly name: string;
  readonly holder: string;
  constructor(name: string, holder: string) {
    this.name = name;
    this.holder = holder;
  }
  check = (): boolean => true;
  toString = (): string => `${this.holder} acquires ${this.name}`;
  async run(model: Model, real: Real): Promise<void> {
    const { name, holder } = this;
    const lease = await real.store.leases.acquire(name, holder, 100);
    const held = model.leases.get(name);
    if (held && held.expires > model.now) {
      assert.equal(lease === undefined, held.holder !== holder);
      if (lease) assert.equal(lease.fence, held.fence);
    } else {
      assert.equal(lease?.fence, (model.fences.get(name) ?? 0) + 1);
    }
    if (!lease) return;
    model.leases.set(name, lease);
    model.fences.set(name, lease.fence);
  }
}

class Release implements fc.AsyncCommand<Model, Real> {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  check = (model: Readonly<Model>): boolean => model.leases.has(this.name);
  toString = (): string => `release ${this.name}`;
  async run(model: Model, real: Real): Promise<void> {
    const lease = model.leases.get(this.name) ?? assert.fail();
    await real.store.leases.release(lease);
    model.leases.delete(this.name);
    assert.equal(await real.store.leases.get(this.name), undefined);
  }
}

class Append implements fc.AsyncCommand<Model, Real> {
  readonly numbers: readonly number[];
  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }
  check = (): boolean => true;
  toString = (): string => `append ${this.numbers.join(' ')}`;
  async run(model: Model, real: Real): Promise<void> {
    const drafts = this.numbers.map((number) => draftOf(1, number));
    const entries = await real.store.journal.append(drafts);
    assert.deepEqual(
      entries.map(({ seq }) => seq),
      drafts.map((_, index) => model.messages.length + index + 1),
    );
    model.messages.push(...drafts.map((draft) => (draft.type === 'event' ? draft.message : '')));
  }
}

class Pass implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'time passes';
  run(model: Model): Promise<void> {
    model.now += 60;
    return Promise.resolve();
  }
}

class Reopen implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'reopen';
  async run(model: Model, real: Real): Promise<void> {
    await real.store.close();
    real.store = await openEmbedded(real.state, { clock: real.clock });
    await compare(model, real.store);
  }
}

async function messages(store: Store): Promise<string[]> {
  const list: string[] = [];
  for await (const entry of store.journal.read()) list.push(entry.type === 'event' ? entry.message : entry.type);
  return list;
}

async function compare(model: Model, store: Store): Promise<void> {
  const { cursor, ...snapshot } = await store.reservations.snapshot();
  assert.equal(cursor, model.cursor);
  assert.deepEqual(plain(snapshot), plain(model.book));
  assert.deepEqual(await messages(store), model.messages);
  assert.equal((await store.journal.verify()).entries, model.messages.length);
}

describe('embedded store', () => {
  it('is what a simple model says, over restarts', async () => {
    const name = fc.constantFrom('a', 'b');
    const commands = [
      fc.nat(60).map((number) => new Commit(number)),
      fc.nat(60).map((number) => new Commit(number)),
      fc.tuple(name, fc.constantFrom('x', 'y')).map(([lease, holder]) => new Acquire(lease, holder)),
      name.map((lease) => new Release(lease)),
      fc.array(fc.nat(99), { maxLength: 4 }).map((numbers) => new Append(numbers)),
      fc.constant(new Pass()),
      fc.constant(new Reopen()),
    ];
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 60 }), async (list) => {
        const state = mkdtempSync(join(tmpdir(), 'plumb-model-'));
        const empty = { replies: new Map<number, CommitReply>(), leases: new Map<string, Lease>() };
        const model: Model = { book: createBook(), cursor: 0, ...empty, fences: new Map(), messages: [], now: 1000 };
        const clock = (): number => model.now;
        const real: Real = { store: await openEmbedded(state, { clock }), state, clock };
        try {
          await fc.asyncModelRun(() => ({ model, real }), list);
          await compare(model, real.store);
        } finally {
          await real.store.close();
          rmSync(state, { recursive: true, force: true });
        }
      }),
      { numRuns: 40 },
    );
  });

  const writer = fileURLToPath(new URL('../support/store-writer.js', import.meta.url));

  /** Lets a child write until it is killed at some instant; gives the numbers that it was promised. */
  async function writeAndKill(state: string, seed: number, after: number): Promise<Set<number>> {
    const child = spawn(process.execPath, [writer, state, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
    await once(child.stdout, 'data');
    await sleep(after);
    child.kill('SIGKILL');
    await once(child, 'close');
    return new Set(text.split('\n').slice(0, -1).map(Number));
  }

  it('loses nothing it promised and shows nothing half, killed at any instant', async () => {
    let promises = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const state = mkdtempSync(join(tmpdir(), 'plumb-kill-'));
      const promised = await writeAndKill(state, seed, (seed * 37) % 90);
      promises += promised.size;
      const store = await openEmbedded(state, { clock: () => 1 });
      const { cursor, ...snapshot } = await store.reservations.snapshot();
      // the state after some number of requests, and that number is at least what was promised
      const book = createBook();
      let at = 0;
      let done = 0;
      const least = Math.max(-1, ...promised) + 1;
      for (; done < least || at < cursor; done++) {
        const { deltas } = decide(book, requestOf(seed, done));
        book.apply(deltas);
        if (deltas.length > 0) at++;
      }
      assert.equal(at, cursor, 'a promised commit is missing');
      assert.deepEqual(plain(snapshot), plain(book));
      const wanted = (await messages(store)).map((_, number) => draftOf(seed, number));
      assert.ok(wanted.length >= least, `${String(wanted.length)} entries of ${String(least)} promised`);
      assert.deepEqual(
        await messages(store),
        wanted.map((draft) => draft.type === 'event' && draft.message),
      );
      assert.equal((await store.journal.verify()).entries, wanted.length);
      await store.close();
      rmSync(state, { recursive: true, force: true });
    }
    assert.ok(promises > 100, `only ${String(promises)} writes were promised`);
  });
});
