import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Stands between a client and dockerd: counts the calls, and can be away or silent. */
export interface DockerProxy {
  readonly socketPath: string;
  /** `GET /containers/json` and so on, without version, query and ids. */
  readonly calls: string[];
  /** `away` cuts all connections and takes none; `silent` takes requests and never answers. */
  mode(mode: 'open' | 'away' | 'silent'): Promise<void>;
  close(): Promise<void>;
}

function nameOfCall(incoming: IncomingMessage): string {
  const path = (incoming.url ?? '').replace(/\?.*/, '').replace(/^\/v[0-9.]+/, '');
  return `${incoming.method ?? ''} ${path.replace(/\/(containers|exec)\/(?!json$|create$)[^/]+/, '/$1/ID')}`;
}

/** A proxy on a socket of its own before dockerd's. */
export async function dockerProxy(dockerSocket = '/var/run/docker.sock'): Promise<DockerProxy> {
  const directory = await mkdtemp(join(tmpdir(), 'plumbline-proxy-'));
  const socketPath = join(directory, 'docker.sock');
  const calls: string[] = [];
  const open = new Set<Socket>();
  let silent = false;
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    calls.push(nameOfCall(incoming));
    if (silent) return;
    const { method, url: path, headers } = incoming;
    const onward = request({ socketPath: dockerSocket, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  };
  const make = () =>
    createServer(forward).on('connection', (socket: Socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    });
  const listen = async (): Promise<ReturnType<typeof make>> => {
    const fresh = make();
    await new Promise<void>((resolve) => fresh.listen(socketPath, resolve));
    return fresh;
  };
  let server: ReturnType<typeof make> | undefined = await listen();
  const shut = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (!closing) return;
    const closed = new Promise((resolve) => closing.close(resolve));
    for (const socket of open) socket.destroy();
    await closed;
  };
  return {
    socketPath,
    calls,
    mode: async (mode) => {
      silent = mode === 'silent';
      if (mode === 'away') await shut();
      else server ??= await listen();
    },
    close: async () => {
      await shut();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
