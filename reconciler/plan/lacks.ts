import type { Desired, Observed } from '../model/change.ts';
import { canonical } from '../model/fingerprint.ts';
import { kindOf, type Ref } from '../model/ref.ts';
import { counted } from '../model/words.ts';

/** A new wish that hosts cannot hold. */
export interface Lack {
  /** `cgroup /high`: what is asked for, of which kind of thing. */
  readonly field: string;
  readonly why: string;
  readonly refs: readonly Ref[];
  readonly hosts: readonly string[];
}

type Told = ReadonlyMap<Ref, Desired>;

/** Kinds of which a machine that lacks something for one lacks it for all. */
const ALIKE: ReadonlySet<string> = new Set(['cgroup', 'container', 'memory']);

/** What things of a kind lack on a host, as it was seen of those that are there: `cgroup /high` and why. */
function lackedBy(seen: readonly Observed[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const item of seen) {
    if (!item.known || !ALIKE.has(kindOf(item.ref))) continue;
    for (const { path, state, why } of item.limitations ?? [])
      if (state === 'Unsupported') found.set(`${kindOf(item.ref)} ${path}`, why);
  }
  return found;
}

const valueAt = (item: Desired | undefined, path: string): unknown =>
  (item?.spec as Readonly<Record<string, unknown>> | undefined)?.[path.slice(1)];

/** What of the new wishes for a host it cannot hold, each of them for itself. */
export function lacksOf(
  host: string,
  { before, after, seen }: { readonly before: Told; readonly after: Told; readonly seen: readonly Observed[] },
): readonly Lack[] {
  return [...lackedBy(seen)].flatMap(([field, why]) => {
    const [kind = '', path = ''] = field.split(' ');
    return [...after.values()].flatMap((item): readonly Lack[] => {
      const want = kindOf(item.ref) === kind ? valueAt(item, path) : undefined;
      if (want === undefined || canonical(want) === canonical(valueAt(before.get(item.ref), path))) return [];
      return [{ field, why, refs: [item.ref], hosts: [host] }];
    });
  });
}

/** The same of many hosts: each that is lacked once, with all that ask for it. */
export function gathered(all: readonly Lack[]): readonly Lack[] {
  const found = new Map<string, { field: string; why: string; refs: Ref[]; hosts: Set<string> }>();
  for (const { field, why, refs, hosts } of all) {
    const one = found.get(`${field} ${why}`) ?? { field, why, refs: [], hosts: new Set<string>() };
    found.set(`${field} ${why}`, one);
    one.refs.push(...refs);
    for (const host of hosts) one.hosts.add(host);
  }
  return [...found.values()].map((one) => ({ ...one, hosts: [...one.hosts] }));
}

/** What cannot be held, as a person reads it. */
export function lackLines(all: readonly Lack[]): readonly string[] {
  return all.map(({ field, why, refs, hosts }) => {
    const [kind = '', path = ''] = field.split(' ');
    const whose = refs.length === 1 ? (refs[0] ?? '') : counted(refs.length, kind);
    const where = hosts.length === 1 ? (hosts[0] ?? '') : counted(hosts.length, 'host');
    return `${path} of ${whose} on ${where} is Unsupported: ${why}`;
  });
}
