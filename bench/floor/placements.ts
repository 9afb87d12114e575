import { once } from 'node:events';
import { connect } from 'node:net';
import type { ScriptCall } from '../../reconciler/store/redis/calls.ts';

/** Commits on their way: enough that Redis never waits for the next one. */
const AT_ONCE = 64;

/** An EVALSHA in the protocol of Redis (RESP 2). */
function encoded({ script, keys, args }: ScriptCall): Buffer {
  const words = ['evalsha', script.sha, String(keys.length), ...keys, ...args.map(String)];
  const bulks = words.map((word) => `$${String(Buffer.byteLength(word))}\r\n${word}\r\n`);
  return Buffer.from(`*${String(words.length)}\r\n${bulks.join('')}`);
}

/** Counts whole replies, each a bulk string, in what comes in pieces. Throws at any other reply. */
function replyCounter(): (piece: Buffer) => number {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let count = 0;
    for (let line = rest.indexOf('\r\n'); line >= 0; line = rest.indexOf('\r\n')) {
      const head = rest.toString('latin1', 0, line);
      if (!head.startsWith('$')) throw new Error(`the floor got ${head}`);
      const end = line + 2 + Number(head.slice(1)) + 2;
      if (rest.length < end) break;
      rest = rest.subarray(end);
      count += 1;
    }
    return count;
  };
}

/** The yardstick of `placements`: sends commits, encoded beforehand, over a bare socket as fast as Redis takes them. Gives milliseconds. */
export async function sendCommits(port: number, commits: readonly ScriptCall[]): Promise<number> {
  const buffers = commits.map(encoded);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true);
  const count = replyCounter();
  let sent = 0;
  let done = 0;
  const send = (): void => {
    for (; sent < buffers.length && sent - done < AT_ONCE; sent += 1) socket.write(buffers[sent] ?? '');
  };
  const began = performance.now();
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject).on('data', (piece: Buffer) => {
      try {
        done += count(piece);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      if (done === buffers.length) resolve();
      else send();
    });
    send();
  });
  const ms = performance.now() - began;
  socket.destroy();
  return ms;
}
