import { asPlumbError, PlumbError, type ErrorCode } from '../../model/errors.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { Leases, Mailbox } from '../../model/store.ts';
import { isOver } from '../../store/bell.ts';
import type { Log } from '../log.ts';
import { createDoorbell } from '../doorbell.ts';
import { HEARTBEAT, HOST_LEASE, HOST_TTL } from '../hearing.ts';
import { aborted, pause } from '../pause.ts';

export interface MembershipOptions {
  readonly host: string;
  /** Who speaks for the host; the same after a restart. */
  readonly holder: string;
  /** The store of the fleet. */
  readonly far: { readonly mailbox: Mailbox; readonly leases: Leases };
  /** What this machine keeps: its last Assignment and Report. */
  readonly near: Mailbox;
  readonly clock: () => number;
  readonly random: () => number;
  readonly log: Log;
}

/** A host's part in a fleet: heartbeat, Assignments in, Reports out. */
export interface Membership {
  /** What the agent works with: it answers from this machine, whether or not the fleet's store does. */
  readonly mailbox: Mailbox;
  /** Sends the last Report again: the store may have lost it. */
  resend(): void;
  /** Since when and why the store does not take part, or that it has yet to answer, for people; undefined while it takes part. */
  trouble(): string | undefined;
  /** Works until the signal aborts, through every outage of the store. Throws STORE_LOCKED when another agent speaks for the host. */
  run(signal: AbortSignal): Promise<void>;
}

/** Assignments are asked for this often even if no news of them came, milliseconds. */
export const POLL = 10_000;
/** Pauses after failures: the first, doubling up to the longest; each is taken with jitter, so that a fleet does not come back as one. */
export const FIRST_PAUSE = 500;
export const LONGEST_PAUSE = 30_000;
/** Of heartbeats: a host must be heard of before a store that is back takes it for lost. */
export const LONGEST_SILENCE: number = HOST_TTL;

/** What it means when the store does not take part, for people. */
const TROUBLE: Partial<Record<ErrorCode, string>> = {
  STORE_REFUSED: 'refuses this agent',
  PROTOCOL_MISMATCH: 'speaks another language',
};

/** Something that is done again and again; it says when it was answered. */
type Work = (signal: AbortSignal, well: () => void) => Promise<void>;

