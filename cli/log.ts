import { createRequire } from 'node:module';
import type * as Pino from 'pino';
import type { Log } from '../reconciler/loop/log.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { LogFlags } from './flags.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/**
 * The operational log of what runs on, on standard error. pino is loaded with the first line that is written: most starts write
 * none. Throws USAGE for a level that there is not.
 */
export function operationalLog({ logLevel = 'warn' }: LogFlags): Log {
  const least = LEVELS.findIndex((level) => level === logLevel);
  if (least < 0)
    throw new PlumbError('USAGE', `--log-level takes ${LEVELS.slice(0, -1).join(', ')} or error, not ${logLevel}`);
  let pino: Log | undefined;
  const open = (): Log => {
    const { pino: make, destination } = createRequire(import.meta.url)('pino') as typeof Pino;
    return make({ level: logLevel, base: null }, destination({ dest: 2, sync: true }));
  };
  const at =
    (level: keyof Log): Log['warn'] =>
    (fields, message) => {
      if (LEVELS.indexOf(level) < least) return;
      pino ??= open();
      pino[level](fields, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn') };
}
