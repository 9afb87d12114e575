import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPlumbError, PlumbError } from '../../model/errors.ts';

/** The right to be the only one; it ends with the process, however that ends. */
export interface Lock {
  release(): Promise<void>;
}

/** Milliseconds that a holder has to say who it is. */
const ANSWER = 2000;

/** Linux has sockets without a file, which vanish with their process; elsewhere a file stands for it. */
function addressOf(key: string): string {
  const name = `plumbline-${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(server: Server, address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(asPlumbError(error, 'STORE_UNAVAILABLE', 'The lock cannot be taken'));
    });
    server.listen(address, () => {
      resolve(true);
    });
  });
}

/** What the holder says of itself; undefined when nobody is there, empty when it does not answer. */
function ask(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(address);
    socket.setEncoding('utf8').setTimeout(ANSWER, () => socket.destroy());
    socket.on('data', (text: string) => {
      said = (said + text).slice(0, 4096);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? undefined : said);
    });
    socket.on('close', () => {
      resolve(said);
    });
  });
}

/**
 * Takes the lock of a key on this host (on Linux: in this network namespace), held until release or the end of the process.
 * `about` is told to others who try. Throws STORE_LOCKED naming the holder.
 */
export async function lockHost(key: string, about: Readonly<Record<string, string>> = {}): Promise<Lock> {
  const address = addressOf(key);
  const said = JSON.stringify({ pid: process.pid, ...about });
  for (let attempt = 0; attempt < 3; attempt++) {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(said);
    });
    if (await listen(server, address)) {
      server.unref();
      return {
        release: () =>
          new Promise((resolve) => {
            server.close(() => {
              resolve();
            });
          }),
      };
    }
    const holder = await ask(address);
    if (holder !== undefined) throw lockedBy(holder, key);
    // it ended meanwhile; where a file stands for the socket, that outlived it
    if (!address.startsWith('\0')) await rm(address, { force: true });
  }
  throw lockedBy('', key);
}

function lockedBy(holder: string, key: string): PlumbError {
  let about: Readonly<Record<string, unknown>> = {};
  try {
    about = JSON.parse(holder) as Readonly<Record<string, unknown>>;
  } catch {
    // it hangs, or is no plumb
  }
  const { pid, ...rest } = about;
  const who = typeof pid === 'number' ? `plumb with process id ${String(pid)}` : 'another process that does not answer';
  const where = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  const words = [who, ...where].join(', ');
  return new PlumbError('STORE_LOCKED', `${words} works here already (${key}); stop it first`, { ...about, key });
}
