import { asPlumbError, PlumbError } from '../../model/errors.ts';
import type { HostFacts } from '../../model/replica.ts';
import type { Leases, Mailbox } from '../../model/store.ts';
import { isOver } from '../../store/bell.ts';
import type { Log } from '../log.ts';
import { HEARTBEAT, HOST_LEASE, HOST_TTL } from '../hearing.ts';
import { FIRST_PAUSE, LONGEST_PAUSE, LONGEST_SILENCE, POLL } from '../agent/membership.ts';
import { pause } from '../pause.ts';
import { createMember } from './member.ts';
import type { Member } from './member.ts';
import { LOOP } from './stage.ts';
import type { Behaviour } from './stage.ts';
import { tell } from './telling.ts';
import type { Appearance } from './telling.ts';

export interface RehearsalOptions {
  readonly hosts: readonly string[];
  /** Who speaks for all of them. */
  readonly holder: string;
  readonly far: {
    readonly mailbox: Pick<Mailbox, 'assignment' | 'report' | 'follow'>;
    readonly leases: Pick<Leases, 'acquireAll' | 'release' | 'get'>;
  };
  readonly facts: (host: string) => HostFacts;
  readonly behaviour: Behaviour;
  readonly appearance: (host: string) => Appearance;
  readonly clock: () => number;
  readonly random: () => number;
  readonly log: Log;
}

/** How a rehearsal stands. */
export interface Tally {
  readonly hosts: number;
  /** Hosts that hold their lease, and hosts that are silent on purpose. */
  readonly heard: number;
  readonly silent: number;
  readonly replicas: number;
  readonly ready: number;
  readonly starting: number;
  readonly stopping: number;
  readonly crashing: number;
  /** Since the start: leases renewed, looks for Assignments, Assignments taken up and left for older ones, Reports, calls that failed. */
  readonly renewals: number;
  readonly looks: number;
  readonly taken: number;
  readonly left: number;
  readonly reports: number;
  readonly failures: number;
}

/** Many hosts of a fleet in one process: each has its lease, hears of its Assignment, pretends to make it so, and reports. */
export interface Rehearsal {
  /** Tells the store all again: it may have lost it. */
  resend(): void;
  tally(): Tally;
  /** Works until the signal aborts, then lets the leases go. Throws STORE_LOCKED when another agent speaks for one of the hosts. */
  run(signal: AbortSignal): Promise<void>;
}

/** How often it is looked who has something to do, milliseconds: as much as an agent gathers what it reports. */
const TICK = 50;
/** Calls on their way, beside renewals: more would only fill the memory with Reports that wait. */
const UNDERWAY = 256;
/** Leases renewed in one go. */
const AT_ONCE = 250;
/** Heartbeats and looks of many hosts do not fall into step. */
const JITTER = 0.1;
/** A store that does not answer keeps nobody from stopping for longer, milliseconds. */
const GOODBYE = 3_000;

