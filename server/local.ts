import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { chmodSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectorySync } from '../disk/directory.ts';
import { asPlumbError, PlumbError } from '../reconciler/model/errors.ts';
import { isRef } from '../reconciler/model/ref.ts';
import type { EntryDraft, EntryQuery } from '../reconciler/model/journal.ts';
import { snapshotToJson, type LocalView } from '../reconciler/loop/status/view.ts';

type Route = (view: LocalView, url: URL, reply: ServerResponse, signal: AbortSignal) => Promise<void>;

const ENTRY_TYPES: readonly string[] = ['intent', 'outcome', 'event'] satisfies readonly EntryDraft['type'][];

function json(reply: ServerResponse, value: unknown): void {
  reply.writeHead(200, { 'content-type': 'application/json' });
  reply.end(JSON.stringify(value));
}

/** The entries that a query string asks for. */
function filterOf(query: URLSearchParams): EntryQuery {
  const last = Number(query.get('last') ?? '-1');
  const ref = query.get('ref') ?? '';
  const host = query.get('host') ?? '';
  const types = query.getAll('type').filter((type): type is EntryDraft['type'] => ENTRY_TYPES.includes(type));
  return {
    ...(Number.isSafeInteger(last) && last >= 0 ? { last } : {}),
    ...(isRef(ref) ? { ref } : {}),
    ...(host === '' ? {} : { host }),
    ...(types.length > 0 ? { types } : {}),
  };
}

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /v1/status': async (view, _url, reply) => {
    json(reply, await view.status());
  },
  'GET /v1/known': async (view, _url, reply) => {
    const { snapshot, ...rest } = await view.known();
    json(reply, { snapshot: snapshotToJson(snapshot), ...rest });
  },
  'GET /v1/reports': async (view, { searchParams }, reply) => {
    json(reply, await view.reports(searchParams.getAll('host')));
  },
  'GET /v1/journal': async (view, { searchParams }, reply, signal) => {
    reply.writeHead(200, { 'content-type': 'application/x-ndjson' });
    reply.flushHeaders();
    for await (const entry of view.journal(filterOf(searchParams), searchParams.get('follow') === '1', signal))
      if (!reply.write(`${JSON.stringify(entry)}\n`)) await drained(reply, signal);
    reply.end();
  },
  'POST /v1/settle': async (view, { searchParams }, reply, signal) => {
    json(reply, await view.settle(signal, searchParams.get('allow-deletions') === '1'));
  },
};

function drained(reply: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      reply.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    reply.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

async function answer(
  view: LocalView,
  request: IncomingMessage,
  reply: ServerResponse,
  stop: AbortSignal,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://local');
  const route = ROUTES[`${request.method ?? ''} ${url.pathname}`];
  const gone = new AbortController();
  reply.on('close', () => {
    gone.abort();
  });
  if (!route) {
    reply.writeHead(404).end(JSON.stringify({ code: 'USAGE', message: `no ${request.method ?? ''} ${url.pathname}` }));
    return;
  }
  try {
    await route(view, url, reply, AbortSignal.any([gone.signal, stop]));
  } catch (error) {
    const { code, message } = asPlumbError(error);
    if (!reply.headersSent) reply.writeHead(500, { 'content-type': 'application/json' });
    reply.end(JSON.stringify({ code, message }));
  }
}

/** Bytes of the path of a unix socket: 108 with the zero at its end on Linux (unix(7)), 104 elsewhere. */
const LONGEST = process.platform === 'linux' ? 107 : 103;

/**
 * Serves a view on a unix socket that only its owner may open: JSON, and NDJSON for the journal. A socket file left by a
 * dead process is replaced. Resolves when it listens; it closes when the signal aborts. Throws STORE_UNAVAILABLE.
 */
export async function serveLocal(path: string, view: LocalView, signal: AbortSignal): Promise<Server> {
  const server = createServer((request, reply) => {
    void answer(view, request, reply, signal);
  });
  try {
    // libuv makes a socket of a shorter name of it
    if (Buffer.byteLength(path) > LONGEST) throw new Error(`its path has ${String(Buffer.byteLength(path))} bytes`);
    makeDirectorySync(dirname(path), 0o755);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
  } catch (error) {
    const { message } = error as Error;
    const next = `give --socket a path of at most ${String(LONGEST)} bytes where one can be made`;
    throw new PlumbError('STORE_UNAVAILABLE', `nothing can listen at ${path}: ${message}; ${next}`, { path }, error);
  }
  signal.addEventListener(
    'abort',
    () => {
      server.close();
      server.closeAllConnections();
      rmSync(path, { force: true });
    },
    { once: true },
  );
  return server;
}
