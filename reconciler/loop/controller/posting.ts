import type { LostHost, Notice } from '../../model/notice.ts';
import { PROTOCOL } from '../../model/protocol.ts';
import type { Bulletin } from '../../model/store.ts';
import { contentOf } from './telling.ts';
import type { Tracked } from './tracking.ts';

/** What a controller has decided, and alone knows. */
export type Decision = Omit<Notice, 'protocol' | 'source' | 'problems' | 'lost'>;

/** The Notice of a controller, and what others have posted of it. */
export interface Posting {
  readonly decided: Decision;
  decide(next: Decision): void;
  /** Undefined before the first revision. */
  notice(): Notice | undefined;
  /** Posts what is new. */
  post(): Promise<void>;
  /** Posts why nothing new is decided, beside what was posted last, which goes on to count. */
  fail(why: string): Promise<void>;
  /** Reads what was posted last: what whoever led then had to remember counts from now on. */
  readonly resume: () => Promise<void>;
}

/** A Notice in which nothing is decided yet, of what Git said last and of the hosts that are not heard of. */
export function createPosting(
  bulletin: Bulletin,
  git: () => Tracked | undefined,
  lost: () => readonly LostHost[],
): Posting {
  let decided: Decision = { unplaceable: [], held: [], published: '', waiting: 0, awaited: [] };
  let posted = '';

  function notice(): Notice | undefined {
    const last = git();
    if (!last) return undefined;
    const { notes: _notes, ...status } = last.source;
    const { revision, problems } = last.catalog;
    return {
      protocol: PROTOCOL,
      source: { ...status, revision },
      problems: problems.length,
      ...decided,
      lost: lost(),
    };
  }

  return {
    get decided() {
      return decided;
    },
    decide: (next) => {
      decided = next;
    },
    notice,
    post: async () => {
      const next = notice();
      if (!next) return;
      const content = contentOf(next);
      if (content === posted) return;
      await bulletin.post(next);
      posted = content;
    },
    fail: async (failing) => {
      decided = { ...decided, failing };
      const last = (await bulletin.read()) ?? notice();
      if (!last || last.failing === failing) return;
      const next = { ...last, failing };
      await bulletin.post(next);
      posted = contentOf(next);
    },
    resume: async () => {
      const last = await bulletin.read();
      posted = last ? contentOf(last) : '';
      const { rollouts: _rollouts, reopening: _reopening, ...rest } = decided;
      const { rollouts, reopening, draining, preemptions } = last ?? {};
      decided = {
        ...rest,
        ...(rollouts ? { rollouts } : {}),
        ...(reopening ? { reopening } : {}),
        ...(draining ? { draining } : {}),
        ...(preemptions ? { preemptions } : {}),
      };
    },
  };
}
