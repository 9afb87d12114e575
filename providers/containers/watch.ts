import { setTimeout as sleep } from 'node:timers/promises';
import type { Observed } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { isRef } from '../../reconciler/model/ref.ts';
import { LABELS } from '../../reconciler/model/resources.ts';
import type { DockerClient } from './client.ts';
import type { DockerEvent } from './wire.ts';

const ACTIONS = ['create', 'start', 'die', 'stop', 'kill', 'destroy', 'pause', 'unpause', 'rename', 'oom', 'update'];
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

/**
 * Hints from Docker's events about what carries a fleet's mark. The stream ends when dockerd goes; it is taken up again from
 * the last event with growing pauses, and then everything is hinted, since dockerd forgets its events with a restart.
 */
export async function* watchDocker(
  client: DockerClient,
  ctx: Context,
  heard: (event: DockerEvent, ref: Ref) => void,
): AsyncIterable<Ref> {
  const filters = { type: ['container'], label: [`${LABELS.fleet}=${ctx.fleet}`], event: ACTIONS };
  let since: number | undefined;
  let pause = FIRST_PAUSE;
  let away = false;
  while (!ctx.signal.aborted) {
    try {
      const events = await client.engine.events(filters, since, ctx.signal);
      if (away) {
        yield* ['sandbox/*', 'container/*'] as const;
        away = false;
      }
      for await (const event of events) {
        pause = FIRST_PAUSE;
        since = event.time;
        const ref = refOfEvent(event);
        if (!ref) continue;
        heard(event, ref);
        if (isNews(event, ctx.world.get(ref))) yield ref;
      }
    } catch (error) {
      if (!(error instanceof PlumbError) || !error.retry) throw error;
    }
    away = true;
    await sleep(pause, undefined, { signal: ctx.signal }).catch(() => undefined);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

function refOfEvent(event: DockerEvent): Ref | undefined {
  const ref = event.attributes[LABELS.ref];
  return ref !== undefined && isRef(ref) ? ref : undefined;
}

const BEGINNINGS: readonly string[] = ['create', 'start', 'rename'];

/** No news are the start of a container that is known to run already, and the end of one that another has replaced: echoes of our own. */
function isNews({ action, id }: DockerEvent, known: Observed | undefined): boolean {
  if (known?.known !== true) return true;
  if (known.version !== id) return BEGINNINGS.includes(action);
  if (action !== 'start' && action !== 'create') return true;
  const { status, running } = known.state as { readonly status?: string; readonly running?: boolean };
  return status !== 'running' && running !== true;
}
