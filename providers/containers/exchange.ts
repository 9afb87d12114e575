import type { Agent } from 'node:http';
import Module, { createRequire } from 'node:module';
import { inspect } from 'node:util';
import type { DockerOptions } from 'dockerode';
import { fieldsOf, textOf } from './wire.ts';

/** One HTTP request to dockerd, its path complete. */
export interface Exchange {
  readonly socketPath: string;
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Sent as a tar instead. */
  readonly file?: Buffer;
  readonly stream?: true;
}

/** Docker answered, but not with what was asked for. `message` holds its words. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

export type Query = Readonly<
  Record<string, string | number | readonly string[] | Readonly<Record<string, readonly string[]>>>
>;

/** Query parameters as Docker takes them: objects as JSON, lists as repeated names. */
export function queryString(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value as readonly string[]) search.append(name, one);
    else search.append(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}

/** The part of dockerode that carries requests. Its methods for each call put bodies into the query string and hide parts of replies. */
interface Modem {
  dial(options: object, done: (error: unknown, result: unknown) => void): void;
}

/**
 * Loaded from where dockerode has it: the whole, with gRPC for sessions of BuildKit, takes twice as long to load. So does the modem with
 * its way to a Docker by ssh, which is never taken here: what stands in its place refuses.
 */
function loadModem(): new (options: ModemOptions) => Modem {
  const dockerode = createRequire(createRequire(import.meta.url).resolve('dockerode'));
  const modem = createRequire(dockerode.resolve('docker-modem'));
  const ssh = modem.resolve('./ssh');
  const stub = new Module(ssh);
  stub.loaded = true;
  stub.exports = () => {
    throw new TypeError('Docker is spoken to by its unix socket');
  };
  modem.cache[ssh] ??= stub;
  return dockerode('docker-modem') as new (options: ModemOptions) => Modem;
}

type ModemOptions = Pick<DockerOptions, 'socketPath'> & { readonly agent: Agent };
const Modem = loadModem();

/** Statuses that are answers; all others are refusals. */
const ANSWERS = { 200: true, 201: true, 204: true, 304: true } as const;

/**
 * Shortens what a debug log would print of it. docker-modem prints all options of each request, whether somebody reads that or
 * not; of an agent with its sockets that took 11 ms of CPU a call (20 containers: 1.1 s against 0.1 s).
 */
function terse<T extends object>(value: T): T {
  return Object.defineProperty(value, inspect.custom, { value: () => value.constructor.name, configurable: true });
}

/** The reply: parsed JSON (text where it is none), or the message itself for a stream. Throws Refusal, and what Node throws when there is no reply. */
export function exchange(ask: Exchange, signal: AbortSignal): Promise<unknown> {
  const { socketPath, agent, method, path, body, file, stream } = ask;
  const modem = new Modem({ socketPath, agent: terse(agent) });
  const [base = '', query = ''] = path.split('?');
  const post = {
    path: `${base}?`,
    options: { _query: Object.fromEntries(new URLSearchParams(query)), _body: body ?? {} },
  };
  const rest = { method, statusCodes: ANSWERS, abortSignal: terse(signal), ...(stream ? { isStream: true } : {}) };
  const options = method === 'POST' ? { ...rest, ...post, ...(file ? { file } : {}) } : { ...rest, path: `${path}?` };
  return new Promise((resolve, reject) => {
    modem.dial(options, (error, result) => {
      if (error) reject(refusalOf(error) ?? (error as Error));
      else resolve(Buffer.isBuffer(result) ? result.toString('utf8') : result);
    });
  });
}

/** What Docker said against it, if it was Docker that did. Of a refused stream docker-modem keeps the words only in its message. */
function refusalOf(error: unknown): Refusal | undefined {
  const { statusCode, json, message } = fieldsOf(error);
  if (typeof statusCode !== 'number') return undefined;
  const words = Buffer.isBuffer(json) ? json.toString('utf8') : textOf(json);
  const told = textOf(message).replace(/^\(HTTP code \d+\) .*? - /, '');
  return new Refusal(
    statusCode,
    textOf(fieldsOf(json)['message']) || words.trim() || told.trim() || `HTTP ${String(statusCode)}`,
  );
}
