import fs from 'node:fs';
import type { Change, Evidence, Observed } from '../../reconciler/model/change.ts';
import { PlumbError, type ErrorCode } from '../../reconciler/model/errors.ts';
import { createHints } from '../../reconciler/model/hints.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { ContainerSpec } from '../../reconciler/model/resources.ts';
import {
  BOOT_VALUE,
  implicitOf,
  knownOf,
  limitsOf,
  madeOf,
  originalOf,
  runs,
  shownOf,
  startedOf,
  type FixedParts,
  type Look,
  type State,
} from './states.ts';
import { thingsIn, type Things } from './things.ts';

export interface SimulatedOptions {
  /** Where the simulated world is: a folder of JSON files that a person may read, edit and remove. */
  readonly dir: string;
  /** The diff of the real providers, by the kinds that they answer for: plans and drift are the same here. */
  readonly rules: readonly Pick<Provider, 'kinds' | 'diff'>[];
  /** What a new container and a new sandbox are needed for, as the real provider has it. */
  readonly fixed: FixedParts;
}

const NAME = 'simulated';

/** How the real provider of a kind says that it failed. */
const FAILURES: Readonly<Record<string, ErrorCode>> = {
  image: 'IMAGE_UNAVAILABLE',
  sandbox: 'CONTAINER_FAILED',
  container: 'CONTAINER_FAILED',
  port: 'PORT_FAILED',
  bridge: 'OVS_UNAVAILABLE',
  'ovs-config': 'OVS_UNAVAILABLE',
  cgroup: 'KNOB_REFUSED',
  cores: 'CORES_UNAVAILABLE',
  sysctl: 'KNOB_REFUSED',
  knob: 'KNOB_REFUSED',
};

/** Kinds of which a stranger's thing is not touched. */
const MARKED: ReadonlySet<string> = new Set(['sandbox', 'container', 'port']);

/** What else may look different when a thing of a kind changes. */
const FOLLOWERS: Readonly<Record<string, readonly string[]>> = {
  sandbox: ['port', 'container'],
  container: ['cgroup'],
};

/**
 * A host without a kernel: things are files, and behave as far as a plan can tell like the real ones. A text in `NAME.fail` beside a
 * thing makes changes of it fail with these words.
 */
