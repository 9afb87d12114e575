import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { CgroupSpec, SandboxState } from '../../reconciler/model/resources.ts';
import { bringBack, escapeWords, findEscapes, type Escape, type Suspect } from './escape.ts';
import type { Held, Machine } from './held.ts';
import type { TrackedCgroups } from './tracked.ts';
import type { Refusal } from './write.ts';

/** The replicas of some refs whose sandbox runs. */
export function suspectsOf({ items }: TrackedCgroups, ctx: Context, refs: Iterable<Ref>): ReadonlyMap<string, Suspect> {
  const found = new Map<string, Suspect>();
  for (const ref of refs) {
    const held = items.get(ref)?.held;
    const sandbox = ctx.world.get(refOf('sandbox', nameOf(ref)));
    const { pid } = sandbox?.known === true ? (sandbox.state as Partial<SandboxState>) : {};
    if (held && pid !== undefined) found.set(nameOf(ref), { sandboxPid: pid, id: held.id, path: held.path });
  }
  return found;
}

/** What came back into a cgroup, in words, and what the kernel did not let back. */
export interface Returned {
  readonly moved: readonly string[];
  readonly refused: readonly Refusal[];
}

/** Moves back what escaped of a replica, and notes what is still outside. */
export function returnEscapes(
  machine: Machine,
  tracked: TrackedCgroups,
  escaped: Map<string, readonly Escape[]>,
  { ref, want, held }: { readonly ref: Ref; readonly want: CgroupSpec; readonly held: Held },
  ctx: Context,
): Returned {
  const who = (escape: Escape): string => `${escape.name} ${String(escape.tid ?? escape.pid)}`;
  const look = (): readonly Escape[] => findEscapes(machine, suspectsOf(tracked, ctx, [ref])).get(nameOf(ref)) ?? [];
  const all = look();
  const refused = all.flatMap((escape): readonly Refusal[] => {
    const errno = bringBack(machine, held.path, escape);
    const why = `it stays in ${escape.where}`;
    return errno === undefined ? [] : [{ file: 'cgroup.procs', value: who(escape), errno, why }];
  });
  const left = look();
  escaped.set(nameOf(ref), left);
  const item = tracked.items.get(ref);
  if (item && refused.length > 0) item.stays = escapeWords(left);
  tracked.refuse(ref, want, refused);
  const gone = all.filter((escape) => !left.some(({ pid, tid }) => pid === escape.pid && tid === escape.tid));
  return { moved: gone.map((escape) => `${who(escape)} moved back from ${escape.where}`), refused };
}
