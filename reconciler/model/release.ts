import type { AppSpec } from './catalog.ts';
import { fingerprint } from './fingerprint.ts';
import { formOf } from './form.ts';
import type { Form } from './form.ts';
import { recreateSpec } from './rollout.ts';
import type { AssignedReplica } from './replica.ts';

/** What a replica was made of and held to, with the lines that said so. */
export type Release = Pick<AssignedReplica, 'spec' | 'origin' | 'fields' | 'plug' | 'holds'>;

/**
 * Where a change is: its App stands still, and with it the change (`frozen`), it waits for less critical Apps (`queued`), its
 * first replicas do not serve yet (`canary`), they do and the others wait (`paused`), it reaches one after the other
 * (`rolling`), it was given up and stays (`stopped`), goes back (`reverting`) or has gone back (`reverted`).
 */
export type Stage = 'frozen' | 'queued' | 'canary' | 'paused' | 'rolling' | 'stopped' | 'reverting' | 'reverted';

/**
 * What must be remembered of a change of one App with a `rollout` block, from the moment when the first replica differs from
 * Git until all serve what Git says. All else of a rollout follows from Assignments, Reports and placements. Kept in the
 * Notice, so that another controller goes on with it. Times are the controllers' own, milliseconds since 1970.
 */
export interface RolloutRecord {
  readonly app: string;
  /** `versionOf` what Git asks for; empty where an older controller named it otherwise: the attempt tells whether it is that. */
  readonly version: string;
  /** `attemptOf` it: another value makes it another try. */
  readonly attempt: string;
  /** The revision that first asked for that version. */
  readonly revision: string;
  /** What ran before: kept by those that wait, and by all once the change was given up. */
  readonly good: Release;
  /** No replica has served since the change began, nor did one when it did. */
  readonly untried?: true;
  /** Most replicas so far that were given the version, and that served it: fewer later is no progress. */
  readonly given: number;
  readonly served: number;
  /** Since when a replica does not serve what it was given and nothing else gets on. */
  readonly stuckSince?: number;
  /** Since when all canaries serve. */
  readonly canaryAt?: number;
  /** Their pause is over. */
  readonly canaryDone?: true;
  /** When and why it was given up, and whether all have gone back since. */
  readonly failed?: { readonly at: number; readonly why: string; readonly back: boolean };
  readonly stage: Stage;
  /** When something is due although nothing happens: the end of a pause, or of the patience with what does not get on. */
  readonly until?: number;
  /** The stage in words, for people. */
  readonly message: string;
}

const versions = new WeakMap<object, string>();

/**
 * Names what a rollout brings: a fingerprint of what only a new container can change and of what changes in place. In which
 * Network it is follows from its placement.
 */
export function versionOf(release: Form): string {
  const before = versions.get(release);
  if (before !== undefined) return before;
  const made = fingerprint([{ ...recreateSpec(release.spec), network: undefined }, formOf(release)]);
  versions.set(release, made);
  return made;
}

/** What says how many replicas there are, where, and whether they stand still: nothing of that can mend what failed. */
const PLACING: readonly (keyof AppSpec)[] = [
  'replicas',
  'level',
  'zone',
  'hosts',
  'spread',
  'affinity',
  'antiAffinity',
  'gang',
  'network',
  'storage',
  'platform',
  'frozen',
];

/** Names one try: more memory or a longer deadline for a version that failed is another try, another number of replicas is not. */
export function attemptOf(spec: AppSpec): string {
  return fingerprint({ ...spec, ...Object.fromEntries(PLACING.map((key) => [key, undefined])) });
}

/** Whether a change was given up and its replicas are to be what they were before it. */
export function goesBack({ failed }: Pick<RolloutRecord, 'failed'>, { rollout }: AppSpec): boolean {
  return failed !== undefined && rollout?.autoRevert === true;
}
