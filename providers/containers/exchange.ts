import type { Agent, IncomingMessage } from 'node:http';
import { request } from 'node:http';
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

/**
 * The reply: parsed JSON (text where it is none), or the message itself for a stream. Throws Refusal from status 400 on, and
 * what Node throws when there is no reply. Our own few lines, since docker-modem (under dockerode as well) prints all options of each request for a
 * debug log that nobody reads, which costs 11 ms of CPU a call (20 containers: 1.1 s against 0.1 s).
 */
export function exchange(ask: Exchange, signal: AbortSignal): Promise<unknown> {
  const { socketPath, agent, method, path } = ask;
  const payload = ask.file ?? (ask.body ? Buffer.from(JSON.stringify(ask.body)) : undefined);
  const type = ask.file ? 'application/x-tar' : 'application/json';
  const headers = {
    Host: 'docker',
    ...(payload ? { 'Content-Type': type, 'Content-Length': payload.length } : {}),
  };
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, agent, method, path, headers, signal }, (reply) => {
      if (ask.stream && (reply.statusCode ?? 500) < 400) resolve(reply);
      else collect(reply, resolve, reject);
    });
    asked.on('error', reject);
    asked.end(payload);
  });
}

function collect(reply: IncomingMessage, resolve: (value: unknown) => void, reject: (error: Error) => void): void {
  const chunks: Buffer[] = [];
  reply.on('data', (chunk: Buffer) => chunks.push(chunk));
  reply.on('error', reject);
  reply.on('end', () => {
    const text = Buffer.concat(chunks).toString('utf8');
    const value = parsed(text);
    const status = reply.statusCode ?? 500;
    if (status < 400) resolve(value);
    else reject(new Refusal(status, textOf(fieldsOf(value)['message']) || text.trim() || `HTTP ${String(status)}`));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
