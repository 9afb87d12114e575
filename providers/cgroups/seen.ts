import type { Claim, Known, Limitation, Observed } from '../../reconciler/model/change.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { CgroupState, ContainerState } from '../../reconciler/model/resources.ts';
import { escapeWords, type Escape } from './escape.ts';

/** What is known of a cgroup beside what its files say. */
export interface Notes {
  readonly version: 'v1' | 'v2';
  /** What of the replica runs elsewhere. */
  readonly escapes?: readonly Escape[];
  /** What was refused when it was last written, by field. */
  readonly refused: ReadonlyMap<string, Refused>;
  /** Who would write something else one day. */
  readonly claims?: readonly Claim[];
  /** What of the replica the kernel did not let back, in words. */
  readonly stays?: string;
}

/** What was wanted, and why it is not so. */
export interface Refused {
  readonly want: unknown;
  readonly errno: string;
  readonly why: string;
}

function lacking(ref: Ref, field: string, { version }: Notes): Limitation {
  const why = `this kernel (cgroup ${version}) has no file for it, or its controller is off`;
  return { ref, path: `/${field}`, state: 'Unsupported', why };
}

/** A cgroup as its provider tells of it, with what it cannot be held to. */
export function known(ref: Ref, state: CgroupState, notes: Notes): Known<CgroupState> {
  const { escapes = [] } = notes;
  const escaped = escapes.length === 0 ? undefined : escapeWords(escapes);
  const why = `${escaped ?? ''}: neither its limits nor its cores hold that; spec.resources.escape: return moves it back`;
  const limitations: readonly Limitation[] = [
    ...state.unsupported.map((field) => lacking(ref, field, notes)),
    ...[...notes.refused].map(([field, what]): Limitation => ({ ref, path: `/${field}`, state: 'Refused', ...what })),
    ...(escaped === undefined || notes.refused.has('escape')
      ? []
      : [{ ref, path: '/escape', state: 'Drifted', why } as const]),
  ];
  const away = escaped === undefined ? {} : { escaped, ...(escaped === notes.stays ? { stays: true as const } : {}) };
  return {
    known: true,
    ref,
    state: escaped === undefined ? state : { ...state, ...away },
    owned: true,
    version: state.id,
    ...(limitations.length > 0 ? { limitations } : {}),
    ...(notes.claims === undefined || notes.claims.length === 0 ? {} : { claims: notes.claims }),
  };
}

/** Those who keep other limits, and write them one day. */
export function claimsOf(ref: Ref, docker: string | undefined, systemd: string | undefined): readonly Claim[] {
  const untold = (by: string, when: string, why: string | undefined): readonly Claim[] =>
    why === undefined ? [] : [{ ref, by, when, fix: `it could not be told: ${why}` }];
  return [
    ...untold('Docker', 'when the container is started again', docker),
    ...untold('systemd', 'at a daemon-reload', systemd),
  ];
}

/** The id of the replica's container if it runs, undefined if it does not, Unknown if that is not known; notes whether Docker calls it paused. */
export function runningContainer(
  ctx: Context,
  ref: Ref,
  paused: Set<string>,
): string | Observed<CgroupState> | undefined {
  const container = ctx.world.get(refOf('container', nameOf(ref)));
  if (!container) return undefined;
  if (!container.known) return { known: false, ref, why: container.why };
  const { id, status } = container.state as ContainerState;
  if (status === 'paused') paused.add(id);
  else paused.delete(id);
  return status === 'running' || status === 'paused' ? id : undefined;
}
