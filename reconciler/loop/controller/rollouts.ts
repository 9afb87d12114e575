import type { EntryDraft } from '../../model/journal.ts';
import type { RolloutRecord, Stage } from '../../model/release.ts';

type EventDraft = Omit<Extract<EntryDraft, { type: 'event' }>, 'type' | 'host'>;

const REASONS: Readonly<Record<Stage, string>> = {
  frozen: 'RolloutFrozen',
  queued: 'RolloutQueued',
  canary: 'RolloutCanary',
  paused: 'RolloutPaused',
  rolling: 'RolloutStarted',
  stopped: 'RolloutFailed',
  reverting: 'RolloutFailed',
  reverted: 'RolloutReverted',
};
const LEVELS: Readonly<Partial<Record<Stage, 'warn' | 'error'>>> = {
  stopped: 'error',
  reverting: 'error',
  reverted: 'warn',
};

/** What became of changes from one pass to the next, as events: each stage once, whoever leads by then. */
export function rolloutEvents(
  before: readonly RolloutRecord[],
  after: readonly RolloutRecord[],
): readonly EventDraft[] {
  const known = new Map(before.map((record) => [record.app, record]));
  const now = new Set(after.map(({ app }) => app));
  const begun = after.flatMap((record) => stageEvents(known.get(record.app), record));
  const over = before.filter(({ app }) => !now.has(app)).map(overEvent);
  return [...begun, ...over];
}

function stageEvents(last: RolloutRecord | undefined, record: RolloutRecord): readonly EventDraft[] {
  const { app, stage, revision, message, good } = record;
  const ref = `app/${app}` as const;
  const another = last !== undefined && last.version !== record.version;
  const left = another ? `${app}: ${revision.slice(0, 7)} takes the place of ${last.revision.slice(0, 7)}` : '';
  const superseded: EventDraft = { level: 'info', reason: 'RolloutSuperseded', ref, revision, message: left };
  const goesBack = stage === 'reverting' || stage === 'reverted';
  const back = goesBack ? { back: good.origin.revision } : {};
  if (!another && last?.stage === stage && last.attempt === record.attempt) return [];
  const told: EventDraft = { level: LEVELS[stage] ?? 'info', reason: REASONS[stage], ref, revision, message, ...back };
  return another && !last.failed ? [superseded, told] : [told];
}

/** From these no change comes to its end: whatever is over then was taken back, or is asked for in another way. */
const BEFORE: ReadonlySet<Stage> = new Set<Stage>(['queued', 'canary', 'paused']);

function overEvent({ app, revision, failed, stage }: RolloutRecord): EventDraft {
  // the App may stand still all the same, with nothing that waits for its end
  const what =
    failed || BEFORE.has(stage) ? 'is no longer asked for' : stage === 'frozen' ? 'waits no longer' : 'is over';
  const message = `${app}: the change of ${revision.slice(0, 7)} ${what}`;
  return { level: 'info', reason: 'RolloutDone', ref: `app/${app}`, revision, message };
}
