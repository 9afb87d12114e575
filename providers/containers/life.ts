import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { LABELS } from '../../reconciler/model/resources.ts';
import type { DockerClient } from './client.ts';
import type { Namespaces } from './namespaces.ts';
import { dockerName } from './spec.ts';
import { statusOf } from './transport.ts';
import type { ContainerRow } from './wire.ts';

/** Signal and milliseconds until SIGKILL. */
export interface Stop {
  readonly signal: string;
  readonly grace: number;
}

/** What a container of ours is to be, as far as an existing one can be compared with it. */
export interface Made {
  readonly ref: Ref;
  readonly fingerprint: string;
  readonly networkMode: string;
  /** States in which a leftover of this making is good enough to be started. */
  readonly usable: readonly string[];
  readonly body: object;
}

const START_DEADLINE = 120_000;
const STOP_MARGIN = 30_000;

/** Whether Docker refused to unpause what is not paused (any more): 409, or 500 with these words (20.10). */
function isNotPaused(error: unknown): boolean {
  return statusOf(error) === 409 || (error instanceof PlumbError && /is not paused/.test(error.message));
}

/** Whether Docker itself sees no reason to pause or unpause. */
function isRefusal(error: unknown): boolean {
  return isNotPaused(error) || (error instanceof PlumbError && /already paused|is not running/.test(error.message));
}

/**
 * Has Docker let all of a container stand still, or go on. Docker goes only from what it is to what it is not: where a hand was at the
 * freezer behind its back, the kernel is first put where Docker believes it to be.
 */
async function shift(
  client: DockerClient,
  kernel: Namespaces,
  id: string,
  to: boolean,
  signal: AbortSignal,
): Promise<void> {
  const act = (): Promise<void> => client.containers.act(id, to ? 'pause' : 'unpause', {}, signal);
  try {
    await act();
  } catch (error) {
    if (statusOf(error) === undefined || statusOf(error) === 404 || isRefusal(error) || kernel.frozen(id) !== to)
      throw error;
    kernel.setFrozen(id, !to);
    await act().catch((again: unknown) => {
      kernel.setFrozen(id, to);
      throw again;
    });
  }
}

/**
 * Has a container stand still, or go on; one that is to go on and has ended meanwhile is started. Throws CONFLICT when it is gone, or ended
 * before it could stand still.
 */
export async function setStill(
  client: DockerClient,
  kernel: Namespaces,
  { id, ref, still }: { readonly id: string; readonly ref: Ref; readonly still: boolean },
  signal: AbortSignal,
): Promise<void> {
  try {
    await shift(client, kernel, id, still, signal);
  } catch (error) {
    const words = error instanceof PlumbError ? error.message : '';
    if (still && /already paused/.test(words)) return;
    if (!still && isNotPaused(error)) return start(client, id, ref, signal);
    if (statusOf(error) !== 404 && !(still && /is not running/.test(words))) throw error;
    const why = still ? 'ended before it could be frozen' : 'is gone';
    throw new PlumbError('CONFLICT', `${ref} ${why}`, { ref, id }, error);
  }
}

/** Makes the container, or finds the one that an interrupted apply left behind. Throws NOT_OURS, CONFLICT. */
export async function make(client: DockerClient, made: Made, ctx: Context): Promise<string> {
  const name = dockerName(made.ref);
  const create = (): Promise<string> => client.containers.create(name, made.body, ctx.signal);
  try {
    return await create();
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    const holder = await holderOf(client, made.ref, ctx.signal);
    if (!holder) return create();
    if (holder.labels[LABELS.fleet] !== ctx.fleet) throw notOurs(made.ref, holder, ctx.fleet);
    if (isMade(holder, made)) return holder.id;
    if (holder.state === 'running' || holder.state === 'paused')
      throw new PlumbError('CONFLICT', `${name} runs already, made from another spec`, {
        ref: made.ref,
        id: holder.id,
      });
    await client.containers.remove(holder.id, ctx.signal);
    return create();
  }
}

function isMade(row: ContainerRow, made: Made): boolean {
  return (
    row.labels[LABELS.ref] === made.ref &&
    row.labels[LABELS.fingerprint] === made.fingerprint &&
    row.networkMode === made.networkMode &&
    made.usable.includes(row.state)
  );
}

