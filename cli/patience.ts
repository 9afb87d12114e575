import { pause } from '../reconciler/loop/pause.ts';
import type { Log } from '../reconciler/loop/log.ts';
import { PlumbError } from '../reconciler/model/errors.ts';

/** The first pause, and the longest, milliseconds: a call has been tried for a while itself by then. */
const FIRST = 1_000;
const LONGEST = 10_000;

/** Asks for what a service cannot begin without until it gets it, with a line in the log for each try. Undefined once the signal aborts; throws what no waiting mends. */
export async function patiently<T>(
  ask: () => Promise<T>,
  {
    log,
    signal,
    wait = pause,
  }: { readonly log: Pick<Log, 'warn'>; readonly signal: AbortSignal; readonly wait?: typeof pause },
): Promise<T | undefined> {
  for (let ms = FIRST; ; ms = Math.min(2 * ms, LONGEST)) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof PlumbError) || !error.retry) throw error;
      log.warn({ code: error.code }, `${error.message}; tried again in ${String(ms / 1000)} s`);
    }
    await wait(ms, signal);
  }
}
