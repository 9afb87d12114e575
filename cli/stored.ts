import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { mailOf } from '../reconciler/loop/mail.ts';
import type { Known } from '../reconciler/loop/view.ts';
import { openEmbedded } from '../reconciler/store/embedded/embedded.ts';

/** What the state directory of an `up` that does not run remembers. A directory that is not there knows nothing, and is not made. */
export async function storedKnown(state: string): Promise<Known> {
  if (!existsSync(join(state, 'store'))) {
    const snapshot = { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() };
    return { snapshot, assignments: [], reports: [] };
  }
  const store = await openEmbedded(state, { clock: Date.now });
  try {
    const [snapshot, mail] = await Promise.all([store.reservations.snapshot(), mailOf(store.mailbox)]);
    const rollouts = (await store.bulletin.read())?.rollouts ?? [];
    return { snapshot, ...mail, rollouts };
  } finally {
    await store.close();
  }
}
