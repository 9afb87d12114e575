import { request, type Agent, type IncomingMessage } from 'node:http';
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

/** Statuses that are answers; all others are refusals. */
const ANSWERS: ReadonlySet<number | undefined> = new Set([200, 201, 204, 304]);

/**
 * The reply: parsed JSON (text where it is none), or the message itself for a stream. Throws Refusal, and what Node throws when there is no
 * reply. Nothing but Node's own client: one call costs it half of what docker-modem takes, which also prints all options of each for a debug log.
 */
export function exchange(ask: Exchange, signal: AbortSignal): Promise<unknown> {
  const { socketPath, agent, method, path, body, file } = ask;
  const content = file ?? (body && JSON.stringify(body));
  const headers =
    content === undefined
      ? {}
      : {
          'content-type': file ? 'application/x-tar' : 'application/json',
          'content-length': Buffer.byteLength(content),
        };
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, agent, method, path, headers });
    const stop = (): void => {
      asked.destroy(new Error('given up'));
    };
    const end = (): void => {
      signal.removeEventListener('abort', stop);
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    asked.on('error', fail);
    asked.once('response', (reply) => {
      if (ask.stream && ANSWERS.has(reply.statusCode)) {
        end();
        resolve(reply);
      } else
        read(reply, fail, (text) => {
          if (ANSWERS.has(reply.statusCode)) {
            end();
            resolve(parsed(text));
          } else fail(refusalOf(reply.statusCode ?? 0, text));
        });
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    else asked.end(content);
  });
}

/** Hears a reply to its end. */
function read(reply: IncomingMessage, fail: (error: Error) => void, whole: (text: string) => void): void {
  let text = '';
  reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  // one that breaks off, or is given up, in the middle
  reply.on('error', fail);
  reply.once('end', () => {
    whole(text);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What Docker said against it. */
function refusalOf(status: number, text: string): Refusal {
  return new Refusal(status, textOf(fieldsOf(parsed(text))['message']) || text.trim() || `HTTP ${String(status)}`);
}
