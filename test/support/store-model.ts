import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { canonical } from '../../reconciler/model/fingerprint.ts';
import type { CommitReply, CommitRequest, Proposal } from '../../reconciler/model/reservations.ts';
import type { Hold, Lease, Store } from '../../reconciler/model/store.ts';
import type { OpenStore } from '../conformance/store.ts';
import { plain } from './reservations.ts';
import { openAll, proposals, START, STEP } from './store-proposals.ts';
import { draftOf } from './store-writer.ts';

/** What the store should be, as simply as it can be said. */
interface Model {
  book: Book;
  cursor: number;
  readonly replies: Map<CommitRequest, unknown>;
  readonly leases: Map<string, Lease>;
  readonly fences: Map<string, number>;
  /** Every lease that was ever given. */
  readonly given: Hold[];
  readonly messages: string[];
  now: number;
}

/** Where the clock begins and how far it goes at once. */
interface Real {
  readonly opened: OpenStore;
  store: Store;
}

type Step = fc.AsyncCommand<Model, Real>;

/** As JSON has it: a conflict's current value may hold undefined members. */
function told(reply: CommitReply): unknown {
  return JSON.parse(JSON.stringify(reply));
}

/** What the model answers to a request, and what it is then. */
function answer({ book, cursor }: Pick<Model, 'book' | 'cursor'>, asked: CommitRequest) {
  const next = createBook(book);
  const { verdicts, deltas } = decide(next, asked);
  next.apply(deltas);
  const after = cursor + (deltas.length > 0 ? 1 : 0);
  return { book: next, cursor: after, reply: told({ verdicts, cursor: after }) };
}

function nextRequest({ replies, now }: Model, proposals: readonly Proposal[], step = 0): CommitRequest {
  return { id: `r${String(replies.size + step)}`, now, proposals };
}

class Commit implements Step {
  readonly proposals: readonly Proposal[];
  readonly under: Hold | undefined;
  constructor(proposals: readonly Proposal[], under?: Hold) {
    this.proposals = proposals;
    this.under = under;
  }
  check = (): boolean => true;
  toString = (): string => `commit ${JSON.stringify(this.proposals)}`;
  async run(model: Model, real: Real): Promise<void> {
    const asked = nextRequest(model, this.proposals);
    const reply = told(await real.store.reservations.commit(asked, this.under));
    const expected = answer(model, asked);
    assert.deepEqual(reply, expected.reply);
    Object.assign(model, { book: expected.book, cursor: expected.cursor });
    model.replies.set(asked, reply);
  }
}

/** A commit under a lease that was given at some time: refused, and nothing done, unless it is still the last one. */
class Under implements Step {
  readonly proposals: readonly Proposal[];
  readonly pick: number;
  constructor(proposals: readonly Proposal[], pick: number) {
    this.proposals = proposals;
    this.pick = pick;
  }
  check = ({ given }: Readonly<Model>): boolean => given.length > 0;
  toString = (): string => `under ${String(this.pick)} commit ${JSON.stringify(this.proposals)}`;
  async run(model: Model, real: Real): Promise<void> {
    const hold = model.given[this.pick % model.given.length] ?? assert.fail();
    const last = model.leases.get(hold.name);
    if (last?.holder === hold.holder && last.fence === hold.fence)
      return new Commit(this.proposals, hold).run(model, real);
    await assert.rejects(
      real.store.reservations.commit(nextRequest(model, this.proposals), hold),
      (error) => error instanceof PlumbError && error.code === 'CONFLICT',
    );
  }
}

class Again implements Step {
  readonly pick: number;
  constructor(pick: number) {
    this.pick = pick;
  }
  check = ({ replies }: Readonly<Model>): boolean => replies.size > 0;
  toString = (): string => `again ${String(this.pick)}`;
  async run(model: Model, real: Real): Promise<void> {
    const [asked, first] = [...model.replies][this.pick % model.replies.size] ?? assert.fail();
    assert.deepEqual(told(await real.store.reservations.commit(asked)), first);
  }
}

function orders<T>(list: readonly T[]): readonly (readonly T[])[] {
  if (list.length < 2) return [list];
  return list.flatMap((one) => orders(list.filter((other) => other !== one)).map((rest) => [one, ...rest]));
}