/** The container that has the name of a ref. */
export async function holderOf(client: DockerClient, ref: Ref, signal: AbortSignal): Promise<ContainerRow | undefined> {
  const name = dockerName(ref);
  const rows = await client.containers.list({ name: [`^/${name.replace(/[.]/g, '\\.')}$`] }, signal);
  return rows.find((row) => row.name === name);
}

function notOurs(ref: Ref, holder: ContainerRow, fleet: string): PlumbError {
  const theirs = holder.labels[LABELS.fleet];
  const whose = theirs === undefined ? 'carries no mark of Plumbline' : `belongs to the fleet ${theirs}, not ${fleet}`;
  return new PlumbError(
    'NOT_OURS',
    `${ref} cannot be made: the container ${holder.name} (${holder.id.slice(0, 12)}) has its name and ${whose}; rename it or remove it by hand`,
    { ref, id: holder.id },
  );
}

/** Starts a container; one that runs is left alone. Throws CONFLICT when it or the sandbox it joins is gone. */
export async function start(client: DockerClient, id: string, ref: Ref, signal: AbortSignal): Promise<void> {
  try {
    await client.containers.act(id, 'start', { deadline: START_DEADLINE }, signal);
  } catch (error) {
    if (!(error instanceof PlumbError) || statusOf(error) === undefined) throw error;
    const gone =
      statusOf(error) === 404 || /cannot join network|No such container|marked for removal/i.test(error.message);
    // a missing program is a 404 as well
    if (gone && !/exec|runc|OCI/.test(error.message))
      throw new PlumbError('CONFLICT', `${ref} cannot start: ${error.message}`, { ref, id }, error);
    throw new PlumbError('CONTAINER_FAILED', `${ref} cannot start: ${explain(error.message)}`, { ref, id }, error);
  }
}

/** Docker's words, and the next step for those that are hard to read. */
function explain(words: string): string {
  if (/executable file not found|no such file or directory: unknown/.test(words))
    return `${words}; check command and args against what the image holds`;
  if (/rlimit/.test(words))
    return `${words}; dockerd itself has a lower limit: lower openFiles or ulimits, or raise LimitNOFILE of dockerd`;
  if (/bind source path does not exist/.test(words)) return `${words}; make the directory on the host`;
  return words;
}

/**
 * Stops a container with its own stop signal or another, waits for the grace, and removes it. `running`: it may need stopping. What
 * stands still goes on first: cgroup v1 keeps even SIGKILL from it. False when it was gone already.
 */
export async function end(
  client: DockerClient,
  kernel: Namespaces,
  id: string,
  options: { readonly status: string; readonly stop: Stop; readonly ownSignal: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const { stop, status } = options;
  try {
    if (status === 'paused') await shift(client, kernel, id, false, signal);
    else if (kernel.frozen(id) === true) kernel.setFrozen(id, false);
    if (['running', 'paused', 'restarting'].includes(status)) {
      const deadline = stop.grace + STOP_MARGIN;
      if (options.ownSignal)
        await client.containers.act(id, 'stop', { query: { t: Math.ceil(stop.grace / 1000) }, deadline }, signal);
      else await signalAndWait(client, id, stop, signal);
    }
  } catch (error) {
    // it is not paused, or not running, any more
    if (statusOf(error) !== 404 && !isNotPaused(error)) throw error;
  }
  return client.containers.remove(id, signal);
}

async function signalAndWait(client: DockerClient, id: string, stop: Stop, signal: AbortSignal): Promise<void> {
  await client.containers.act(id, 'kill', { query: { signal: stop.signal } }, signal);
  try {
    const query = { condition: 'not-running' };
    await client.containers.act(id, 'wait', { query, deadline: Math.max(1, stop.grace) }, signal);
  } catch (error) {
    // the grace is over: removing by force kills it
    if (signal.aborted || statusOf(error) !== undefined) throw error;
  }
}

/** `SIGTERM 10000` as kept in a label; Docker's own defaults where there is none. */
export function parseStop(label: string | undefined): Stop {
  const [, signal = 'SIGTERM', grace = '10000'] = /^(SIG\S+) ([0-9]+)$/.exec(label ?? '') ?? [];
  return { signal, grace: Number(grace) };
}
