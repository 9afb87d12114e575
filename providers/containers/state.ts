import type { Known } from '../../reconciler/model/change.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { isRef, kindOf, refOf } from '../../reconciler/model/ref.ts';
import { LABELS } from '../../reconciler/model/resources.ts';
import type { ContainerState, ImageState, SandboxState } from '../../reconciler/model/resources.ts';
import { dockerName } from './spec.ts';
import type { ContainerRow } from './wire.ts';

/** What this provider says of any of its refs. */
export type State = ImageState | SandboxState | ContainerState;

/** The code in `Exited (137) 3 seconds ago`. */
export function exitCodeOf(status: string): number | undefined {
  const match = /^Exited \((-?[0-9]+)\)/.exec(status);
  return match ? Number(match[1]) : undefined;
}

/** Which ref a container is or blocks: by its label, or a stranger by its name. */
export function refOfRow(row: ContainerRow): Ref | undefined {
  const label = row.labels[LABELS.ref];
  if (row.labels[LABELS.fleet] !== undefined && label !== undefined && isRef(label)) return label;
  const name = /^plumb-(.+?)(-sandbox)?$/.exec(row.name);
  return name?.[1] === undefined ? undefined : refOf(name[2] === undefined ? 'container' : 'sandbox', name[1]);
}

/** The container that answers for each ref; of two with one label the one of the right name. */
export function rowsByRef(rows: readonly ContainerRow[]): ReadonlyMap<Ref, ContainerRow> {
  const found = new Map<Ref, ContainerRow>();
  for (const row of rows) {
    const ref = refOfRow(row);
    if (ref && (!found.has(ref) || row.name === dockerName(ref))) found.set(ref, row);
  }
  return found;
}

function made(row: ContainerRow): { readonly fingerprint: string; readonly made?: string } {
  const text = row.labels[LABELS.made];
  return { fingerprint: row.labels[LABELS.fingerprint] ?? '', ...(text === undefined ? {} : { made: text }) };
}

/** A sandbox; `pid` as far as it is known. */
export function sandboxState(row: ContainerRow, pid: number | undefined): SandboxState {
  const running = row.state === 'running' || row.state === 'paused';
  return {
    id: row.id,
    running,
    status: row.state,
    ...(pid === undefined || !running ? {} : { pid }),
    ...made(row),
  };
}

/**
 * An application's container; `sandbox` is the one it is really in, or empty. `lifeless`: the kernel knows no process of it; `stopping`: it
 * was told to end.
 */
export function containerState(
  row: ContainerRow,
  sandbox: string,
  { lifeless = false, stopping = false }: { readonly lifeless?: boolean; readonly stopping?: boolean } = {},
): ContainerState {
  const exitCode = exitCodeOf(row.status);
  const stop = row.labels[LABELS.stop];
  const unlimited = row.labels[LABELS.unlimited];
  return {
    id: row.id,
    status: row.state,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(row.endedAt === undefined || row.state === 'running' ? {} : { endedAt: row.endedAt }),
    ...(lifeless && row.state === 'running' ? { lifeless } : {}),
    ...(stopping && ['running', 'paused'].includes(row.state) ? { stopping } : {}),
    image: row.imageId,
    sandbox,
    ...(stop === undefined ? {} : { stop }),
    ...(unlimited === undefined ? {} : { unlimited }),
    ...made(row),
  };
}

/** What the storage driver of a container does not keep. */
export function limitationsOf(ref: Ref, state: object): Pick<Known, 'limitations'> {
  const { unlimited } = state as Partial<ContainerState>;
  if (unlimited === undefined) return {};
  return { limitations: [{ ref, path: '/layer', state: 'Unsupported', why: unlimited }] };
}

/** A seen container as an observation; the guard is its id. */
export function knownRow(ref: Ref, row: ContainerRow, fleet: string, state: State): Known<State> {
  const owned = row.labels[LABELS.fleet] === fleet;
  return { known: true, ref, state, owned, version: row.id, ...limitationsOf(ref, state) };
}

/** Whether a state is a sandbox's (of a ref of that kind). */
export function isSandbox(ref: Ref, state: State): state is SandboxState {
  return kindOf(ref) === 'sandbox' && 'running' in state;
}

/** Whether a state is a container's (of a ref of that kind). */
export function isContainer(ref: Ref, state: State): state is ContainerState {
  return kindOf(ref) === 'container' && 'sandbox' in state;
}
