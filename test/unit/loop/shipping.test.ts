import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shipJournal } from '../../../reconciler/loop/shipping.ts';
import type { Entry } from '../../../reconciler/model/journal.ts';
import type { Journals } from '../../../reconciler/model/store.ts';
import { chained, GENESIS, type Head } from '../../../reconciler/store/journal/chain.ts';

/** A chain of so many events behind a head. */
function chain(count: number, behind: Head = GENESIS, word = 'x'): Entry[] {
  const entries: Entry[] = [];
  for (let n = 0; n < count; n += 1) {
    const draft = { type: 'event', host: 'h1', level: 'info', reason: 'Test', message: `${word}${String(n)}` } as const;
    entries.push(chained(draft, entries.at(-1) ?? behind, n));
  }
  return entries;
}

interface Rig {
  own: readonly Entry[];
  copy: Entry[];
  silent: boolean;
  anew: number;
  readonly warned: string[];
  ring(): void;
  run(work: () => Promise<void>): Promise<void>;
}

/** A host's journal and its copy, which is as strict as the store's. */
function rig(own: readonly Entry[], copy: readonly Entry[] = []): Rig {
  let ring = (): void => undefined;
  const head = (): Head => {
    const last = self.copy.at(-1);
    return last ? { seq: last.seq, hash: last.hash } : GENESIS;
  };
  const far: Pick<Journals, 'head' | 'mirror'> = {
    head: () => (self.silent ? Promise.reject(new Error('silent')) : Promise.resolve(head())),
    mirror: (entries, anew = false) => {
      if (self.silent) return Promise.reject(new Error('silent'));
      if (anew) {
        self.copy = [];
        self.anew += 1;
      }
      const [first] = entries;
      if (first && (anew || (first.seq === head().seq + 1 && first.prev === head().hash))) self.copy.push(...entries);
      return Promise.resolve(head());
    },
  };
  const self: Rig = {
    own,
    copy: [...copy],
    silent: false,
    anew: 0,
    warned: [],
    ring: () => {
      ring();
    },
    run: async (work) => {
      const stop = new AbortController();
      const near = {
        read: async function* ({ from = 0 } = {}) {
          yield* await Promise.resolve(self.own.filter(({ seq }) => seq >= from));
        },
        follow: async function* (signal: AbortSignal) {
          while (!signal.aborted) {
            await new Promise<void>((resolve) => {
              ring = resolve;
              signal.addEventListener('abort', () => resolve(), { once: true });
            });
            const last = self.own.at(-1);
            if (last && !signal.aborted) yield last;
          }
        },
      };
      const log = {
        debug: () => undefined,
        info: () => undefined,
        warn: (_fields: object, message: string) => self.warned.push(message),
      };
      const shipping = shipJournal({ near, far: far as Journals, log }, stop.signal);
      await work();
      stop.abort();
      await shipping;
    },
  };
  return self;
}

async function until(good: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !good();) {
    assert.ok(Date.now() < end, 'not within a minute');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('shipping a journal', () => {
  it('copies what there is, and what comes', async () => {
    const one = rig(chain(250));
    await one.run(async () => {
      await until(() => one.copy.length === 250);
      one.own = [...one.own, ...chain(3, one.own.at(-1), 'y')];
      one.ring();
      await until(() => one.copy.length === 253);
    });
    assert.deepEqual(one.copy, one.own);
  });
  it('goes on behind what is there, also after an outage', async () => {
    const own = chain(10);
    const one = rig(own, own.slice(0, 4));
    one.silent = true;
    await one.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      one.silent = false;
      await until(() => one.copy.length === 10);
    });
    assert.deepEqual([one.copy, one.anew], [own, 0]);
  });
  it('begins anew with what is kept where the copy was emptied, or ends before it', async () => {
    const own = chain(10);
    for (const copy of [[], own.slice(0, 3)]) {
      const one = rig(own.slice(6), copy);
      await one.run(() => until(() => one.copy.length === 4));
      assert.deepEqual([one.copy, one.anew], [own.slice(6), 1]);
    }
  });
  it('waits for the first entry of a journal that begins behind its copy', async () => {
    const lost = chain(4);
    const one = rig([], lost);
    await one.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      one.own = chain(2, lost.at(-1), 'y');
      one.ring();
      await until(() => one.copy.length === 6);
    });
    assert.deepEqual([one.copy, one.warned], [[...lost, ...one.own], []]);
  });
  it('leaves a copy of another journal alone, and says so', async () => {
    const other = chain(5, GENESIS, 'other');
    for (const own of [chain(10), chain(2)]) {
      const one = rig(own, other);
      await one.run(() => until(() => one.warned.length === 1));
      assert.deepEqual(one.copy, other);
      assert.match(one.warned[0] ?? '', /belongs to another state directory/);
    }
  });
});
