import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { exchange, queryString, Refusal } from './exchange.ts';
import type { Exchange, Query } from './exchange.ts';
import { chooseApi, fieldsOf, parseVersion, textOf } from './wire.ts';
import type { EngineVersion } from './wire.ts';

/** One HTTP request. `deadline` in milliseconds, until the reply (of a stream: its head). */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: object;
  readonly file?: Buffer;
  readonly stream?: true;
  readonly deadline?: number;
}

const DEADLINE = 30_000;
const NEGOTIATION = 5000;

/** The HTTP status in an error of a call; undefined when Docker did not answer at all. */
export function statusOf(error: unknown): number | undefined {
  const status = error instanceof PlumbError ? error.details['status'] : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** Waits for a callback-made value under a deadline and the caller's signal, without leaving listeners on that. */
async function bounded<T>(
  what: string,
  socketPath: string,
  outer: AbortSignal,
  deadline: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inner = new AbortController();
  let late = false;
  const stop = (): void => {
    inner.abort();
  };
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, deadline);
  // a pass makes many calls at a time under one signal
  setMaxListeners(0, outer);
  outer.addEventListener('abort', stop, { once: true });
  if (outer.aborted) stop();
  try {
    return await work(inner.signal);
  } catch (error) {
    throw toPlumbError(error, what, socketPath, late, deadline, outer);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', stop);
  }
}

function toPlumbError(
  error: unknown,
  what: string,
  socketPath: string,
  late: boolean,
  deadline: number,
  outer: AbortSignal,
): PlumbError {
  if (error instanceof PlumbError) return error;
  if (error instanceof Refusal)
    return new PlumbError('CONTAINER_FAILED', `Docker: ${error.message}`, { status: error.status, call: what }, error);
  const timedOut = late || (outer.aborted && fieldsOf(outer.reason)['name'] === 'TimeoutError');
  if (outer.aborted && !timedOut) return new PlumbError('CANCELLED', `${what} was given up`, {}, error);
  const why = timedOut
    ? `no answer to ${what}${late ? ` within ${String(deadline / 1000)} s` : ' in time'}`
    : textOf(fieldsOf(error)['message']);
  return new PlumbError(
    'DOCKER_UNAVAILABLE',
    `Docker on ${socketPath}: ${why}; check that dockerd runs ("docker version")`,
    { call: what },
    error,
  );
}

/** The HTTP calls of one daemon. */
export interface Transport {
  /** The reply's JSON; for a stream its IncomingMessage. Throws PlumbError. */
  call(request: Call, signal: AbortSignal): Promise<unknown>;
  version(signal: AbortSignal): Promise<EngineVersion>;
  close(): void;
}

/** The HTTP calls of the daemon behind a unix socket; the API version is negotiated at the first, and again after it was away. */
export function transport(socketPath: string): Transport {
  // free connections go after 4 s: dockerd may close them, and a restarted one has
  const kept = new Agent({ keepAlive: true, maxFreeSockets: 8, timeout: 4000 });
  const single = new Agent({ keepAlive: false });
  const never = new AbortController().signal;
  let negotiated: Promise<EngineVersion> | undefined;

  const negotiate = (): Promise<EngineVersion> => {
    const asked = bounded('GET /version', socketPath, never, NEGOTIATION, async (inner) =>
      parseVersion(await exchange({ socketPath, agent: kept, method: 'GET', path: '/version' }, inner)),
    );
    asked.catch(() => {
      if (negotiated === asked) negotiated = undefined;
    });
    return asked;
  };

  const engine = (inner: AbortSignal): Promise<EngineVersion> => untilAborted((negotiated ??= negotiate()), inner);

  const send = async (request: Call, inner: AbortSignal): Promise<unknown> => {
    const { method, path, query = {}, body, file } = request;
    const versioned = `/v${chooseApi(await engine(inner))}${path}${queryString(query)}`;
    const ask: Exchange = {
      socketPath,
      agent: request.stream ? single : kept,
      method,
      path: versioned,
      ...(body ? { body } : {}),
      ...(file ? { file } : {}),
      ...(request.stream ? { stream: true } : {}),
    };
    try {
      return await exchange(ask, inner);
    } catch (error) {
      // a kept connection may have been closed by the daemon: reading again is harmless
      if (method !== 'GET' || fieldsOf(error)['code'] !== 'ECONNRESET') throw error;
      return await exchange(ask, inner);
    }
  };

  return {
    call: async (request, signal) => {
      try {
        const what = `${request.method} ${request.path}`;
        return await bounded(what, socketPath, signal, request.deadline ?? DEADLINE, (inner) => send(request, inner));
      } catch (error) {
        if (error instanceof PlumbError && error.code === 'DOCKER_UNAVAILABLE') negotiated = undefined;
        throw error;
      }
    },
    version: (signal) => bounded('GET /version', socketPath, signal, DEADLINE, engine),
    close: () => {
      kept.destroy();
      single.destroy();
    },
  };
}

/** A value that others wait for as well; this caller leaves when its signal aborts. */
async function untilAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  let leave = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    leave = () => {
      reject(new Error('given up'));
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([value, aborted]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** A streamed reply, which the signal ends at any time. */
export async function stream(docker: Transport, request: Call, signal: AbortSignal): Promise<IncomingMessage> {
  const reply = (await docker.call({ ...request, stream: true }, signal)) as IncomingMessage;
  const stop = (): void => {
    reply.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  reply.once('close', () => {
    signal.removeEventListener('abort', stop);
  });
  if (signal.aborted) stop();
  return reply;
}

/** The lines of a streamed reply, whatever the chunks. Throws DOCKER_UNAVAILABLE when it breaks off. */
export async function* linesOf(reply: IncomingMessage): AsyncIterable<string> {
  reply.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of reply as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    if (rest !== '') yield rest;
  } catch (error) {
    throw new PlumbError('DOCKER_UNAVAILABLE', 'Docker broke off in the middle of a reply', {}, error);
  } finally {
    reply.destroy();
  }
}
