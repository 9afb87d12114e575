import { PlumbError } from '../../model/errors.ts';

/** What an error of Redis or of the way to it means for the call that met it. */
export type Meaning =
  /** Not executed, or of unknown outcome: the same again may succeed. */
  | 'again'
  /** The script is not in the server's cache: send its text. */
  | 'no-script'
  /** User, password, certificate or a right is refused. */
  | 'refused'
  /** Redis cannot write to its disk. */
  | 'disk'
  | 'other';

/** Replies after which nothing was executed and the server, or another one, will do it soon. */
const SOON =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|UNBLOCKED|EXECABORT|FAILOVER)\b/;
const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR Client sent AUTH)\b/;
/** Words of ioredis and of node for a connection that is not there, or no longer. */
const GONE =
  /Connection is closed|isn't (writeable|ready)|max retries per request|Command aborted|All sentinels are unreachable|Failed to refresh slots|startup nodes|No master node|Too many Cluster redirections|Node is disconnected|ended|timed out/;
/** What ioredis says of itself, and nobody can use. */
const ASIDE = / and enableOfflineQueue options is false| Retrying from scratch after [\d.]+ms\./;

/** The text of an error, of its code, and of the error below it. */
function wordsOf(error: unknown): { readonly message: string; readonly code: string } {
  if (!(error instanceof Error)) return { message: String(error), code: '' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const below = 'lastNodeError' in error ? error.lastNodeError : undefined;
  return below instanceof Error && !REFUSED.test(error.message) ? wordsOf(below) : { message: error.message, code };
}

export function meaningOf(error: unknown): Meaning {
  const { message, code } = wordsOf(error);
  if (message.startsWith('NOSCRIPT')) return 'no-script';
  if (REFUSED.test(message) || /CERT|SIGNATURE|^ERR_(TLS|SSL)/.test(code)) return 'refused';
  if (message.startsWith('MISCONF') && /No space left/i.test(message)) return 'disk';
  if (SOON.test(message) || GONE.test(message) || /^E[A-Z]+$/.test(code)) return 'again';
  return 'other';
}

/** The error as one of ours, with the place and the next step. Redis never repeats a password in its errors. */
export function storeError(error: unknown, shown: string): PlumbError {
  if (error instanceof PlumbError) return error;
  const message = wordsOf(error).message.replace(ASIDE, '');
  const details = { store: shown };
  switch (meaningOf(error)) {
    case 'refused':
      return new PlumbError(
        'STORE_REFUSED',
        `${shown} refuses this process: ${message.replace(/\.+$/, '')}. Check user, password, certificate and the user's rights (ACL GETUSER)`,
        details,
        error,
      );
    case 'disk':
      return new PlumbError('DISK_FULL', `Redis at ${shown} has no space left: ${message}`, details, error);
    default:
      return new PlumbError('STORE_UNAVAILABLE', `Redis at ${shown} cannot be used: ${message}`, details, error);
  }
}

/** The keys were emptied or replaced under a process that works with them. */
export function emptied(shown: string): PlumbError {
  return new PlumbError(
    'STORE_EMPTIED',
    `Redis at ${shown} no longer holds what this process works with: it was emptied or replaced. Open the store again`,
    { store: shown },
  );
}
