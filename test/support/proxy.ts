import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A way to a TCP server on the loopback that can go bad. */
export interface Proxy {
  readonly port: number;
  /** Whether a request has been swallowed since. */
  readonly swallowed: number;
  /** From the next request that contains the text on, a connection gives no more replies. The server has got the request. */
  swallowReplyTo(text: string): void;
  close(): Promise<void>;
}

/** Opens a proxy before a port. */
export async function openProxy(to: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let mark: string | undefined;
  let swallowed = 0;
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    let silent = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => [client, upstream].forEach((one) => one.destroy()));
    }
    client.on('data', (bytes) => {
      if (mark !== undefined && bytes.includes(mark)) {
        mark = undefined;
        silent = true;
        swallowed++;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => silent || client.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get swallowed() {
      return swallowed;
    },
    swallowReplyTo: (text) => {
      mark = text;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
