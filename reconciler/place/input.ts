import type { Book } from '../model/book.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { ReservationState } from '../model/reservations.ts';
import type { Scope, Whereabouts } from '../model/whereabouts.ts';
import type { HostView } from './hosts.ts';
import type { Side } from './table.ts';

/** All that placing looks at. Nothing else decides. */
export interface PlaceInput {
  readonly catalog: Catalog;
  readonly snapshot: ReservationState;
  /** From `hostViews`. */
  readonly hosts: readonly HostView[];
  /** The last report of each host. */
  readonly reports: readonly Report[];
  /** The last Assignment of each host. */
  readonly assignments: readonly Assignment[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Absent, all is looked at. */
  readonly scope?: Scope;
  /** The snapshot as a book, and all of the above by App and host, where somebody keeps them; else they are made for this. */
  readonly kept?: { readonly book: Book; readonly whereabouts: Whereabouts };
  /**
   * `never`: nobody makes room for others, since what is free is asked for. `within`: whoever makes room has left at once, since where it leads
   * is asked for, but for those whom the budgets of that catalog could never let go together. Absent, step by step.
   */
  readonly preempts?: 'never' | { readonly within: Catalog };
  /** Apps in the middle of a change, which counts on its replicas. */
  readonly changing?: ReadonlySet<string>;
  /** Which of several schedulers this is that work side by side, from 0; absent when it is the only one. */
  readonly side?: Side;
}
