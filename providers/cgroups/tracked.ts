import type { Claim, Known, Observed } from '../../reconciler/model/change.ts';
import type { Hints } from '../../reconciler/model/hints.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf, type Ref } from '../../reconciler/model/ref.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import type { Escape } from './escape.ts';
import { hold, type Held, type How, type Machine } from './held.ts';
import { fieldOf } from './knobs.ts';
import { known, runningContainer, type Refused } from './seen.ts';
import type { Refusal } from './write.ts';

/** One container's cgroup, watched while somebody listens. */
export interface Tracked {
  readonly held: Held;
  refused: ReadonlyMap<string, Refused>;
  /** What of it the kernel did not let back, in words: it is tried again once that is another. */
  stays?: string;
  /** Who would write something else one day. */
  claims: readonly Claim[];
  unwatch: (() => void) | undefined;
}

/** The cgroups of running containers, held open from look to look. */
export interface TrackedCgroups {
  readonly items: ReadonlyMap<Ref, Tracked>;
  /** Finds and reads those of some refs; those whose containers do not run are held no longer. */
  observe(ctx: Context, refs: readonly Ref[], how?: How): readonly Observed<CgroupState>[];
  /** A cgroup as its provider tells of it. */
  told(ref: Ref, state: CgroupState): Known<CgroupState>;
  /** Notes what the kernel refused of what is wanted. */
  refuse(ref: Ref, want: CgroupSpec, refused: readonly Refusal[]): void;
  drop(ref: Ref): void;
  /** Hints at what changes until the function that it gives is called. */
  listen(hints: Hints): () => void;
}

interface TrackedOptions {
  /** For people: where cgroups are looked for. */
  readonly root: string;
  /** What of each replica is outside its cgroup, as it was last seen. */
  readonly escaped: ReadonlyMap<string, readonly Escape[]>;
  /** Told what is held no longer. */
  readonly dropped: (held: Held) => void;
}

/** None is held yet. */
export function createTracked(machine: Machine, { root, escaped, dropped }: TrackedOptions): TrackedCgroups {
  const { files, tree } = machine;
  const items = new Map<Ref, Tracked>();
  const listeners = new Set<Hints>();

  function drop(ref: Ref): void {
    const item = items.get(ref);
    if (!item) return;
    item.unwatch?.();
    item.held.close();
    items.delete(ref);
    dropped(item.held);
  }

  function watchOne(ref: Ref, item: Tracked): void {
    if (listeners.size === 0 || item.unwatch) return;
    const ends: (() => void)[] = [];
    item.unwatch = () => {
      for (const end of ends) end();
      item.unwatch = undefined;
    };
    for (const directory of item.held.directories) {
      try {
        ends.push(
          files.watch(directory, (file) => {
            if (file === null || item.held.has(file)) for (const hints of listeners) hints.add(ref);
          }),
        );
      } catch {
        // no inotify watch left, or just gone: the resync sees it
        return;
      }
    }
  }

  function track(ref: Ref, id: string, path: string): void {
    const held = hold(machine, id, path);
    if (!held) return;
    const item: Tracked = { held, unwatch: undefined, refused: new Map(), claims: [] };
    items.set(ref, item);
    watchOne(ref, item);
  }

  function told(ref: Ref, state: CgroupState): Known<CgroupState> {
    const escapes = escaped.get(nameOf(ref));
    const { refused = new Map<string, Refused>(), stays, claims = [] } = items.get(ref) ?? {};
    return known(ref, state, {
      version: tree.version,
      refused,
      claims,
      ...(escapes ? { escapes } : {}),
      ...(stays === undefined ? {} : { stays }),
    });
  }

  /** Reads through what is held already; undefined if that is another container's or gone. */
  function readHeld(ref: Ref, id: string, how: How): Observed<CgroupState> | undefined {
    const item = items.get(ref);
    if (!item) return undefined;
    const state = item.held.id === id ? item.held.read(how) : undefined;
    if (state) return told(ref, state);
    drop(ref);
    return undefined;
  }

  function observe(ctx: Context, refs: readonly Ref[], how: How = 'all'): readonly Observed<CgroupState>[] {
    const seen: Observed<CgroupState>[] = [];
    const unheld: { readonly ref: Ref; readonly id: string }[] = [];
    for (const ref of refs) {
      const container = runningContainer(ctx, ref, machine.paused);
      if (typeof container === 'object') seen.push(container);
      else if (container === undefined) drop(ref);
      else {
        const item = readHeld(ref, container, how);
        if (item) seen.push(item);
        else unheld.push({ ref, id: container });
      }
    }
    if (unheld.length === 0) return seen;
    const paths = tree.find(unheld.map(({ id }) => id));
    for (const { ref, id } of unheld) {
      const path = paths.get(id);
      if (path !== undefined) track(ref, id, path);
      const item = readHeld(ref, id, how);
      seen.push(item ?? { known: false, ref, why: `no cgroup of container ${id.slice(0, 12)} below ${root}` });
    }
    return seen;
  }

  return {
    items,
    observe,
    told,
    refuse: (ref, want, refused) => {
      const item = items.get(ref);
      if (item) item.refused = new Map([...item.refused, ...refusalsOf(want, refused)]);
    },
    drop,
    listen: (hints) => {
      listeners.add(hints);
      for (const [ref, item] of items) watchOne(ref, item);
      return () => {
        listeners.delete(hints);
        if (listeners.size === 0) for (const item of items.values()) item.unwatch?.();
      };
    },
  };
}

/** What was refused, by field. */
function refusalsOf(want: CgroupSpec, refused: readonly Refusal[]): ReadonlyMap<string, Refused> {
  return new Map(
    refused.map(({ file, value, errno, why }) => {
      const field = fieldOf(file) ?? 'escape';
      return [field, { want: want[field], errno, why: `${file} = ${value}: ${errno}, ${why}` }];
    }),
  );
}