/** Several requests under way at once, one of them twice: the replies must be those of some order. */
class Race implements Step {
  readonly batches: readonly (readonly Proposal[])[];
  constructor(batches: readonly (readonly Proposal[])[]) {
    this.batches = batches;
  }
  check = (): boolean => true;
  toString = (): string => `race ${JSON.stringify(this.batches)}`;
  async run(model: Model, real: Real): Promise<void> {
    const asked = this.batches.map((proposals, step) => nextRequest(model, proposals, step));
    const twice = [...asked, asked[0] ?? assert.fail()];
    const replies = await Promise.all(twice.map(async (one) => told(await real.store.reservations.commit(one))));
    assert.deepEqual(replies.pop(), replies[0]);
    const order = orders(asked).find((list) => {
      let state: Pick<Model, 'book' | 'cursor'> = model;
      return list.every((one) => {
        const { reply, ...next } = answer(state, one);
        state = next;
        return canonical(reply) === canonical(replies[asked.indexOf(one)]);
      });
    });
    assert.ok(order, 'the replies are those of no order');
    for (const one of order) {
      const { book, cursor, reply } = answer(model, one);
      Object.assign(model, { book, cursor });
      model.replies.set(one, reply);
    }
  }
}

class Acquire implements Step {
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
      assert.equal(lease?.fence, held?.holder === holder ? held.fence : (model.fences.get(name) ?? 0) + 1);
    }
    if (!lease) return;
    model.leases.set(name, lease);
    model.fences.set(name, lease.fence);
    model.given.push(lease);
  }
}

class Release implements Step {
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

class Append implements Step {
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

class Pass implements Step {
  check = (): boolean => true;
  toString = (): string => 'time passes';
  run(model: Model): Promise<void> {
    model.now += STEP;
    return Promise.resolve();
  }
}

class Reopen implements Step {
  check = (): boolean => true;
  toString = (): string => 'reopen';
  async run(model: Model, real: Real): Promise<void> {
    real.store = await real.opened.reopen();
    await compare(model, real.store);
  }
}

/** The text of every event in a store's journal, in order. */
export async function messages(store: Store): Promise<string[]> {
  const list: string[] = [];
  for await (const entry of store.journal.read()) list.push(entry.type === 'event' ? entry.message : entry.type);
  return list;
}

/** What the deltas since the beginning add up to; undefined where they are not all kept. */
async function replayed(store: Store, to: number): Promise<Book | undefined> {
  const book = createBook();
  const stop = new AbortController();
  if (to === 0) return book;
  try {
    for await (const { cursor, deltas } of store.reservations.follow(0, stop.signal)) {
      book.apply(deltas);
      if (cursor === to) stop.abort();
    }
    return book;
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'CONFLICT') return undefined;
    throw error;
  }
}

async function compare(model: Model, store: Store): Promise<void> {
  const { cursor, ...snapshot } = await store.reservations.snapshot();
  assert.equal(cursor, model.cursor);
  assert.deepEqual(plain(snapshot), plain(model.book));
  assert.deepEqual(plain((await replayed(store, cursor)) ?? model.book), plain(model.book));
  assert.deepEqual(await messages(store), model.messages);
  assert.equal((await store.journal.verify()).entries, model.messages.length);
}

const name = fc.constantFrom('a', 'b');

const ALONE: fc.Arbitrary<Step>[] = [
  proposals.map((list) => new Commit(list)),
  proposals.map((list) => new Commit(list)),
  fc.tuple(proposals, fc.nat(9)).map(([list, pick]) => new Under(list, pick)),
  fc.nat(60).map((pick) => new Again(pick)),
  fc.tuple(name, fc.constantFrom('x', 'y')).map(([lease, holder]) => new Acquire(lease, holder)),
  name.map((lease) => new Release(lease)),
  fc.array(fc.nat(99), { maxLength: 4 }).map((numbers) => new Append(numbers)),
  fc.constant(new Pass()),
  fc.constant(new Reopen()),
];
const race: fc.Arbitrary<Step> = fc
  .array(proposals, { minLength: 2, maxLength: 3 })
  .map((batches) => new Race(batches));

/**
 * Random schedules, after each of which a store must be what the model is. `open` gives an empty store that reads time
 * from the clock. `alone` leaves out commits that are under way at once.
 */
export function storeIsModel(
  open: (clock: () => number) => Promise<OpenStore>,
  { alone = false }: { readonly alone?: boolean } = {},
): fc.IAsyncProperty<[Iterable<Step>]> {
  const steps = alone ? ALONE : [...ALONE, race];
  return fc.asyncProperty(fc.commands(steps, { maxCommands: 80, size: '+1' }), async (list) => {
    const empty = { replies: new Map<CommitRequest, unknown>(), leases: new Map<string, Lease>(), given: [] };
    const model: Model = { book: createBook(), cursor: 0, ...empty, fences: new Map(), messages: [], now: START };
    const opened = await open(() => model.now);
    const real: Real = { opened, store: opened.store };
    try {
      await new Commit(openAll).run(model, real);
      await fc.asyncModelRun(() => ({ model, real }), list);
      await compare(model, real.store);
    } finally {
      await opened.close();
    }
  });
}
