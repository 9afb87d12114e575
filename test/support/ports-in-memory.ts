import type { Store } from '../../reconciler/model/store.ts';
import { createLedger } from '../../reconciler/store/embedded/ledger.ts';
import { createMemory } from '../../reconciler/store/embedded/memory.ts';
import {
  createBulletin,
  createLeases,
  createMailbox,
  createReservations,
} from '../../reconciler/store/embedded/ports.ts';

export type Ports = Omit<Store, 'journal' | 'close'>;

/** The ports of the embedded store without a disk. */
export function portsInMemory(clock: () => number): Ports {
  const memory = createMemory();
  const nowhere = { append: () => Promise.resolve(), compact: () => Promise.resolve(), close: () => Promise.resolve() };
  const ledger = createLedger(memory, nowhere, clock);
  return {
    reservations: createReservations(ledger, clock),
    leases: createLeases(ledger, clock),
    mailbox: createMailbox(ledger, memory),
    bulletin: createBulletin(ledger),
  };
}
