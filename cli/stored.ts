import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { knownOf } from '../reconciler/loop/control.ts';
import { openEmbedded } from '../reconciler/store/embedded/embedded.ts';
import type { Asked } from './view.ts';

/** What the state directory of an `up` that does not run remembers. A directory that is not there knows nothing, and is not made. */
export async function remembered(state: string): Promise<Asked> {
  if (!existsSync(join(state, 'store'))) {
    const snapshot = { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() };
    return { known: { snapshot, assignments: [], reports: [], hidden: [] }, reports: () => Promise.resolve([]) };
  }
  const store = await openEmbedded(state, { clock: Date.now });
  try {
    const { source: _old, ...known } = await knownOf(store);
    const said = await store.mailbox.reports(known.reports.map(({ host }) => host));
    return { known, reports: (hosts) => Promise.resolve(said.filter(({ host }) => hosts.includes(host))) };
  } finally {
    await store.close();
  }
}