export function simulated(options: SimulatedOptions): Provider {
  const { dir, rules, fixed } = options;
  const kinds = rules.flatMap((rule) => rule.kinds);
  const things = thingsIn(dir, kinds);
  const look: Look = (ref) => {
    const thing = things.get(ref);
    return thing && 'state' in thing ? thing : undefined;
  };

  const shown = (ref: Ref, state: State): State => shownOf(ref, state, look, () => things.all());

  function seen(ref: Ref, fleet: string): Observed | undefined {
    const thing = things.get(ref);
    if (thing && 'why' in thing) return { known: false, ref, why: thing.why };
    if (kindOf(ref) === 'cgroup' && !runs(ref, look)) return undefined;
    const state = thing?.state ?? implicitOf(ref, look);
    return state && knownOf(ref, shown(ref, state), thing?.owner === fleet || kindOf(ref) === 'cgroup');
  }

  function make(change: Change, ctx: Context): string {
    const { ref, want } = change;
    const before = look(ref);
    const fresh = madeOf(ref, want, originalOf(ref, before, ctx.fleet), look, fixed);
    if (before && before.owner !== ctx.fleet && MARKED.has(kindOf(ref)))
      throw new PlumbError('NOT_OURS', `${ref} is there and carries no mark of fleet ${ctx.fleet}`, { ref });
    if (hasId(ref)) return start(change, ctx, fresh);
    // a bridge that the site made stays the site's
    put(ref, kindOf(ref) === 'bridge' && before ? before.owner : ctx.fleet, fresh);
    return 'set as wanted';
  }

  /** Puts a new container or sandbox in the place of the one that the guard names. */
  function start(change: Change, ctx: Context, fresh: State): string {
    const { ref, want } = change;
    const before = look(ref);
    const have = before && shown(ref, before.state);
    const fits =
      have !== undefined &&
      have['status'] === fresh['status'] &&
      have['fingerprint'] === fresh['fingerprint'] &&
      have['sandbox'] !== '';
    if (have && fits && have['id'] !== change.guard) return 'was there already';
    if (have && have['id'] !== change.guard)
      throw new PlumbError('CONFLICT', `${ref} is another one by now`, { ref, id: have['id'] });
    if (kindOf(ref) === 'container') {
      if (fresh['sandbox'] === undefined || shown(ref, fresh)['sandbox'] === '') {
        const sandbox = refOf('sandbox', nameOf(ref));
        throw new PlumbError('CONFLICT', `${ref} waits for ${sandbox}, which is not running`, { ref });
      }
      const { image, resources } = want as ContainerSpec;
      if (fresh['image'] === undefined)
        throw new PlumbError('IMAGE_UNAVAILABLE', `image ${image} is not on this host any more`, { image });
      put(refOf('cgroup', nameOf(ref)), ctx.fleet, limitsOf(resources));
    }
    put(ref, ctx.fleet, fresh);
    return `started ${short(fresh)}`;
  }

  function put(ref: Ref, owner: string | undefined, state: State): void {
    // an image is nobody's
    things.put(ref, kindOf(ref) === 'image' || owner === undefined ? { state } : { owner, state });
  }

  function update(change: Change, ctx: Context): string {
    const { ref, guard } = change;
    const there = look(ref);
    if (hasId(ref) && there?.state['id'] !== guard)
      throw new PlumbError('CONFLICT', `${ref} is another one by now`, { ref });
    if (kindOf(ref) === 'cgroup' && !runs(ref, look))
      throw new PlumbError('CONFLICT', `the container of ${nameOf(ref)} does not run now`, { ref });
    if (!hasId(ref) || !there) return make(change, ctx);
    const now = startedOf(there.state, change.want);
    put(ref, ctx.fleet, now);
    return now['status'] === 'paused' ? `froze ${short(now)}` : `started ${short(now)} again`;
  }

  function remove(change: Change, ctx: Context): string {
    const { ref, guard } = change;
    const before = look(ref);
    if (!before) return 'was gone already';
    if (kindOf(ref) === 'image') return 'left the image where it is';
    if (before.owner !== ctx.fleet)
      throw new PlumbError('NOT_OURS', `${ref} carries no mark of fleet ${ctx.fleet}`, { ref });
    if (hasId(ref) && before.state['id'] !== guard)
      throw new PlumbError('CONFLICT', `${ref} is another one by now`, { ref });
    const { original } = before.state;
    if (kindOf(ref) === 'container') things.remove(refOf('cgroup', nameOf(ref)));
    if (typeof original === 'string' && original !== BOOT_VALUE) things.put(ref, { state: { value: original } });
    else things.remove(ref);
    return typeof original === 'string' ? `original ${original} put back` : 'removed';
  }

  return {
    name: NAME,
    kinds,
    observe(ctx, refs) {
      const asked = refs ?? everything(things, ctx.wanted ?? [], kinds);
      return Promise.resolve(asked.map((ref) => seen(ref, ctx.fleet)).filter((item) => item !== undefined));
    },
    diff: (desired, observed) =>
      rules.flatMap((rule) => {
        const mine = ({ ref }: { readonly ref: Ref }): boolean => rule.kinds.includes(kindOf(ref));
        const changes = rule.diff(desired.filter(mine), observed.filter(mine));
        return changes.map((change) => ({ ...change, provider: NAME }));
      }),
    async apply(change, ctx): Promise<Evidence> {
      const { ref, verb } = change;
      const failure = things.failure(ref);
      if (failure !== undefined)
        throw new PlumbError(
          FAILURES[kindOf(ref)] ?? 'INTERNAL',
          failure === '' ? 'it fails, as its .fail file says' : failure,
        );
      const step = verb === 'delete' ? remove : verb === 'update' ? update : make;
      const did = step(change, ctx);
      const observed = seen(ref, ctx.fleet);
      return { did, ...(observed ? { observed } : {}) };
    },
    async *watch({ signal }) {
      const hints = createHints(signal);
      const watchers = kinds.map((kind) =>
        fs.watch(things.folder(kind), (_event, file) => {
          const ref = file === null ? undefined : things.refOfFile(kind, file);
          if (!ref) return;
          hints.add(ref);
          for (const other of FOLLOWERS[kind] ?? []) hints.add(refOf(other, nameOf(ref)));
        }),
      );
      try {
        yield* hints;
      } finally {
        for (const watcher of watchers) watcher.close();
      }
    },
  };
}

/** Containers and sandboxes are one of a kind: each new one has an id of its own. */
function hasId(ref: Ref): boolean {
  return kindOf(ref) === 'container' || kindOf(ref) === 'sandbox';
}

function short(state: State): string {
  return typeof state['id'] === 'string' ? state['id'].slice(0, 12) : 'it';
}

/** All that has a file, and what is there without one: cgroups of containers, sysctls that are wanted. */
function everything(things: Things, wanted: readonly Ref[], kinds: readonly string[]): readonly Ref[] {
  const files = things.all();
  const cgroups = files.filter((ref) => kindOf(ref) === 'container').map((ref) => refOf('cgroup', nameOf(ref)));
  return [...new Set([...files, ...cgroups, ...wanted])].filter((ref) => kinds.includes(kindOf(ref)));
}