/** Simulated hosts, which are nowhere before `run`. */
export function createRehearsal(options: RehearsalOptions): Rehearsal {
  const { hosts, holder, far, facts, behaviour, clock, random, log } = options;
  const began = clock();
  const members = hosts.map((host) => createMember(host, behaviour, began));
  const byName = new Map(members.map((member) => [member.host, member]));
  const counts = { renewals: 0, looks: 0, taken: 0, left: 0, reports: 0, failures: 0 };
  const underway = new Set<Promise<void>>();
  const failed = new AbortController();
  let away = false;

  const jittered = (ms: number): number => ms * (1 - JITTER + 2 * JITTER * random());

  /** The pause after one failure more, as a real host has it: growing, and never the same for two. */
  function pauseOf(failures: number, first = FIRST_PAUSE, longest = LONGEST_PAUSE): number {
    return Math.min(first * 2 ** failures, longest) * (0.5 + random());
  }

  function tellAway(error: unknown): void {
    const { code, message } = asPlumbError(error);
    counts.failures += 1;
    if (!away) log.warn({ code }, `the fleet's store does not answer, what runs goes on: ${message}`);
    away = true;
  }

  /** The store has answered: nobody waits any longer because it did not. */
  function tellWell(): void {
    if (!away) return;
    away = false;
    log.info({}, "the fleet's store answers again");
    const now = clock();
    for (const member of members) {
      const { failures } = member;
      if (failures.look > 0) member.lookAt = Math.min(member.lookAt, now + FIRST_PAUSE * random());
      if (failures.send > 0) member.sendAt = Math.min(member.sendAt, now + FIRST_PAUSE * random());
      failures.look = failures.send = 0;
    }
  }

  function start(work: Promise<void>): void {
    const ended = work.catch((error: unknown) => failed.abort(error)).finally(() => underway.delete(ended));
    underway.add(ended);
  }

  async function beat(some: readonly Member[]): Promise<void> {
    for (const member of some) member.beatAt = Infinity;
    try {
      const names = some.map(({ host }) => HOST_LEASE + host);
      const leases = await far.leases.acquireAll(names, holder, HOST_TTL);
      tellWell();
      const now = clock();
      for (const [at, member] of some.entries()) {
        member.failures.beat = 0;
        member.beatAt = now + jittered(HEARTBEAT);
        const lease = leases[at];
        if (!lease) await denied(member, now);
        else {
          counts.renewals += 1;
          member.deniedSince = undefined;
          if (member.fence === undefined) member.lookAt = now;
          member.fence = lease.fence;
          member.heldUntil = now + HOST_TTL;
        }
      }
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'STORE_LOCKED') throw error;
      tellAway(error);
      for (const member of some) {
        member.beatAt = clock() + pauseOf(member.failures.beat, HEARTBEAT, LONGEST_SILENCE);
        member.failures.beat += 1;
      }
    }
  }

  /** What another left behind runs out; what it renews is its own. */
  async function denied(member: Member, now: number): Promise<void> {
    member.deniedSince ??= now;
    if (now - member.deniedSince <= HOST_TTL + HEARTBEAT) return;
    const other = (await far.leases.get(HOST_LEASE + member.host))?.holder ?? 'another';
    throw new PlumbError(
      'STORE_LOCKED',
      `the agent ${other} speaks for host ${member.host} already; stop it, or give these hosts another --name`,
      { host: member.host, holder: other },
    );
  }

  async function look(member: Member): Promise<void> {
    const { host } = member;
    const { news } = member;
    member.lookAt = Infinity;
    member.news = false;
    try {
      const known = news || member.kept || !member.compared ? undefined : member.generation;
      const assignment = await far.mailbox.assignment(host, known);
      tellWell();
      counts.looks += 1;
      const now = clock();
      member.failures.look = 0;
      if (assignment) {
        if (member.take(assignment, now)) counts.taken += 1;
        else if (assignment.generation < member.generation) counts.left += 1;
        if (member.kept) member.dirty = true;
        member.kept = false;
      } else if (!member.compared && member.generation > 0) {
        member.kept = true;
      }
      member.compared = true;
      member.lookAt = hasNews(member) ? now : now + jittered(POLL);
    } catch (error) {
      tellAway(error);
      member.news ||= news;
      member.lookAt = clock() + pauseOf(member.failures.look);
      member.failures.look += 1;
    }
  }

  async function send(member: Member): Promise<void> {
    const { host, kept } = member;
    const now = clock();
    member.dirty = false;
    member.sendAt = Infinity;
    const { replicas } = member.stage;
    const assignment = member.assignment();
    const appearance = options.appearance(host);
    try {
      await far.mailbox.report(tell({ host, facts: facts(host), assignment, replicas, appearance, now, kept }));
      tellWell();
      counts.reports += 1;
      member.failures.send = 0;
      member.sendAt = 0;
    } catch (error) {
      tellAway(error);
      member.dirty = true;
      member.sendAt = clock() + pauseOf(member.failures.send);
      member.failures.send += 1;
    }
  }

  /** Starts what is due now. */
  function turn(): void {
    const now = clock();
    const beats: Member[] = [];
    for (const member of members) {
      if (member.stage.pass(now)) member.dirty = true;
      if (member.silent(now)) continue;
      if (member.beatAt <= now) beats.push(member);
      if (member.fence === undefined || underway.size >= UNDERWAY) continue;
      if (member.lookAt <= now) start(look(member));
      if (member.compared && member.dirty && member.sendAt <= now) start(send(member));
    }
    for (let at = 0; at < beats.length; at += AT_ONCE) start(beat(beats.slice(at, at + AT_ONCE)));
  }

  /** Hears of Assignments, again after each time that this broke off. */
  async function hear(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        for await (const { host, what } of far.mailbox.follow(signal)) {
          failures = 0;
          const member = what === 'assignment' ? byName.get(host) : undefined;
          if (!member) continue;
          member.news = true;
          if (member.lookAt !== Infinity) member.lookAt = clock();
          if (member.lookAt !== Infinity && !member.silent(clock())) start(look(member));
        }
      } catch (error) {
        if (!isOver(signal)) tellAway(error);
      }
      await pause(pauseOf(failures), signal);
    }
  }

  async function letGo(): Promise<void> {
    await Promise.all(underway);
    const release = async ({ host, fence }: Member): Promise<void> => {
      if (fence === undefined) return;
      await far.leases.release({ name: HOST_LEASE + host, holder, fence, expires: 0 });
    };
    await Promise.all(members.map(release));
  }

  return {
    resend() {
      for (const member of members) {
        member.compared = false;
        member.dirty = true;
        if (member.lookAt !== Infinity) member.lookAt = clock() + HEARTBEAT * random();
      }
    },
    tally: () => ({ ...tallyOf(members, clock()), ...counts }),
    async run(signal) {
      const over = AbortSignal.any([signal, failed.signal]);
      const start = clock();
      for (const member of members) member.beatAt = start + HEARTBEAT * random();
      const hearing = hear(over);
      while (!over.aborted) {
        turn();
        await pause(TICK, over);
      }
      await hearing;
      const goodbye = letGo().catch((error: unknown) => log.warn({ err: error }, 'leases not let go; they run out'));
      await Promise.race([goodbye, pause(GOODBYE, new AbortController().signal)]);
      if (failed.signal.aborted) throw failed.signal.reason as Error;
    },
  };
}

/** Whether there is news by now. Asked anew each time: the compiler takes a property for constant between two awaits. */
function hasNews({ news }: Member): boolean {
  return news;
}

function tallyOf(
  members: readonly Member[],
  now: number,
): Omit<Tally, 'renewals' | 'looks' | 'taken' | 'left' | 'reports' | 'failures'> {
  const sum = {
    hosts: members.length,
    heard: 0,
    silent: 0,
    replicas: 0,
    ready: 0,
    starting: 0,
    stopping: 0,
    crashing: 0,
  };
  for (const member of members) {
    if (member.silent(now)) sum.silent += 1;
    else if (now < member.heldUntil) sum.heard += 1;
    for (const { phase, restarts } of member.stage.replicas.values()) {
      sum.replicas += 1;
      if (phase === 'Ready') sum.ready += 1;
      else if (phase === 'Stopping') sum.stopping += 1;
      else if (restarts >= LOOP) sum.crashing += 1;
      else sum.starting += 1;
    }
  }
  return sum;
}
