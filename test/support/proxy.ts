import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A way to a TCP server on the loopback that can go bad. */
export interface Proxy {
  readonly port: number;
  /** Whether a request has been swallowed since. */
  readonly swallowed: number;
  /** How many connections clients have reset. */
  readonly resets: number;
  /** From the next request that contains the text on, a connection gives no more replies. The server has got the request. */
  swallowReplyTo(text: string): void;
  /** From the next request that contains the text on nothing is passed on, of no connection, although its client may end. */
  holdFrom(text: string): void;
  /** Whether something is held. */
  readonly holding: boolean;
  /** Passes on what was held, in order, and resolves when the server has answered the first of it. */
  letGo(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a proxy before a port. */
export async function openProxy(to: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let mark: string | undefined;
  let swallowed = 0;
  let resets = 0;
  let holdMark: string | undefined;
  let held: { readonly upstream: Socket; readonly bytes: Buffer }[] = [];
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    let silent = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') resets++;
    });
    upstream.on('close', () => client.destroy());
    client.on('close', () => {
      if (held.every((one) => one.upstream !== upstream)) upstream.destroy();
    });
    client.on('data', (bytes) => {
      if (mark !== undefined && bytes.includes(mark)) {
        mark = undefined;
        silent = true;
        swallowed++;
      }
      if (held.length > 0 || (holdMark !== undefined && bytes.includes(holdMark))) {
        holdMark = undefined;
        held.push({ upstream, bytes });
      } else {
        upstream.write(bytes);
      }
    });
    upstream.on('data', (bytes) => silent || client.destroyed || client.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get swallowed() {
      return swallowed;
    },
    get resets() {
      return resets;
    },
    swallowReplyTo: (text) => {
      mark = text;
    },
    holdFrom: (text) => {
      holdMark = text;
    },
    get holding() {
      return held.length > 0;
    },
    letGo: async () => {
      const [first] = held;
      const answered = first && once(first.upstream, 'data');
      for (const { upstream, bytes } of held) upstream.write(bytes);
      held = [];
      await answered;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
