import { constants } from 'node:os';
import { LABELS } from '../../reconciler/model/resources.ts';
import { parseStop } from './life.ts';
import type { DockerEvent } from './wire.ts';

/** So much longer than its grace may one take to be killed and gone, milliseconds. */
const MARGIN = 5_000;

/** Which containers somebody has told to end, and have not ended: Docker then lets go on what stood still, and it is not to be frozen before it has ended in its own way. */
export interface Stops {
  /** Hears an event. */
  note(event: DockerEvent): void;
  /** Whether a container was told to end, for as long as it may take to. */
  has(id: string): boolean;
}

/** The number of a signal by its name, as SIGTERM or SIGRTMIN+3. */
function numberOf(name: string): number | undefined {
  const realtime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  return realtime ? 34 + Number(realtime[1] ?? 0) : constants.signals[name as NodeJS.Signals];
}

/** None yet. `clock`: milliseconds from anywhere. */
export function createStops(clock: () => number = () => performance.now()): Stops {
  const until = new Map<string, number>();
  return {
    note: ({ action, id, attributes }) => {
      if (['die', 'start', 'destroy'].includes(action)) until.delete(id);
      if (action !== 'kill') return;
      const { signal, grace } = parseStop(attributes[LABELS.stop]);
      // other signals let nothing go on that stands still
      const ends = [constants.signals.SIGKILL, numberOf(signal)];
      if (ends.includes(Number(attributes['signal']))) until.set(id, clock() + grace + MARGIN);
    },
    has: (id) => {
      const end = until.get(id);
      if (end === undefined || clock() < end) return end !== undefined;
      until.delete(id);
      return false;
    },
  };
}
