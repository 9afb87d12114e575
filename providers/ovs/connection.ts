import net from 'node:net';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { splitObjects } from './framing.ts';

/** How one connection is made and watched. */
export interface ConnectionOptions {
  /** Path of ovsdb-server's unix socket. */
  readonly socket: string;
  /** Milliseconds that a call may take. */
  readonly timeout: number;
  /** Milliseconds of silence after which a held connection is asked for an echo. */
  readonly keepalive: number;
}

/** One JSON-RPC connection, from connect to close; it is not opened again. */
export interface Connection {
  /** `take` sees the result before any later message is read. Throws OVS_UNAVAILABLE, TIMEOUT, CANCELLED. */
  call<T>(method: string, params: unknown, signal: AbortSignal, take: (result: unknown) => T): Promise<T>;
  /** Held, an idle connection keeps the process alive and is checked by echoes. */
  hold(held: boolean): void;
  close(why: string): void;
}

export interface ConnectionEvents {
  readonly open: () => void;
  readonly notified: (method: string, params: unknown) => void;
  readonly closed: (error: PlumbError) => void;
}

interface Waiting {
  readonly take: (result: unknown) => void;
  readonly refuse: (error: Error) => void;
}
type Message = Readonly<Record<string, unknown>>;

/** The error of a server that cannot be reached or understood. */
export function unavailable(path: string, why: string): PlumbError {
  return new PlumbError(
    'OVS_UNAVAILABLE',
    `Open vSwitch does not answer at ${path}: ${why}. Is openvswitch-switch running?`,
    { socket: path },
  );
}

/** What a signal's end means: its deadline, or that the caller gave up. */
export function stopped(signal: AbortSignal, what: string): PlumbError {
  const expired = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
  return expired ? new PlumbError('TIMEOUT', `${what}: no answer in time`) : new PlumbError('CANCELLED', what);
}

/** `error` and `details` of a reply as words. */
export function words(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('error' in error)) return JSON.stringify(error);
  return 'details' in error ? `${String(error.error)}: ${String(error.details)}` : String(error.error);
}

/** Connects to a JSON-RPC peer (RFC 7047, 4) and answers its echoes. */
export function openConnection(options: ConnectionOptions, events: ConnectionEvents): Connection {
  const { socket: path, timeout, keepalive } = options;
  const socket = net.connect(path);
  const split = splitObjects();
  const waiting = new Map<number, Waiting>();
  let held = false;
  let lastId = 0;
  let why = 'the connection was closed';

  // An idle connection must not keep a one-shot command alive; one that is waited for must.
  const settle = (): void => {
    if (held || waiting.size > 0) socket.ref();
    else socket.unref();
  };
  const close = (reason: string): void => {
    why = reason;
    socket.destroy();
  };

  function call<T>(method: string, params: unknown, signal: AbortSignal, take: (result: unknown) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(stopped(signal, `${method} at ${path}`));
        return;
      }
      const id = (lastId += 1);
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', cancel);
        waiting.delete(id);
        settle();
      };
      const refuse = (error: Error): void => {
        end();
        reject(error);
      };
      const cancel = (): void => {
        refuse(stopped(signal, `${method} at ${path}`));
      };
      const timer = setTimeout(() => {
        refuse(new PlumbError('TIMEOUT', `${method} at ${path}: no reply in ${String(timeout)} ms`));
      }, timeout);
      const accept = (result: unknown): void => {
        end();
        resolve(take(result));
      };
      signal.addEventListener('abort', cancel, { once: true });
      waiting.set(id, { take: accept, refuse });
      settle();
      socket.write(JSON.stringify({ method, params, id }));
    });
  }

  function receive(message: Message): void {
    const { method, id, params, result, error } = message;
    if (method === 'echo') socket.write(JSON.stringify({ id, result: params, error: null }));
    else if (typeof method === 'string') events.notified(method, params);
    else if (typeof id === 'number') {
      if (error === null || error === undefined) waiting.get(id)?.take(result);
      else waiting.get(id)?.refuse(unavailable(path, words(error)));
    }
  }

  socket.once('connect', events.open);
  socket.on('error', (error) => (why = error.message));
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const text of split(chunk)) receive(JSON.parse(text) as Message);
    } catch (error) {
      close(`it cannot be understood (${error instanceof Error ? error.message : String(error)})`);
    }
  });
  socket.once('close', () => {
    const error = unavailable(path, why);
    for (const one of [...waiting.values()]) one.refuse(error);
    events.closed(error);
  });
  socket.setTimeout(keepalive, () => {
    if (!held) return;
    call('echo', [], AbortSignal.timeout(timeout), () => undefined).catch(() => {
      close('it does not answer an echo');
    });
  });

  return {
    call,
    close,
    hold(value) {
      held = value;
      settle();
    },
  };
}
