import type { Known, Observed } from '../../reconciler/model/change.ts';
import { asPlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { kindOf, nameOf, refOf } from '../../reconciler/model/ref.ts';
import type { DockerClient } from './client.ts';
import { statusOf } from './transport.ts';
import type { First, Namespaces } from './namespaces.ts';
import { dockerName } from './spec.ts';
import type { State } from './state.ts';
import type { Stops } from './stops.ts';
import type { SandboxSysctls } from './sysctls.ts';
import { containerState, knownRow, refOfRow, rowsByRef, sandboxState } from './state.ts';
import type { ContainerRow } from './wire.ts';

/** More refs than this are cheaper found in the full list. */
const NAMED_LIMIT = 64;

/** Looks at containers and images: one list call for all sandboxes and containers, and one call for each image asked for by name. */
export interface Observer {
  observe(ctx: Context, refs?: readonly Ref[]): Promise<readonly Observed<State>[]>;
  /** Process of a sandbox: from its cgroup, else from Docker, which also teaches where cgroups are. */
  pid(id: string, signal: AbortSignal): Promise<number | undefined>;
  /** Remembers that a ref's container goes by another name, so that it is looked for by its label. */
  stray(ref: Ref): void;
}

export function observer(
  client: DockerClient,
  kernel: Namespaces,
  stops: Pick<Stops, 'has'>,
  sysctls?: SandboxSysctls,
): Observer {
  const strays = new Set<Ref>();

  const pid = async (id: string, signal: AbortSignal): Promise<number | undefined> => {
    const known = kernel.first(id)?.pid;
    if (known !== undefined) return known;
    try {
      const asked = await client.containers.pid(id, signal);
      if (asked === 0) return undefined;
      kernel.learn(id, asked);
      return asked;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  };

  const list = async (ctx: Context, refs: readonly Ref[] | undefined): Promise<readonly ContainerRow[]> => {
    if (refs?.length === 0) return [];
    if (refs && refs.length <= NAMED_LIMIT && !refs.some((ref) => strays.has(ref)))
      return client.containers.list({ name: namesFor(refs) }, ctx.signal);
    const rows = await client.containers.list({}, ctx.signal);
    strays.clear();
    for (const row of rows) {
      const ref = refOfRow(row);
      if (ref && row.name !== dockerName(ref)) strays.add(ref);
    }
    return rows;
  };

  const containers = async (ctx: Context, refs: readonly Ref[] | undefined): Promise<readonly Known<State>[]> => {
    const rows = await list(ctx, refs);
    const byRef = rowsByRef(rows);
    if (!refs) sysctls?.retain(byRef);
    const wanted = refs && new Set(refs);
    const seen: Known<State>[] = [];
    const homes = new Map<string, number | undefined>();
    for (const [ref, row] of byRef) {
      if (kindOf(ref) === 'sandbox' && row.state === 'running') homes.set(row.id, await pid(row.id, ctx.signal));
    }
    const isWanted = ([ref]: readonly [Ref, ContainerRow]): boolean => wanted?.has(ref) ?? true;
    const sandboxes = [...byRef]
      .filter(([ref]) => kindOf(ref) === 'sandbox')
      .filter(isWanted)
      .map(([ref, row]) => ({ ref, row, state: sandboxState(row, homes.get(row.id)) }));
    for (const { ref, state } of sandboxes) sysctls?.noted(ref, state);
    await sysctls?.firstLook(ctx.signal);
    for (const { ref, row, state } of sandboxes)
      seen.push(knownRow(ref, row, ctx.fleet, sysctls?.noted(ref, state) ?? state));
    for (const [ref, row] of [...byRef].filter(isWanted)) {
      if (kindOf(ref) === 'sandbox') continue;
      const first = row.state === 'running' ? kernel.first(row.id) : undefined;
      const lifeless = row.state === 'running' && !first && kernel.processes(row.id)?.length === 0;
      const home = joined(row, byRef.get(refOf('sandbox', nameOf(ref))), first, homes, kernel);
      const state = containerState(row, home, { lifeless, stopping: stops.has(row.id) });
      seen.push(knownRow(ref, row, ctx.fleet, state));
    }
    return refs ? seen : [...seen, ...imagesOf(rows)];
  };

  const images = async (ctx: Context, refs: readonly Ref[]): Promise<readonly Known<State>[]> => {
    const found = await Promise.all(refs.map((ref) => client.images.find(nameOf(ref), ctx.signal)));
    return refs.flatMap((ref, index) => {
      const state = found[index];
      return state ? [{ known: true as const, ref, state, owned: false, version: state.id }] : [];
    });
  };

  /** All containers, the images they run, and of the wanted images those that are here without being run. */
  const everything = async (ctx: Context): Promise<readonly Known<State>[]> => {
    const seen = await containers(ctx, undefined);
    const run = new Set(seen.map((item) => item.ref));
    const others = (ctx.wanted ?? []).filter((ref) => kindOf(ref) === 'image' && !run.has(ref));
    return [...seen, ...(await images(ctx, others))];
  };

  return {
    pid,
    stray: (ref) => {
      strays.add(ref);
    },
    observe: async (ctx, refs) => {
      if (!refs) return everything(ctx);
      try {
        const [first, second] = await Promise.all([
          containers(
            ctx,
            refs.filter((ref) => kindOf(ref) !== 'image'),
          ),
          images(
            ctx,
            refs.filter((ref) => kindOf(ref) === 'image'),
          ),
        ]);
        return [...first, ...second];
      } catch (error) {
        const why = asPlumbError(error).message;
        return refs.map((ref) => ({ known: false as const, ref, why }));
      }
    },
  };
}

/** Anchored name patterns of the refs, and of the sandboxes that the containers among them are in. */
function namesFor(refs: readonly Ref[]): readonly string[] {
  const all = refs.flatMap((ref) => (kindOf(ref) === 'container' ? [ref, refOf('sandbox', nameOf(ref))] : [ref]));
  return [...new Set(all)].map((ref) => `^/${dockerName(ref).replace(/[.]/g, '\\.')}$`);
}

/** Id of the sandbox that a container is really in; empty when that is not its living sandbox. */
function joined(
  row: ContainerRow,
  sandbox: ContainerRow | undefined,
  first: First | undefined,
  homes: ReadonlyMap<string, number | undefined>,
  kernel: Namespaces,
): string {
  const named = row.networkMode.replace(/^container:/, '');
  if (!sandbox || sandbox.id !== named || (sandbox.state !== 'running' && sandbox.state !== 'paused')) return '';
  if (row.state !== 'running') return named;
  // a sandbox that was restarted by hand has the same id and another namespace
  const home = homes.has(named) ? homes.get(named) : kernel.first(named)?.pid;
  const namespace = home === undefined ? undefined : kernel.network(home);
  if (namespace === undefined || first?.network === namespace) return named;
  const guests = kernel.processes(row.id) ?? [];
  const away = guests.length > 0 && guests.every((guest) => (kernel.network(guest) ?? namespace) !== namespace);
  return away ? '' : named;
}

/** Images that our containers run are known to be here; they are nobody's to delete. */
function imagesOf(rows: readonly ContainerRow[]): readonly Known<State>[] {
  const byRef = new Map<Ref, Known<State>>();
  for (const row of rows) {
    const ref = refOf('image', row.image);
    if (kindOf(refOfRow(row) ?? ref) === 'container')
      byRef.set(ref, { known: true, ref, state: { id: row.imageId }, owned: false, version: row.imageId });
  }
  return [...byRef.values()];
}
