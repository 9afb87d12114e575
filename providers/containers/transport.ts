import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import type { IncomingMessage } from 'node:http';
import Docker from 'dockerode';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { chooseApi, fieldsOf, parseVersion, textOf } from './wire.ts';
import type { EngineVersion } from './wire.ts';

/** One HTTP request. `deadline` in milliseconds, until the reply (of a stream: its head). */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: object;
  readonly body?: object;
  readonly file?: Buffer;
  readonly stream?: true;
  readonly deadline?: number;
}

const DEADLINE = 30_000;

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
  const { statusCode, json, message } = fieldsOf(error);
  if (typeof statusCode === 'number') {
    const words = textOf(fieldsOf(json)['message']) || textOf(message).trim();
    return new PlumbError('CONTAINER_FAILED', `Docker: ${words}`, { status: statusCode, call: what }, error);
  }
  const timedOut = late || (outer.aborted && fieldsOf(outer.reason)['name'] === 'TimeoutError');
  if (outer.aborted && !timedOut) return new PlumbError('CANCELLED', `${what} was given up`, {}, error);
  const why = timedOut
    ? `no answer to ${what}${late ? ` within ${String(deadline / 1000)} s` : ' in time'}`
    : textOf(message);
  return new PlumbError(
    'DOCKER_UNAVAILABLE',
    `Docker on ${socketPath}: ${why}; check that dockerd runs ("docker version")`,
    { call: what },
    error,
  );
}

const STATUS_OK = { 200: true, 201: true, 204: true, 304: true } as const;

/** The part of dockerode that carries requests: its own methods put bodies into the query string and hide parts of replies. */
interface DockerModem {
  dial(options: object, done: (error: unknown, result: unknown) => void): void;
}

function modemOf(options: object): DockerModem {
  const { modem } = new Docker(options) as { readonly modem: DockerModem };
  return modem;
}

interface Negotiated {
  readonly short: DockerModem;
  /** For streams: connections that are neither kept nor shared. */
  readonly long: DockerModem;
  readonly version: EngineVersion;
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
  const agent = new Agent({ keepAlive: true, maxSockets: 32, timeout: 4000 });
  const streams = new Agent({ keepAlive: false });
  let negotiated: Promise<Negotiated> | undefined;

  const dial = (modem: DockerModem, request: Call, signal: AbortSignal): Promise<unknown> =>
    new Promise((resolve, reject) => {
      modem.dial(
        {
          path: `${request.path}?`,
          method: request.method,
          // _body keeps the body out of the query string; an empty one is not sent
          options: { _query: request.query ?? {}, _body: request.body ?? {} },
          ...(request.file ? { file: request.file } : {}),
          ...(request.stream ? { isStream: true } : {}),
          statusCodes: STATUS_OK,
          abortSignal: signal,
        },
        (error, result) => {
          if (error) reject(error as Error);
          else resolve(result);
        },
      );
    });

  const negotiate = async (signal: AbortSignal): Promise<Negotiated> => {
    const version = parseVersion(
      await dial(modemOf({ socketPath, agent }), { method: 'GET', path: '/version' }, signal),
    );
    const spoken = { socketPath, version: `v${chooseApi(version)}` };
    return { short: modemOf({ ...spoken, agent }), long: modemOf({ ...spoken, agent: streams }), version };
  };

  const engine = async (signal: AbortSignal): Promise<Negotiated> => {
    negotiated ??= bounded('GET /version', socketPath, signal, DEADLINE, negotiate);
    const mine = negotiated;
    try {
      return await mine;
    } catch (error) {
      if (negotiated === mine) negotiated = undefined;
      throw error;
    }
  };

  const call = async (request: Call, signal: AbortSignal): Promise<unknown> => {
    const { short, long } = await engine(signal);
    const modem = request.stream ? long : short;
    try {
      return await bounded(
        `${request.method} ${request.path}`,
        socketPath,
        signal,
        request.deadline ?? DEADLINE,
        async (inner) => {
          try {
            return await dial(modem, request, inner);
          } catch (error) {
            // a kept connection may have been closed by the daemon: reading again is harmless
            if (request.method !== 'GET' || fieldsOf(error)['code'] !== 'ECONNRESET') throw error;
            return await dial(modem, request, inner);
          }
        },
      );
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'DOCKER_UNAVAILABLE') negotiated = undefined;
      throw error;
    }
  };

  return {
    call,
    version: async (signal: AbortSignal) => (await engine(signal)).version,
    close: () => {
      agent.destroy();
      streams.destroy();
    },
  };
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
