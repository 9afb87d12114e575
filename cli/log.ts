import type { Log } from '../reconciler/loop/agent-state.ts';
import type { LogFlags } from './flags.ts';

/** The operational log of what runs on, on standard error. */
export async function operationalLog({ logLevel = 'warn' }: LogFlags): Promise<Log> {
  const { pino } = await import('pino');
  const log: Log = pino({ level: logLevel, base: null }, pino.destination(2));
  return log;
}
