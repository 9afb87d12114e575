import type { Change, Desired, Outcome, Plan } from '../../model/change.ts';
import type { EntryDraft } from '../../model/journal.ts';
import type { Journal, Mailbox, Settled } from '../../model/store.ts';
import type { Provider } from '../../model/provider.ts';
import { kindOf, nameOf, type Ref } from '../../model/ref.ts';
import type { Assignment, HostFacts } from '../../model/replica.ts';
import { createWorld, type Blind, type LiveWorld } from '../../observe/observe.ts';
import type { Pause } from '../../plan/hold.ts';
import { interrupts } from '../../plan/repairs.ts';
import type { Health } from './health.ts';
import { fightWatch, type FightWatch } from './fights.ts';
import type { RepairOptions, Repairs } from './repairs.ts';
import type { RestartState } from './restarts.ts';
import { settling, type Settling } from './settled.ts';
import type { Log } from '../log.ts';

/** What an agent is built on. */
export interface AgentOptions {
  readonly host: string;
  readonly facts: HostFacts;
  readonly mailbox: Mailbox;
  readonly journal: Journal;
  /** Of this machine's own store. */
  readonly settled: Settled;
  /** In this order they observe: what a provider needs of another comes from an earlier one. */
  readonly providers: readonly Provider[];
  readonly health: (onChange: (replica: string) => void) => Health;
  readonly clock: () => number;
  /** The time of day as the machine has it, by which hosts take turns; the clock where none is given. */
  readonly wall?: () => number;
  readonly random: () => number;
  readonly log: Log;
  /** Of this machine's own store: what is being repaired still counts when its agent is started again. */
  readonly leases: RepairOptions['own'];
  /** Of the fleet's store: tokens for repairs that restart what runs. */
  readonly tokens?: RepairOptions['tokens'];
}

/** The last thing that went wrong with a ref. */
export interface Failure {
  readonly code: string;
  readonly error: string;
  readonly times: number;
}

/** A change that is to be made or being made. */
export interface Underway {
  readonly end: Promise<boolean>;
  /** It is being made. Before that, for as long as an image is pulled for example, its ref is what it was, and is looked at. */
  begun: boolean;
  /** While it is being made its replica serves nobody, or nobody knows. */
  readonly interrupts: boolean;
  ended(well: boolean): void;
}

/** A change that was planned now. */
export function planned(change: Change): Underway {
  let ended = (_well: boolean): void => undefined;
  const end = new Promise<boolean>((resolve) => {
    ended = resolve;
  });
  return { end, begun: false, interrupts: interrupts(change) || change.verb === 'delete', ended };
}

/** All that an agent knows between passes. Nothing of it must survive the process; what was settled does, for the record to be true. */
export interface AgentState {
  assignment: Assignment | undefined;
  desired: ReadonlyMap<Ref, Desired>;
  readonly world: LiveWorld;
  blind: Blind;
  /** Refs that are to be changed or being changed, and whether that ends well. */
  readonly busy: Map<Ref, Underway>;
  /** Replicas that a change has begun to take away since the last Report: what was told of them before is over. */
  readonly interrupted: Set<string>;
  /** When a ref was last changed by us. */
  readonly touched: Map<Ref, number>;
  /** How many changes have ended, and as which of them a ref's last one: a millisecond is too long to tell before from after. */
  changes: number;
  readonly endedAs: Map<Ref, number>;
  readonly pauses: Map<Ref, Pause>;
  readonly failures: Map<Ref, Failure>;
  /** How often in a row the removal of a ref was said to be done, while it was still there at the next look. */
  readonly removals: Map<Ref, number>;
  readonly restarts: Map<string, RestartState>;
  readonly settled: Settling;
  readonly waiting: Map<Ref, string>;
  readonly fights: FightWatch;
  /** The whole host was looked at once. */
  seen: boolean;
  lastFull: number;
  /** Generation of the Assignment that a full pass was last done with. */
  fullGeneration: number;
}

/** Nothing known yet. */
export function emptyAgentState(): AgentState {
  return {
    assignment: undefined,
    desired: new Map(),
    world: createWorld(),
    blind: new Map(),
    busy: new Map(),
    interrupted: new Set(),
    touched: new Map(),
    changes: 0,
    endedAs: new Map(),
    pauses: new Map(),
    failures: new Map(),
    removals: new Map(),
    restarts: new Map(),
    settled: settling(),
    waiting: new Map(),
    fights: fightWatch(),
    seen: false,
    lastFull: 0,
    fullGeneration: -1,
  };
}

/** Drops what was known of a ref that is asked for no more. */
export function forget(state: AgentState, ref: Ref): void {
  for (const map of [state.pauses, state.failures, state.waiting, state.removals]) map.delete(ref);
  if (kindOf(ref) === 'container') state.restarts.delete(nameOf(ref));
}

/** While more changes than this are under way, what comes of them is gathered for longer. */
const FEW = 10;

/** Whether much is under way. */
export function isAtWork({ busy }: AgentState): boolean {
  return busy.size > FEW;
}

/** What a pass planned and did. */
export interface PassResult {
  readonly plan: Plan;
  readonly outcomes: readonly Outcome[];
  readonly wakeAt?: number;
}

/** An event of this host, before the agent adds its name. */
export type EventDraft = Omit<Extract<EntryDraft, { type: 'event' }>, 'type' | 'host'>;

export interface PassDeps extends AgentOptions {
  readonly state: AgentState;
  readonly probed: Health;
  readonly repairs: Repairs;
  /** Aborts when nothing more may be started. */
  readonly stop: AbortSignal;
  /** Called when changes are about to be made: what was seen until then is to be told, however long they take. */
  readonly planned: () => void;
  /** Called as soon as a change has ended. */
  readonly ended: (outcome: Outcome) => void;
  readonly event: (draft: EventDraft) => void;
  /** Has it look at all soon: what could not be seen can be seen again. */
  readonly lookAgain: () => void;
}
