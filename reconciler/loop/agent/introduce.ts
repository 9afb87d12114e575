import type { HostFacts } from '../../model/replica.ts';
import type { Mailbox } from '../../model/store.ts';
import type { Log } from '../log.ts';
import { pause } from '../pause.ts';
import { introduction } from './report.ts';

export interface IntroduceOptions {
  readonly host: string;
  readonly facts: HostFacts;
  readonly mailbox: Pick<Mailbox, 'report'>;
  /** What was last said of the host, if anything. */
  readonly last: Pick<Mailbox, 'reports'>;
  readonly clock: () => number;
  readonly log: Log;
}

/** Pause after a failure, in milliseconds. */
const AGAIN = 1_000;

/**
 * Says that a host is there, or says it again with the facts of today. A store that is full does not keep a known host from
 * its work: its next Report brings the facts. Of an unknown one nothing is asked before this is stored.
 */
export async function introduce(options: IntroduceOptions, signal: AbortSignal): Promise<void> {
  const { host, facts, mailbox, last, clock, log } = options;
  while (!signal.aborted) {
    const before = (await last.reports([host]))[0];
    try {
      await mailbox.report(introduction(host, facts, clock(), before));
      return;
    } catch (error) {
      log.warn({ err: error }, 'host not introduced');
      if (before) return;
    }
    await pause(AGAIN, signal);
  }
}
