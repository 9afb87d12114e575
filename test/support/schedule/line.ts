import { CONTROLLER_LEASE } from '../../../reconciler/loop/hearing.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import type { FleetStore, Mail, Mailbox } from '../../../reconciler/model/store.ts';
import type { Bell } from '../../../reconciler/store/bell.ts';
import { around } from './store.ts';
import type { Life } from '../mortal.ts';
import type { VirtualTime } from '../virtual-time.ts';

/** At what a process is stopped: just before it writes that. */
export type Moment = 'commit' | 'assign' | 'post' | 'acquire';

/** What goes wrong between a part and the store. */
export interface LineTrouble {
  /** Nothing gets through until then, milliseconds since 1970. */
  cutUntil: number;
  /** The next time it is about to do this it stands still for so long, and then does it. */
  stop: { readonly before: Moment; readonly ms: number } | undefined;
  /** The answers of so many calls get lost: they are done, and the part is told that the store does not answer. */
  lost: number;
  /** The next look at its Assignment shows the one before. */
  late: boolean;
}

export function noLineTrouble(): LineTrouble {
  return { cutUntil: 0, stop: undefined, lost: 0, late: false };
}

/** A call that writes, as it was made. */
export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly answer: unknown;
  /** Its process stood still between what it asked last and this. */
  readonly stale: boolean;
}

export interface LineOptions {
  readonly time: VirtualTime;
  readonly trouble: LineTrouble;
  /** 0 to 1: how long calls and answers take. */
  readonly random: () => number;
  /** Rings whenever anybody has written. */
  readonly bell: Bell;
  readonly life: Life;
  /** Told of each call by its method, whatever becomes of it. */
  readonly asked: (method: string) => void;
  /** Told of each write that was done, at the very time. */
  readonly wrote: (call: Call) => Promise<void>;
}

/** Longest way of a call or answer, and how long a call is tried that does not get through: milliseconds. */
const WAY = 30;
const PATIENCE = 12_000;
/** Part of the hints that get lost. */
const DEAF = 0.15;

const WRITES: ReadonlySet<string> = new Set([
  'commit',
  'assign',
  'assignAll',
  'report',
  'post',
  'append',
  'mirror',
  'acquire',
  'acquireAll',
  'release',
]);

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
const away = (): PlumbError => new PlumbError('STORE_UNAVAILABLE', 'the store does not answer');

/** A part's way to the store, which may be slow, cut, lossy, and end with the part. */
export function lineTo(store: FleetStore, options: LineOptions): FleetStore {
  const { time, trouble, random, bell, life, asked, wrote } = options;
  const { dead, died, step, process = {} } = life;
  let standsUntil = 0;
  /** It stood still and has not asked since whether it leads. */
  let stale = false;
  /** The last Assignment of each host that was seen, and the one before. */
  const seen = new Map<string, readonly [last: Assignment, before: Assignment | undefined]>();

  const stands = async (): Promise<void> => {
    while (time.now() < standsUntil) await time.sleep(standsUntil - time.now());
  };
  const way = async (): Promise<void> => {
    const ms = Math.floor((random() * 1.5 - 0.5) * WAY);
    if (ms > 0) await time.sleep(ms);
    await stands();
    step();
    if (dead()) await never();
  };
  const cut = (): boolean => time.now() < trouble.cutUntil;
  const fail = async (): Promise<never> => {
    await time.sleep(1_000 + Math.floor(random() * (PATIENCE - 1_000)));
    await stands();
    if (dead()) await never();
    throw away();
  };

  async function call(method: string, args: readonly unknown[], work: () => Promise<unknown>): Promise<unknown> {
    if (dead()) return never();
    asked(method);
    const stood = time.now() < standsUntil;
    if (trouble.stop && method.startsWith(trouble.stop.before)) {
      standsUntil = time.now() + trouble.stop.ms;
      time.halt(process, standsUntil);
      trouble.stop = undefined;
      stale = true;
    }
    await way();
    if (cut()) return fail();
    const writes = WRITES.has(method);
    const done = async (): Promise<() => unknown> => {
      try {
        const answer = await work();
        if (writes) await wrote({ method, args, answer, stale });
        return () => answer;
      } catch (error) {
        return () => {
          throw error;
        };
      }
    };
    const answer = await time.work(done());
    if (writes) bell.ring();
    if (dead()) return never();
    if (method === 'acquire' && args[0] === CONTROLLER_LEASE && !stood && time.now() >= standsUntil) stale = false;
    if ((writes && trouble.lost > 0 && (trouble.lost -= 1) >= 0) || cut()) return fail();
    await way();
    return answer();
  }

  async function* follow(signal: AbortSignal): AsyncGenerator<Mail> {
    let { mark } = await lined.mailbox.news();
    const until = AbortSignal.any([signal, died]);
    while (!until.aborted) {
      await bell.next(until);
      if (until.aborted) break;
      if (cut()) throw away();
      const news = await lined.mailbox.news(mark);
      ({ mark } = news);
      if (random() < DEAF) continue;
      yield* news.mails ?? [];
    }
    if (dead()) await never();
  }

  /** What the host was told before, where the store is late. */
  const assignment: Mailbox['assignment'] = async (host, known) => {
    const [last, before] = seen.get(host) ?? [];
    if (trouble.late && before) {
      trouble.late = false;
      return before;
    }
    const found = await lined.mailbox.assignment(host, known);
    if (found && found.generation !== last?.generation) seen.set(host, [found, last]);
    return found;
  };

  const lined = around(() => store, call);
  const onBack: FleetStore['onBack'] = (told) =>
    store.onBack(() => {
      if (!dead()) time.within(process, told);
    });
  return { ...lined, mailbox: { ...lined.mailbox, follow, assignment }, onBack, close: () => store.close() };
}
