import type { FleetStore } from '../reconciler/model/store.ts';

/** One change on its way; times by `performance.now`. */
interface Change {
  readonly image: string;
  readonly committed: number;
  /** When its Assignment was seen, to which host and with which number. */
  told?: { readonly at: number; readonly host: string; readonly generation: number };
}

/** How long what was acknowledged took, milliseconds. */
export interface Acknowledged {
  /** From the commit to the Assignment in the store, and from the commit to the Report that has taken it up. */
  readonly assigned: number[];
  readonly acknowledged: number[];
}

export interface Watcher {
  /** An App was given another image by a commit that is there since now. */
  readonly expect: (app: string, image: string) => void;
  /** How many are not yet acknowledged. */
  readonly waiting: () => number;
  /** How many were not when their App was given another image. */
  readonly overtaken: () => number;
  readonly done: Acknowledged;
}

/** Watches the mailbox for Assignments that give an App the expected image, and for the first Report with that generation. */
export function watchMail(store: Pick<FleetStore, 'mailbox'>, signal: AbortSignal): Watcher {
  const pending = new Map<string, Change>();
  const told = new Map<string, Set<string>>();
  const done: Acknowledged = { assigned: [], acknowledged: [] };
  let overtaken = 0;

  async function assigned(host: string): Promise<void> {
    const assignment = await store.mailbox.assignment(host);
    for (const { app, spec } of assignment?.replicas ?? []) {
      const change = pending.get(app);
      if (!assignment || change?.image !== spec.image || change.told) continue;
      const at = performance.now();
      change.told = { at, host, generation: assignment.generation };
      done.assigned.push(at - change.committed);
      told.set(host, (told.get(host) ?? new Set()).add(app));
    }
    // the Report may have been quicker than this look
    await reported(host);
  }

  async function reported(host: string): Promise<void> {
    const apps = told.get(host);
    if (!apps) return;
    const [report] = await store.mailbox.reports([host]);
    for (const app of apps) {
      const change = pending.get(app);
      // of a later change this host was told nothing yet
      const mine = change?.told?.host === host ? change.told : undefined;
      if (mine && (report?.generation ?? 0) < mine.generation) continue;
      apps.delete(app);
      if (!mine || !change) continue;
      done.acknowledged.push(performance.now() - change.committed);
      pending.delete(app);
    }
    if (apps.size === 0) told.delete(host);
  }

  const follow = async (): Promise<void> => {
    for await (const { host, what } of store.mailbox.follow(signal))
      void (what === 'assignment' ? assigned(host) : reported(host)).catch(() => undefined);
  };
  follow().catch((error: unknown) => {
    // whoever ends it closes the store, perhaps in the middle of a question
    if (!signal.aborted) throw error;
  });
  return {
    expect: (app, image) => {
      if (pending.has(app)) overtaken += 1;
      pending.set(app, { image, committed: performance.now() });
    },
    waiting: () => pending.size,
    overtaken: () => overtaken,
    done,
  };
}
