import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlumbError } from '../../model/errors.ts';
import { leave, lookAround, pause } from './connect.ts';
import type { Client } from './connect.ts';
import { emptied, meaningOf, storeError } from './failures.ts';
import { createGate } from './gate.ts';
import type { Script } from './scripts.ts';

/** How long a call may take, in milliseconds. */
export interface Patience {
  /** Without a reply after it, a try is of unknown outcome: its connection is given up. */
  readonly attempt: number;
  /** After it, no other try is made. */
  readonly total: number;
}

/**
 * Calls on their way: more would wait for each other behind one connection and be taken for lost. One that waits for
 * replicas keeps the server from reading on, and goes alone.
 */
const AT_ONCE = 64;

type Word = string | number;

/** A script with its keys and arguments. */
export interface ScriptCall {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly Word[];
}

/** A command, or a script. Each must be one that may be repeated. */
export type Command = readonly Word[] | ScriptCall;

export interface Calls {
  /**
   * Sends commands in one go, in order, and gives their replies. Tried again as a whole, with pauses that grow, after
   * whatever leaves the outcome open or may soon be over. Throws STORE_EMPTIED, STORE_REFUSED, STORE_UNAVAILABLE, DISK_FULL.
   */
  ask(...commands: readonly Command[]): Promise<readonly unknown[]>;
  /** The same; done once as many replicas have it as the URL wants. */
  write(...commands: readonly Command[]): Promise<readonly unknown[]>;
  /** Ends what waits for another try, and refuses more. */
  close(): void;
}

export interface CallOptions {
  readonly shown: string;
  readonly acks: number;
  readonly patience: Patience;
  /** Key and expected value of the incarnation, looked at behind every call; undefined while it is not known. */
  readonly incarnation?: readonly [key: string, expected: string];
}

function wordsOf(command: Command, full: boolean): Word[] {
  if (!('script' in command)) return [...command];
  const { script, keys, args } = command;
  return [full ? 'eval' : 'evalsha', full ? script.text : script.sha, keys.length, ...keys, ...args];
}

class TooLate extends Error {}
class TooFew extends Error {}
/** There was no time left for a try. */
class NoTry extends Error {}

/** Rejects with TooLate after some milliseconds, whatever becomes of the promise then. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooLate(`no reply within ${String(ms)} ms: timed out`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when there is a connection; rejects when there will be none, or only one for somebody else. */
function ready(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      if (error && meaningOf(error) !== 'refused') return;
      client.off('ready', settle).off('end', settle).off('error', settle);
      if (client.status === 'ready') resolve();
      else reject(error ?? new Error('Connection is closed.'));
    };
    client.on('ready', settle).on('end', settle).on('error', settle);
  });
}

async function exchange(client: Client, commands: Word[][]): Promise<readonly unknown[]> {
  const results = (await client.pipeline(commands).exec()) ?? [];
  const wrong = results.find(([error]) => error !== null);
  if (wrong?.[0]) throw wrong[0];
  return results.map(([, reply]) => reply);
}

/** Calls over a client. */
export function createCalls(client: Client, { shown, acks, patience, incarnation }: CallOptions): Calls {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const gate = createGate(acks > 0 ? 1 : AT_ONCE);
  /** A hanging connection was given up, and there is no other yet. */
  let leaving = false;
  let connecting: Promise<void> | undefined;
  let trouble: Error | undefined;
  client.on('error', (error: Error) => {
    trouble = error;
  });
  client.on('ready', () => {
    trouble = undefined;
    leaving = false;
  });

  /** One wait for all calls. */
  function connected(): Promise<void> {
    connecting ??= ready(client).finally(() => {
      connecting = undefined;
    });
    return connecting;
  }

  /** One try. Not a tick passes before the commands are on their way, if there is a connection. */
  async function attempt(
    commands: readonly Command[],
    full: boolean,
    copies: number,
    end: number,
  ): Promise<readonly unknown[]> {
    const words = commands.map((command) => wordsOf(command, full));
    if (incarnation) words.push(['get', incarnation[0]]);
    if (copies > 0) words.push(['wait', copies, Math.ceil(patience.attempt / 2)]);
    if (client.status !== 'ready') await within(patience.attempt, connected());
    const replies = await gate(() => {
      if (performance.now() > end) throw new NoTry('too many calls were before it: timed out');
      return within(patience.attempt, exchange(client, words));
    });
    if (incarnation && replies[commands.length] !== incarnation[1]) throw emptied(shown);
    const got = copies > 0 ? Number(replies.at(-1)) : 0;
    if (got < copies) throw new TooFew(`only ${String(got)} of ${String(copies)} replicas have it`);
    return replies.slice(0, commands.length);
  }

  function giveUp(): void {
    if (leaving || client.status !== 'ready') return;
    leaving = true;
    leave(client);
  }

  /** What a failed try means; a refusal by the way to the server counts for the call that found no way. */
  function judge(error: unknown): { readonly error: unknown; readonly again: boolean; readonly full: boolean } {
    if (error instanceof PlumbError) return { error, again: false, full: false };
    if (error instanceof TooFew) return { error, again: true, full: false };
    const meaning = meaningOf(error);
    if (meaning !== 'again') return { error, again: meaning === 'no-script', full: meaning === 'no-script' };
    return { error: trouble ?? error, again: trouble === undefined || meaningOf(trouble) === 'again', full: false };
  }

  async function call(commands: readonly Command[], copies: number): Promise<readonly unknown[]> {
    const end = performance.now() + patience.total;
    let full = false;
    let before: unknown;
    for (let tries = 0; ; tries++) {
      if (stop.signal.aborted) throw new PlumbError('STORE_UNAVAILABLE', 'The store is closed');
      try {
        return await attempt(commands, full, copies, end);
      } catch (thrown) {
        // a pause may take longer than it was to: then what the last try said is why
        const { error, again, full: next } = judge(thrown instanceof NoTry ? (before ?? thrown) : thrown);
        before = error;
        if (thrown instanceof TooLate) giveUp();
        else if (thrown instanceof Error) lookAround(client, thrown);
        const rest = next && !full ? 0 : pause(tries, 1000);
        full = next;
        if (!again || performance.now() + rest > end) throw storeError(error, shown);
        await sleep(rest, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
  }

  return {
    ask: (...commands) => call(commands, 0),
    write: (...commands) => call(commands, acks),
    close: () => stop.abort(),
  };
}