export function createMembership(options: MembershipOptions): Membership {
  const { host, holder, far, near, clock, random, log } = options;
  const toSend = createDoorbell();
  const toFetch = createDoorbell();
  let unsent: Report | undefined;
  let last: Report | undefined;
  /** What this host was told and the store does not know. */
  let kept: Assignment | undefined;
  let compared = false;
  /** There is word of another Assignment. */
  let news = true;
  /** Resolves when this agent speaks for the host: until then it tells the fleet nothing, and hears nothing of it. */
  let speak = (): void => undefined;
  const speaks = new Promise<void>((resolve) => {
    speak = resolve;
  });

  /** What does not work now: each outage is told once, and once its end. */
  const away = new Set<string>();
  let outage: { readonly since: number; readonly why: string } | undefined;
  /** The store has answered since this process began. */
  let answered = false;
  /** Aborts when the store answers again. */
  let back = new AbortController();

  function tellAway(what: string, error: unknown): void {
    const { code, message } = asPlumbError(error);
    const does = TROUBLE[code] ?? 'does not answer';
    if (away.size === 0) log.warn({ code }, `the fleet's store ${does}, what runs goes on: ${message}`);
    else log.debug({ code, what }, message);
    outage = { since: outage?.since ?? clock(), why: `${does}: ${message}` };
    away.add(what);
  }

  /** The first that works again ends the outage for all: nothing else waits any longer. */
  function tellWell(what: string): void {
    if (!away.has(what)) return;
    away.clear();
    outage = undefined;
    back.abort();
    back = new AbortController();
    log.info({}, "the fleet's store answers again");
  }

  /** Does something again and again until the signal aborts, and then waits for nothing; after a failure with growing pauses. */
  async function always(
    what: string,
    signal: AbortSignal,
    work: Work,
    [first, longest]: readonly [number, number] = [FIRST_PAUSE, LONGEST_PAUSE],
  ): Promise<void> {
    const over = aborted(signal);
    let wait = first;
    const well = (): void => {
      answered = true;
      tellWell(what);
      wait = first;
    };
    while (!signal.aborted)
      try {
        await Promise.race([work(signal, well), over]);
      } catch (error) {
        if (error instanceof PlumbError && error.code === 'STORE_LOCKED') throw error;
        if (isOver(signal)) return;
        tellAway(what, error);
        const answers = back.signal;
        await pause(wait * (0.5 + random()), AbortSignal.any([signal, answers]));
        wait = answers.aborted ? first : Math.min(wait * 2, longest);
      }
  }

  async function beat(signal: AbortSignal, well: () => void): Promise<void> {
    const lease = await far.leases.acquire(`${HOST_LEASE}${host}`, holder, HOST_TTL);
    if (!lease) {
      const other = (await far.leases.get(`${HOST_LEASE}${host}`))?.holder ?? 'another';
      throw new PlumbError(
        'STORE_LOCKED',
        `the agent ${other} speaks for host ${host} already; stop it, or start this one with another --host`,
        { host, holder: other },
      );
    }
    speak();
    well();
    // the hosts of a fleet that were cut off at one moment fall out of step again
    await pause(HEARTBEAT * (0.9 + 0.2 * random()), signal);
  }

  async function fetch(signal: AbortSignal, well: () => void): Promise<void> {
    await speaks;
    // who only looks again is mostly told nothing new: then a number is read, and not all that the host runs
    const known = news || kept ? undefined : (await near.assignment(host))?.generation;
    const assignment = await far.mailbox.assignment(host, known);
    well();
    if (assignment && !(await near.assign(assignment))) await leave(assignment);
    if (kept && assignment) resend();
    news = await toFetch.wait(POLL * (0.9 + 0.2 * random()), signal);
  }

  /**
   * One that is not taken: an older one than that in hand, or another under the same number. A store that lost the first when it failed
   * over gave that number twice; the host says the next one, and the leader counts on from there.
   */
  async function leave({ generation }: Assignment): Promise<void> {
    const own = await near.assignment(host);
    if (own?.generation !== generation) {
      log.warn({ generation }, 'an Assignment older than the one in hand was left');
      return;
    }
    await near.assign({ ...own, generation: generation + 1 });
    log.warn(
      { generation },
      'another Assignment under the number of the one in hand was left, and a later one is asked for',
    );
  }

  async function hear(signal: AbortSignal, well: () => void): Promise<void> {
    const news = far.mailbox.follow(signal);
    // what was assigned while nobody listened is no news
    toFetch.ring();
    for await (const { host: to, what } of news) {
      well();
      if (to === host && what === 'assignment') toFetch.ring();
    }
    if (!isOver(signal)) throw new PlumbError('STORE_UNAVAILABLE', 'news of assignments broke off');
  }

  async function send(signal: AbortSignal, well: () => void): Promise<void> {
    await speaks;
    // before anybody hears of this host at all, so that an emptied store never takes it for one that runs nothing
    if (!compared) kept = (await far.mailbox.assignment(host)) ? undefined : await near.assignment(host);
    compared = true;
    const report = unsent;
    if (report) {
      await far.mailbox.report(kept ? { ...report, kept } : report);
      if (unsent === report) unsent = undefined;
    }
    well();
    if (!unsent) await toSend.wait(POLL, signal);
  }

  function resend(): void {
    compared = false;
    // it may hold another Assignment under a number that is known
    news = true;
    toFetch.ring();
    // another object than one that is on its way
    if (last) unsent = { ...last };
    toSend.ring();
  }

  return {
    resend,
    trouble: () => {
      const meanwhile = 'and this host keeps to what it was told last';
      if (!outage) return answered ? undefined : `the fleet's store has not answered yet, ${meanwhile}`;
      return `the fleet's store is away since ${new Date(outage.since).toISOString()}, ${meanwhile}: it ${outage.why}`;
    },
    mailbox: {
      ...near,
      report: async (report) => {
        // whatever becomes of it on this machine, whose disk may be full or slow
        unsent = last = report;
        toSend.ring();
        await near.report(report);
      },
    },
    async run(signal) {
      const end = new AbortController();
      const over = AbortSignal.any([signal, end.signal]);
      try {
        await Promise.all([
          always('heartbeat', over, beat, [HEARTBEAT, LONGEST_SILENCE]),
          always('assignments', over, fetch),
          always('news of assignments', over, hear),
          always('reports', over, send),
        ]);
      } finally {
        end.abort();
      }
    },
  };
}
