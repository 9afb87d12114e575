import { join } from 'node:path';
import type { Change, Evidence, Known, Observed } from '../../reconciler/model/change.ts';
import { allot, CORES, cpusetOf, sameCpus, writesBetween } from '../../reconciler/model/cores.ts';
import { asPlumbError, errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
import { createHints, type Hints } from '../../reconciler/model/hints.ts';
import { diffByRef, type Context, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf } from '../../reconciler/model/ref.ts';
import type { ContainerState, CoresSpec, CoresState, Cpuset } from '../../reconciler/model/resources.ts';
import { diffCores, isHeld, targetsOf } from './cores-diff.ts';
import { disk, readText, type Files } from './files.ts';
import { hierarchy } from './hierarchy.ts';
import { givenIn } from './given.ts';
import { writeNested } from './nested.ts';
import { topologyReader, type Topology } from './topology.ts';

export interface CoresOptions {
  /** Keeps which CPUs were given to whom: `{"version": 1, "given": {REPLICA: CPUS}}`. */
  readonly file: string;
  /** Where the cgroup trees are mounted. */
  readonly root?: string;
  readonly sysRoot?: string;
  /** Tells Docker the CPUs of a container, running or not, so that it writes no old ones. */
  readonly tellDocker?: (containerId: string, cpuset: Cpuset, signal: AbortSignal) => Promise<void>;
  readonly files?: Files;
}

/** A container of ours, by replica. */
interface Guest {
  readonly id: string;
  readonly running: boolean;
}

const CPUS = 'cpuset.cpus';
const MEMS = 'cpuset.mems';
/** So many containers are told to Docker at a time. */
const TOLD_AT_ONCE = 8;

/**
 * Which CPUs each container of a host runs on: pinned ones have theirs alone, all others share the rest. It is there once something
 * was pinned, and leaves when nothing is: then all have all again.
 */
export function cores(options: CoresOptions): Provider<CoresSpec, CoresState> {
  const { root = '/sys/fs/cgroup', sysRoot = '/sys', files = disk } = options;
  const tree = hierarchy(root, files);
  const readTopology = topologyReader({ root, sysRoot, files });
  const given = givenIn(options.file);
  /** Replicas whose containers were seen: one that leaves is not among those that are wanted. */
  const seen = new Set<string>();
  const listeners = new Set<Hints>();
  const watches = new Map<string, () => void>();

  function guests(ctx: Context, remembered: CoresState['given']): Map<string, Guest> | { readonly why: string } {
    const wanted = (ctx.wanted ?? []).filter((ref) => kindOf(ref) === 'container').map(nameOf);
    const found = new Map<string, Guest>();
    for (const replica of new Set([...wanted, ...Object.keys(remembered), ...seen])) {
      const item = ctx.world.get(refOf('container', replica));
      if (item?.known === false) return { why: item.why };
      if (!item?.owned) seen.delete(replica);
      else {
        seen.add(replica);
        const { id, status } = item.state as ContainerState;
        found.set(replica, { id, running: status === 'running' || status === 'paused' });
      }
    }
    return found;
  }

  /** The directories of the cpusets of those that run. */
  function directories(all: ReadonlyMap<string, Guest>): ReadonlyMap<string, string> {
    const running = [...all].filter(([, { running: runs }]) => runs);
    const paths = tree.find(running.map(([, { id }]) => id));
    return new Map(
      running.flatMap(([replica, { id }]) => {
        const path = paths.get(id);
        return path === undefined ? [] : [[replica, tree.directory('cpuset', path)] as const];
      }),
    );
  }

  function heldBy(homes: ReadonlyMap<string, string>): CoresState['held'] {
    const held: Record<string, Cpuset> = {};
    for (const [replica, directory] of homes) {
      try {
        held[replica] = { cpus: readText(files, directory, CPUS), mems: readText(files, directory, MEMS) };
      } catch (error) {
        // it has just ended
        if (!['ENOENT', 'ENODEV'].includes(errnoOf(error))) throw error;
      }
    }
    return held;
  }

  function machine(): Topology {
    const topology = readTopology();
    if (topology) return topology;
    throw new PlumbError(
      'KNOB_UNSUPPORTED',
      `there is no cpuset below ${root}: no container can have cores of its own`,
    );
  }

  function watchAll(homes: ReadonlyMap<string, string>): void {
    const wanted = new Set(listeners.size > 0 ? homes.values() : []);
    for (const [directory, end] of watches)
      if (!wanted.has(directory)) {
        end();
        watches.delete(directory);
      }
    for (const directory of wanted) {
      if (watches.has(directory)) continue;
      try {
        const end = files.watch(directory, (file) => {
          if (file === null || file === CPUS || file === MEMS) for (const hints of listeners) hints.add(CORES);
        });
        watches.set(directory, end);
      } catch {
        // no inotify watch left, or just gone: the resync sees it
      }
    }
  }

  /** What is there, given what is remembered. */
  function look(remembered: CoresState['given'], all: ReadonlyMap<string, Guest>) {
    const homes = directories(all);
    watchAll(homes);
    return { homes, state: { ...machine(), given: remembered, held: heldBy(homes) } };
  }

  /** Writes what differs; gives what was done and what the kernel did not take. */
  function write(
    homes: ReadonlyMap<string, string>,
    held: CoresState['held'],
    targets: Readonly<Record<string, Cpuset>>,
  ) {
    const did: string[] = [];
    const refused: string[] = [];
    const put = (replica: string, name: string, value: string): void => {
      try {
        const home = homes.get(replica) ?? '';
        if (tree.version === 'v1') writeNested(files, home, name, value);
        else files.write(join(home, name), value);
        did.push(`${replica} ${name} ${value}`);
      } catch (error) {
        if (!['ENOENT', 'ENODEV'].includes(errnoOf(error)))
          refused.push(`${replica}: ${name} = ${value}: ${errnoOf(error)}`);
      }
    };
    for (const { replica, cpus } of writesBetween(held, targets, given.all() ?? {})) put(replica, CPUS, cpus);
    for (const [replica, { mems }] of Object.entries(targets))
      if (!sameCpus(held[replica]?.mems ?? '', mems)) put(replica, MEMS, mems);
    return { did, refused };
  }

  async function tell(all: ReadonlyMap<string, Guest>, state: CoresState, some: ReadonlySet<string>, ctx: Context) {
    const due = [...all].filter(([replica, { running }]) => !running || some.has(replica));
    const failures: string[] = [];
    const worker = async (): Promise<void> => {
      for (let next = due.shift(); next; next = due.shift()) {
        const [replica, { id }] = next;
        try {
          await options.tellDocker?.(id, cpusetOf(state, replica), ctx.signal);
        } catch (error) {
          failures.push(`${replica}: ${asPlumbError(error).message}`);
        }
      }
    };
    await Promise.all(Array.from({ length: TOLD_AT_ONCE }, worker));
    return failures;
  }

  async function apply({ want }: Change<CoresSpec>, ctx: Context): Promise<Evidence> {
    for (const replica of want ? [...want.shared, ...Object.keys(want.pinned)] : []) seen.add(replica);
    const all = guests(ctx, given.all() ?? {});
    if (!(all instanceof Map)) throw new PlumbError('CONFLICT', `what runs is not known: ${all.why}`);
    const { homes, state: before } = look(given.all() ?? {}, all);
    const next = want ? allot(want, before) : { given: {}, lacking: [] };
    // kept before it is done: killed here, the next start goes on with it
    if (want) given.keep(next.given);
    const state = { ...before, given: next.given };
    const targets = targetsOf(state);
    const { did, refused } = write(homes, before.held, targets);
    const changed = new Set(Object.keys(before.held).filter((replica) => !isHeld(before, targets, replica)));
    const dockerNotUpdated = await tell(all, state, changed, ctx);
    if (refused.length > 0)
      throw new PlumbError('KNOB_REFUSED', `cores of the host: ${refused.join('; ')}`, { refused });
    if (!want) given.forget();
    else if (next.lacking.length > 0) throw lackingCores(want, next.lacking);
    return {
      did: did.length === 0 ? 'was right already' : did.join(', '),
      ...(want ? { observed: known({ ...state, held: heldBy(homes) }) } : {}),
      ...(dockerNotUpdated.length === 0 ? {} : { facts: { dockerNotUpdated: dockerNotUpdated.join('; ') } }),
    };
  }

  return {
    name: 'cores',
    kinds: ['cores'],
    observe: (ctx, refs) => {
      const remembered = given.all();
      if (!remembered || refs?.includes(CORES) === false) return Promise.resolve([]);
      const all = guests(ctx, remembered);
      const item: Observed<CoresState> =
        all instanceof Map ? known(look(remembered, all).state) : { known: false, ref: CORES, why: all.why };
      return Promise.resolve([item]);
    },
    diff: diffByRef(diffCores),
    apply,
    async *watch(ctx) {
      const hints = createHints(ctx.signal);
      listeners.add(hints);
      hints.add(CORES);
      try {
        yield* hints;
      } finally {
        listeners.delete(hints);
        if (listeners.size === 0) watchAll(new Map());
      }
    },
  };
}

function known(state: CoresState): Known<CoresState> {
  return { known: true, ref: CORES, state, owned: true };
}

function lackingCores({ pinned }: CoresSpec, lacking: readonly string[]): PlumbError {
  const words = lacking.map((replica) => {
    const { node = 0, cores: count = 0 } = pinned[replica] ?? {};
    return `${replica} is to have ${String(count)} of NUMA node ${String(node)}`;
  });
  return new PlumbError('CORES_UNAVAILABLE', `too few cores that nobody has: ${words.join(', ')}`, { lacking });
}
