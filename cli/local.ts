import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { asPlumbError, PlumbError, ERRORS, type ErrorCode } from '../reconciler/model/errors.ts';
import type { Entry, EntryQuery } from '../reconciler/model/journal.ts';
import type { Status } from '../reconciler/loop/status/status.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { snapshotFromJson, type Known, type LocalView, type SnapshotJson } from '../reconciler/loop/status/view.ts';

function call(socketPath: string, method: string, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, signal }, resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      reject(noAnswer(socketPath, error));
    });
    outgoing.end();
  });
}

/** Errors of a socket that nobody listens to, or that is none. */
const SILENT: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTSOCK',
  'EPROTOTYPE',
]);

function noAnswer(socketPath: string, error: NodeJS.ErrnoException): Error {
  const { code = '' } = error;
  if (SILENT.has(code))
    return new PlumbError(
      'NOT_RUNNING',
      `no plumb up answers at ${socketPath}; start one (or a controller or agent), ask a fleet with --store, or see what is there with plumb plan`,
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new PlumbError(
      'STORE_UNAVAILABLE',
      `${socketPath} is another user's, who alone may ask it: run this as that user (as with sudo), or name a state directory of your own`,
      { path: socketPath },
      error,
    );
  return error;
}

async function textOf(reply: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of reply.setEncoding('utf8')) text += String(chunk);
  return text;
}

async function jsonOf(reply: IncomingMessage): Promise<unknown> {
  const body: unknown = JSON.parse(await textOf(reply));
  if (reply.statusCode === 200) return body;
  const { code, message } = body as { readonly code?: string; readonly message?: string };
  throw new PlumbError(
    code !== undefined && code in ERRORS ? (code as ErrorCode) : 'INTERNAL',
    message ?? 'plumb up gave no reason',
  );
}

/** The view of a running `up`, through its socket. Throws NOT_RUNNING when none answers. */
export function remoteView(socketPath: string): LocalView {
  const get = async (path: string, signal = AbortSignal.timeout(30_000), method = 'GET'): Promise<unknown> =>
    jsonOf(await call(socketPath, method, path, signal));
  return {
    status: async () => (await get('/v1/status')) as Status,
    known: async (): Promise<Known> => {
      const body = (await get('/v1/known')) as Omit<Known, 'snapshot'> & { readonly snapshot: SnapshotJson };
      return { ...body, snapshot: snapshotFromJson(body.snapshot) };
    },
    reports: async (hosts) => {
      const query = new URLSearchParams(hosts.map((host): [string, string] => ['host', host]));
      return (await get(`/v1/reports?${query.toString()}`)) as readonly Report[];
    },
    async *journal(filter: EntryQuery, follow: boolean, signal: AbortSignal) {
      const query = new URLSearchParams();
      if (filter.last !== undefined) query.set('last', String(filter.last));
      if (filter.host !== undefined) query.set('host', filter.host);
      if (filter.ref !== undefined) query.set('ref', filter.ref);
      for (const type of filter.types ?? []) query.append('type', type);
      if (follow) query.set('follow', '1');
      const reply = await call(socketPath, 'GET', `/v1/journal?${query.toString()}`, signal);
      if (reply.statusCode !== 200) await jsonOf(reply);
      try {
        for await (const line of createInterface({ input: reply })) yield JSON.parse(line) as Entry;
      } catch (error) {
        if (signal.aborted) return;
        const { message } = asPlumbError(error);
        throw new PlumbError('NOT_RUNNING', `who answered at ${socketPath} went away (${message})`, {}, error);
      }
    },
    settle: async (signal, allowDeletions = false) =>
      (await get(`/v1/settle${allowDeletions ? '?allow-deletions=1' : ''}`, signal, 'POST')) as Status,
  };
}
