import type { EntryDraft } from '../../reconciler/model/journal.ts';
import type { CommitRequest, Proposal } from '../../reconciler/model/reservations.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { hostRecord, place } from './reservations.ts';

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function proposal(pick: (below: number) => number): Proposal {
  const replica = `web-${String(pick(12))}`;
  const host = `h${String(pick(4))}`;
  switch (pick(6)) {
    case 0:
      return { op: 'host', record: hostRecord(host, { epoch: 1, state: pick(5) === 0 ? 'closed' : 'open' }) };
    case 1:
      return { op: 'release', replica, quarantineUntil: pick(3000) };
    case 2:
      return { op: 'resize', replica, demand: { cpu: pick(3000), memory: 512, pids: 100 } };
    default:
      return place(replica, host, `10.0.0.${String(pick(10))}`);
  }
}

/** The request with that number of a seed. */
export function requestOf(seed: number, number: number): CommitRequest {
  const pick = numbers(seed * 7919 + number);
  const proposals = Array.from({ length: 1 + pick(4) }, () => proposal(pick));
  return { id: `${String(seed)}-${String(number)}`, now: number * 10, proposals };
}

/** The entry with that number of a seed, of any length up to some kilobytes. */
export function draftOf(seed: number, number: number): EntryDraft {
  const message = `${String(number)} ${'x'.repeat(numbers(seed * 104_729 + number)(4000))}`;
  return { type: 'event', host: 'h1', level: 'info', reason: 'Test', message };
}

/** Commits and appends number by number, five under way at once; prints each number that was promised to be durable. */
async function write(state: string, seed: number): Promise<void> {
  const store = await openEmbedded(state, { clock: () => 1 });
  for (let number = 0; ; number += 5) {
    const under = [0, 1, 2, 3, 4].map(async (step) => {
      await Promise.all([
        store.reservations.commit(requestOf(seed, number + step)),
        store.journal.append([draftOf(seed, number + step)]),
      ]);
      process.stdout.write(`${String(number + step)}\n`);
    });
    await Promise.all(under);
  }
}

const [program, state, seed] = process.argv.slice(1);
if (program !== undefined && import.meta.url.endsWith('/store-writer.js') && program.endsWith('/store-writer.js'))
  await write(state ?? '', Number(seed));
