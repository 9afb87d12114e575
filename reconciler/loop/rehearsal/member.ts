import { isDeepStrictEqual } from 'node:util';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Assignment } from '../../model/replica.ts';
import { between, chance } from './chance.ts';
import { createStage } from './stage.ts';
import type { Behaviour, Stage } from './stage.ts';

/** One simulated host: its part in the fleet, and what runs on it. */
export interface Member {
  readonly host: string;
  readonly stage: Stage;
  /** When it next renews its lease, looks for an Assignment and may report; Infinity while it does. Milliseconds since 1970. */
  beatAt: number;
  lookAt: number;
  sendAt: number;
  /** Failures in a row of each, for the pauses between them. */
  readonly failures: { beat: number; look: number; send: number };
  /** Fence of its lease, once it has been given one. */
  fence: number | undefined;
  /** Until when it holds it, milliseconds since 1970. */
  heldUntil: number;
  /** Since when another holder is in the way, milliseconds since 1970. */
  deniedSince: number | undefined;
  generation: number;
  /** There is word of another Assignment. */
  news: boolean;
  /** The store has said whether it knows its Assignment. */
  compared: boolean;
  kept: boolean;
  /** It has something to say that the store does not know. */
  dirty: boolean;
  /** Whether it says and hears nothing now. */
  silent(now: number): boolean;
  assignment(): Assignment | undefined;
  /** Takes up another Assignment; false when it is none newer than the one in hand, and nothing was done. */
  take(assignment: Assignment, now: number): boolean;
}

const MINUTE = 60_000;

/** A host that has just come up, with nothing on it. Its Assignment is kept packed: as objects those of a fleet would fill the memory. */
export function createMember(host: string, behaviour: Behaviour, now: number): Member {
  const stage = createStage(host, behaviour);
  let packed: Buffer | undefined;
  let minute = -1;
  let silence: readonly [number, number] = [0, 0];
  const pack = (assignment: Assignment): void => {
    packed = deflateRawSync(JSON.stringify(assignment), { level: 1 });
    self.generation = assignment.generation;
    self.dirty = true;
  };
  /** As a real host does when a store that lost its Assignment has given the number to another. */
  const askForLater = (other: Assignment): void => {
    const own = self.assignment();
    if (own && !isDeepStrictEqual(own, other)) pack({ ...own, generation: own.generation + 1 });
  };
  const self: Member = {
    host,
    stage,
    beatAt: now,
    lookAt: Infinity,
    sendAt: 0,
    failures: { beat: 0, look: 0, send: 0 },
    fence: undefined,
    heldUntil: 0,
    deniedSince: undefined,
    generation: 0,
    news: true,
    compared: false,
    kept: false,
    dirty: true,
    silent(at) {
      if (behaviour.silent === 0) return false;
      const drawn = Math.floor((at - now) / MINUTE);
      if (drawn !== minute && at >= silence[1]) {
        minute = drawn;
        silence = silenceOf(host, minute, behaviour).map((ms) => now + ms) as [number, number];
      }
      return at >= silence[0] && at < silence[1];
    },
    assignment: () =>
      packed === undefined ? undefined : (JSON.parse(inflateRawSync(packed).toString('utf8')) as Assignment),
    take(assignment, at) {
      if (packed !== undefined && assignment.generation <= self.generation) {
        if (assignment.generation === self.generation) askForLater(assignment);
        return false;
      }
      pack(assignment);
      stage.take(assignment.replicas, at);
      return true;
    },
  };
  return self;
}

/** When a host is silent in this minute of the rehearsal: first and last, milliseconds since its start; nothing when it is not. */
function silenceOf(host: string, minute: number, behaviour: Behaviour): readonly [number, number] {
  const { seed, silent, silence } = behaviour;
  if (chance(seed, 'silent', host, minute) >= silent) return [0, 0];
  const from = (minute + chance(seed, 'from', host, minute)) * MINUTE;
  return [from, from + between(silence, chance(seed, 'until', host, minute))];
}
