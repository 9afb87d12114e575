import type { Change, Desired, HeldChange } from '../model/change.ts';
import { kindOf, nameOf, type Ref } from '../model/ref.ts';
import type { World } from '../model/provider.ts';
import { interrupts } from './repairs.ts';
import { waitOf, type MemorySpec, type MemoryState } from '../model/memory.ts';
import { appOf } from '../model/replica.ts';

/** Not before `at` (milliseconds since 1970), and why. */
export interface Pause {
  readonly at: number;
  readonly why: string;
}

export interface HoldInput {
  readonly changes: readonly Change[];
  readonly desired: ReadonlyMap<Ref, Desired>;
  readonly world: World;
  readonly now: number;
  /** The time of day as the machine has it: slots of hosts are of that one, which all hosts share. `now` where none is given. */
  readonly wall?: number;
  /** Of the Assignment: of whose replicas nothing is removed now. */
  readonly keep: { readonly apps: readonly string[]; readonly owners: readonly string[] };
  /** Refs that another pass is changing: what depends on them waits for that, in apply. */
  readonly underway: (ref: Ref) => boolean;
  /** Back-off after failures, by ref. */
  readonly pauses: ReadonlyMap<Ref, Pause>;
  /** Back-off of restarts after exits, by replica. */
  readonly restarts: ReadonlyMap<string, Pause>;
  /** Replicas that run, and that wait until a repair may restart them. */
  readonly repairs?: ReadonlySet<string>;
}

export interface Sorted {
  readonly go: readonly Change[];
  readonly held: readonly HeldChange[];
  /** When the next pause ends. */
  readonly wakeAt?: number;
}

const NO_TOKEN = 'it runs, and other repairs that restart a replica are under way on this host or in its Zone';

const REPLICA_KINDS = new Set(['sandbox', 'port', 'container']);

function kept(change: Change, keep: HoldInput['keep']): string | undefined {
  if (change.verb !== 'delete' || !REPLICA_KINDS.has(kindOf(change.ref))) return undefined;
  const replica = nameOf(change.ref);
  const app = appOf(replica);
  if (keep.apps.includes(app)) return `App/${app} has errors in Git; it is kept as it runs`;
  return keep.owners.includes('*')
    ? 'a file with errors has no known owner; nothing is removed until it is mended'
    : undefined;
}

function paused({ pauses, restarts, now, wall = now }: HoldInput, change: Change): Pause | undefined {
  const pause = pauses.get(change.ref);
  if (pause && pause.at > now) return pause;
  if (change.because === 'pressure') return rested(change, now, wall);
  if (change.because !== 'exited' && change.because !== 'unhealthy') return undefined;
  const restart = restarts.get(nameOf(change.ref));
  return restart && restart.at > now ? restart : undefined;
}

/** Readings, too, are of the time of day; a pause ends by the clock of the process. */
function rested({ want, have }: Change, now: number, wall: number): Pause | undefined {
  const wait = waitOf(want as MemorySpec, have as MemoryState, wall);
  return wait && { at: wait.at - wall + now, why: wait.why };
}

/** Images are looked for only when a container is about to be made of them. */
function needed(change: Change, desired: HoldInput['desired'], making: ReadonlySet<Ref>): boolean {
  if (kindOf(change.ref) !== 'image') return true;
  return [...making].some((ref) => desired.get(ref)?.dependsOn.includes(change.ref));
}

/** Sorts changes into those that may be made now and those that wait, each with the reason. */
export function hold(input: HoldInput): Sorted {
  const held = new Map<Ref, HeldChange>();
  let wakeAt: number | undefined;
  const go = new Map<Ref, Change>();
  for (const change of input.changes) {
    const why = kept(change, input.keep);
    const pause = why === undefined ? paused(input, change) : undefined;
    if (pause && pause.at < Infinity) wakeAt = Math.min(wakeAt ?? Infinity, pause.at);
    const repair = input.repairs?.has(nameOf(change.ref)) === true && interrupts(change) ? NO_TOKEN : undefined;
    const reason = why ?? pause?.why ?? repair;
    if (reason === undefined) go.set(change.ref, change);
    else held.set(change.ref, { change, reason });
  }
  holdDependents(input, go, held);
  const making = new Set([...go.values()].filter((c) => c.verb === 'create' || c.verb === 'replace').map((c) => c.ref));
  return {
    go: [...go.values()].filter((change) => needed(change, input.desired, making)),
    held: [...held.values()].filter(
      ({ change }) => kindOf(change.ref) !== 'image' || needed(change, input.desired, new Set(held.keys())),
    ),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** A change waits for what it depends on, if that is neither there nor about to be made. */
function holdDependents(input: HoldInput, go: Map<Ref, Change>, held: Map<Ref, HeldChange>): void {
  for (let more = true; more;) {
    more = false;
    for (const change of go.values()) {
      if (change.verb === 'delete') continue;
      const missing = input.desired.get(change.ref)?.dependsOn.find((ref) => held.has(ref) || absent(input, go, ref));
      if (missing === undefined) continue;
      go.delete(change.ref);
      held.set(change.ref, { change, reason: `waits for ${missing}${because(held.get(missing))}` });
      more = true;
    }
  }
}

function absent({ world, desired, underway }: HoldInput, go: ReadonlyMap<Ref, Change>, ref: Ref): boolean {
  if (go.has(ref) || underway(ref) || kindOf(ref) === 'image' || !desired.has(ref)) return false;
  return world.get(ref)?.known !== true;
}

function because(held: HeldChange | undefined): string {
  return held ? `: ${held.reason}` : '';
}
