import { PlumbError } from '../../model/errors.ts';
import { createBell } from '../bell.ts';
import type { Bell } from '../bell.ts';
import type { Client } from './connect.ts';
import { meaningOf, storeError } from './failures.ts';

/** What one follower listens to. */
export interface Ear {
  /** Resolves when there may be something new, or the signal aborts. */
  next(signal: AbortSignal): Promise<void>;
  /** Throws STORE_REFUSED when this user may not listen, and STORE_UNAVAILABLE when the store was closed: nothing is heard any more. */
  check(): void;
}

/**
 * Channels, heard over one connection that is made when first needed. Messages are hints: what is new is read from the
 * keys, also after each reconnect and now and then, so that a lost message is only late.
 */
export interface Ears {
  on(channel: string): Ear;
  close(): void;
}

/** Milliseconds after which followers look by themselves. */
const LOOK = 5000;

interface Heard {
  readonly bell: Bell;
  subscribed: boolean;
  refused: unknown;
}

/** Ears over a client of their own. */
export function createEars(open: () => Client, shown: string): Ears {
  const channels = new Map<string, Heard>();
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function subscribe(channel: string, heard: Heard): void {
    if (heard.subscribed || client?.status !== 'ready') return;
    heard.subscribed = true;
    client
      .subscribe(channel)
      .catch((error: unknown) => {
        heard.subscribed = false;
        if (meaningOf(error) === 'refused') heard.refused = error;
      })
      .finally(() => heard.bell.ring());
  }

  function start(): Client {
    const made = open();
    made.on('message', (channel: string) => channels.get(channel)?.bell.ring());
    made.on('error', () => undefined); // what cannot be heard is looked at
    made.on('ready', () => {
      for (const [channel, heard] of channels) {
        heard.subscribed = false;
        subscribe(channel, heard);
      }
    });
    // never all processes at once
    timer = setInterval(look, LOOK * (0.75 + Math.random() / 2)).unref();
    return made;
  }

  function look(): void {
    for (const [channel, heard] of channels) {
      subscribe(channel, heard);
      heard.bell.ring();
    }
  }

  return {
    on: (channel) => {
      client ??= start();
      const heard = channels.get(channel) ?? { bell: createBell(), subscribed: false, refused: undefined };
      channels.set(channel, heard);
      subscribe(channel, heard);
      // one wait at a time, however often a follower begins to wait and then finds something
      let rung: Promise<void> | undefined;
      return {
        next: (signal) =>
          (rung ??= heard.bell.next(signal).finally(() => {
            rung = undefined;
          })),
        check: () => {
          if (closed) throw new PlumbError('STORE_UNAVAILABLE', `Redis at ${shown} was closed`, { store: shown });
          if (heard.refused !== undefined) throw storeError(heard.refused, shown);
        },
      };
    },
    close: () => {
      closed = true;
      clearInterval(timer);
      client?.disconnect();
      // who waits would wait for ever
      for (const { bell } of channels.values()) bell.ring();
    },
  };
}
