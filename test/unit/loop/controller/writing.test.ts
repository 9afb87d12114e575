import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readImage } from '../../../../reconciler/loop/controller/image.ts';
import { createWriting } from '../../../../reconciler/loop/controller/writing.ts';
import type { Proposal } from '../../../../reconciler/model/reservations.ts';
import { catalogOf } from '../../../support/catalog.ts';
import { portsInMemory } from '../../../support/ports-in-memory.ts';
import { hostRecord } from '../../../support/reservations.ts';

const clock = (): number => 0;
const catalog = catalogOf({});

describe('what a controller commits', () => {
  const refused: Proposal = { op: 'release', replica: 'web-0', quarantineUntil: 0 };
  const hostOf = (host: string): Proposal => ({ op: 'host', record: hostRecord(host) });
  const accepted = hostOf('h1');

  it('is decided anew by the next leader at the same cursor, and in the next pass, for the same revision', async () => {
    const store = portsInMemory(clock);
    const writer = () => createWriting({ store, clock, mustLead: () => Promise.resolve() });
    const image = await readImage(store, catalog);
    const [first, second] = [writer(), writer()];
    await first.commit(image, 'r1', [refused].values());
    await second.commit(image, 'r1', [accepted].values());
    assert.ok(image.book.hosts.has('h1'), 'the second leader got the reply that the first had got');
    await second.commit(image, 'r1', [refused].values());
    await second.commit(image, 'r1', ([{ op: 'forget-host', host: 'h1' }] as const).values());
    assert.ok(!image.book.hosts.has('h1'), 'a pass got the reply of the one before');
  });

  it('is committed while more is looked for, by an image that stays as it is meanwhile', async () => {
    const store = portsInMemory(clock);
    const image = await readImage(store, catalog);
    const writing = createWriting({ store, clock, mustLead: () => Promise.resolve() });
    const seen: number[] = [];
    let refreshed = Promise.resolve();
    function* deciding(): Generator<Proposal, string> {
      for (let at = 0; at < 3_000; at += 1) {
        if (at === 1_500) refreshed = image.refresh(); // somebody asks for the status
        if (at % 1_000 === 0) seen.push(image.book.hosts.size);
        yield hostOf(`h${String(at)}`);
      }
      committed = store.reservations.snapshot();
      seen.push(image.book.hosts.size);
      return 'decided';
    }
    let committed: ReturnType<typeof store.reservations.snapshot> | undefined;
    assert.equal(await writing.commit(image, 'r1', deciding()), 'decided');
    await refreshed;
    assert.deepEqual(seen, [0, 0, 0, 0]);
    const early = (await committed)?.hosts.size ?? 0;
    assert.ok(early >= 2_000, `${String(early)} of 3000 were committed when the last was found`);
    assert.equal(image.book.hosts.size, 3_000);
  });

  it('is taken in by the next look when it could not all be committed', async () => {
    const store = portsInMemory(clock);
    const image = await readImage(store, catalog);
    const writing = createWriting({ store, clock, mustLead: () => Promise.resolve() });
    function* deciding(): Generator<Proposal, never> {
      for (let at = 0; at < 900; at += 1) yield hostOf(`h${String(at)}`);
      throw new Error('found none');
    }
    await assert.rejects(writing.commit(image, 'r1', deciding()), /found none/);
    await image.refresh();
    assert.equal(image.book.hosts.size, (await store.reservations.snapshot()).hosts.size);
  });

  it('is committed behind what was looked for where that is more than a store keeps, and comes to the same', async () => {
    const store = portsInMemory(clock);
    const image = await readImage(store, catalog);
    const writing = createWriting({ store, clock, mustLead: () => Promise.resolve(), ahead: 1_000 });
    let early: ReturnType<typeof store.reservations.snapshot> | undefined;
    function* deciding(): Generator<Proposal, string> {
      for (let at = 0; at < 12_000; at += 1) yield hostOf(`h${String(at)}`);
      early = store.reservations.snapshot();
      return 'decided';
    }
    assert.equal(await writing.commit(image, 'r1', deciding()), 'decided');
    assert.equal((await early)?.hosts.size, 1_000);
    assert.equal(image.book.hosts.size, 12_000);
  });
});
