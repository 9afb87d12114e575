import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readImage } from '../../../../reconciler/loop/controller/image.ts';
import { createWriting } from '../../../../reconciler/loop/controller/writing.ts';
import type { Proposal } from '../../../../reconciler/model/reservations.ts';
import { createLedger } from '../../../../reconciler/store/embedded/ledger.ts';
import { createMemory } from '../../../../reconciler/store/embedded/memory.ts';
import { createMailbox, createReservations } from '../../../../reconciler/store/embedded/ports.ts';
import { catalogOf } from '../../../support/catalog.ts';

const clock = (): number => 0;
const catalog = catalogOf({});

function storeInMemory() {
  const memory = createMemory();
  const nowhere = { append: () => Promise.resolve(), compact: () => Promise.resolve(), close: () => Promise.resolve() };
  const ledger = createLedger(memory, nowhere, clock);
  return { reservations: createReservations(ledger, clock), mailbox: createMailbox(ledger, memory) };
}

describe('what a controller commits', () => {
  const refused: Proposal = { op: 'release', replica: 'web-0', quarantineUntil: 0 };
  const accepted: Proposal = {
    op: 'host',
    record: {
      host: 'h1',
      zone: 'main',
      state: 'open',
      epoch: 1,
      allocatable: { cpu: 1, memory: 1, pids: 1 },
      rack: 'r',
      switch: 's',
    },
  };

  it('is decided anew by the next leader at the same cursor, and in the next pass, for the same revision', async () => {
    const store = storeInMemory();
    const writer = () => createWriting({ store, clock, mustLead: () => Promise.resolve() });
    const image = await readImage(store, catalog);
    const [first, second] = [writer(), writer()];
    await first.commit(image, 'r1', [refused]);
    await second.commit(image, 'r1', [accepted]);
    assert.ok(image.book.hosts.has('h1'), 'the second leader got the reply that the first had got');
    await second.commit(image, 'r1', [refused]);
    await second.commit(image, 'r1', [{ op: 'forget-host', host: 'h1' }]);
    assert.ok(!image.book.hosts.has('h1'), 'a pass got the reply of the one before');
  });
});
