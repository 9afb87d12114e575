import type { Change, Desired, FieldDiff } from '../model/change.ts';
import type { MemorySpec } from '../model/memory.ts';
import { kindOf, refOf, nameOf, type Ref } from '../model/ref.ts';
import { formatDuration } from '../model/units.ts';

type Told = ReadonlyMap<Ref, Desired>;

/** A rule as its fields, in words; nothing where there is none. */
function said(rule: MemorySpec | undefined): Readonly<Record<string, number | string>> {
  if (!rule) return {};
  const { above, window, coolDown } = rule;
  return { '/above': above, '/window': formatDuration(window), '/coolDown': formatDuration(coolDown) };
}

/** Rules of replicas that come and go are no news of their own. */
function stays(ref: Ref, before: Told, after: Told): boolean {
  const container = refOf('container', nameOf(ref));
  return before.has(container) === after.has(container);
}

/**
 * The rules by which a host is to give back memory that are others than it was last told. No look at it shows them: what they ask for is
 * done as it comes, and may never be.
 */
export function ruleChanges(before: Told, after: Told): readonly Change[] {
  const refs = [...new Set([...before.keys(), ...after.keys()])].filter((ref) => kindOf(ref) === 'memory');
  return refs.flatMap((ref): readonly Change[] => {
    const [had, want] = [before.get(ref)?.spec, after.get(ref)?.spec] as readonly (MemorySpec | undefined)[];
    const [have, asked] = [said(had), said(want)];
    const fields = Object.keys({ ...have, ...asked })
      .filter((path) => have[path] !== asked[path])
      .map((path): FieldDiff => ({ path, have: have[path], want: asked[path] }));
    if (fields.length === 0 || !stays(ref, before, after)) return [];
    return [
      {
        ref,
        provider: 'memory',
        verb: 'update',
        want,
        have: had,
        fields,
        disruption: 'none',
        because: had ? 'spec changed' : 'new',
      },
    ];
  });
}
