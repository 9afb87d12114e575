import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, type OwnJournal } from '../reconciler/store/journal/journal.ts';

/** A journal on disk, as a controller keeps one; it is removed when it is closed. */
export async function ownJournal(): Promise<OwnJournal> {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-bench-'));
  const journal = await openJournal(directory, { clock: Date.now });
  return {
    ...journal,
    close: async () => {
      await journal.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
