import type { Entry } from '../model/journal.ts';
import type { Journal, Journals } from '../model/store.ts';
import type { Log } from './log.ts';
import { createDoorbell } from './doorbell.ts';
import { pause } from './pause.ts';

export interface ShippingOptions {
  /** One's own journal, which is the one that counts. */
  readonly near: Pick<Journal, 'read' | 'follow'>;
  /** Where the fleet reads it. */
  readonly far: Journals;
  readonly log: Log;
}

/** Entries sent at once. */
const BATCH = 100;
/** A journal that nothing was heard of is looked at again after this, milliseconds. */
const LOOK = 10_000;
/** Pauses after failures: the first, doubling up to the longest, milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/**
 * Copies a journal of one's own to the fleet's store, entry by entry as it is chained, for as long as the signal lets it, and what is there then: behind an
 * outage it goes on where it was, and a store that was emptied gets all that is kept again.
 */
export async function shipJournal({ near, far, log }: ShippingOptions, signal: AbortSignal): Promise<void> {
  const bell = createDoorbell();
  const listening = (async () => {
    for await (const entry of near.follow(signal)) if (entry.seq > 0) bell.ring();
  })();
  listening.catch((error: unknown) => log.warn({ err: error }, 'no longer hears its own journal'));
  let wait = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      await copy(near, far);
      wait = FIRST_PAUSE;
      await bell.wait(LOOK, signal);
    } catch (error) {
      if (error instanceof Diverged) {
        log.warn({}, error.message);
        return;
      }
      log.debug({ err: error }, 'journal not copied');
      await pause(wait, signal);
      wait = Math.min(wait * 2, LONGEST_PAUSE);
    }
  }
  // what came while it waited, unless nobody answers
  if (wait === FIRST_PAUSE)
    await copy(near, far).catch((error: unknown) => log.debug({ err: error }, 'journal not copied'));
}

class Diverged extends Error {}

async function isNew(near: Pick<Journal, 'read'>): Promise<boolean> {
  for await (const _entry of near.read()) return false;
  return true;
}

/** Brings the copy up to what there is. */
async function copy(near: Pick<Journal, 'read'>, far: Journals): Promise<void> {
  const head = await far.head();
  let batch: Entry[] = [];
  let anew: boolean | undefined;
  const send = async (): Promise<void> => {
    const there = batch.length === 0 ? undefined : await far.mirror(batch, anew === true);
    if (there && there.hash !== batch.at(-1)?.hash) throw new Error('another copy was sent meanwhile');
    batch = [];
    anew = false;
  };
  let met = head.seq === 0;
  for await (const entry of near.read({ from: head.seq })) {
    if (entry.seq === head.seq) {
      met = entry.hash === head.hash;
      if (!met) break;
      continue;
    }
    // what the copy ends with may have been dropped here, being old: then it begins anew, with what is kept
    anew ??= entry.prev !== head.hash;
    met = true;
    batch.push(entry);
    if (batch.length >= BATCH) await send();
  }
  // one that has nothing yet says nothing against what is there
  if (!met && !(await isNew(near)))
    throw new Diverged(
      'the copy of this journal in the store belongs to another state directory; it is left as it is, and this one is kept here only',
    );
  await send();
}
