import type { Notice } from '../../model/notice.ts';
import type { HostRecord } from '../../model/reservations.ts';
import type { Assignment, Placement, Report } from '../../model/replica.ts';

/** All that a status is made of. */
export interface StatusInput {
  /** Undefined before the controller has said anything. */
  readonly notice: Notice | undefined;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly placements: ReadonlyMap<string, Placement>;
  readonly assignments: ReadonlyMap<string, Assignment>;
  readonly reports: ReadonlyMap<string, Report>;
}
