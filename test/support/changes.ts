import type { Change, Desired, Known } from '../../reconciler/model/change.ts';
import { kindOf, type Ref } from '../../reconciler/model/ref.ts';

const PROVIDERS: Readonly<Record<string, string>> = { port: 'ovs', bridge: 'ovs', cgroup: 'cgroups', sysctl: 'host' };

/** The provider that answers for a ref in tests. */
export function providerOf(ref: Ref): string {
  return PROVIDERS[kindOf(ref)] ?? 'containers';
}

/** A change with what does not matter filled in. */
export function change(ref: Ref, verb: Change['verb'], more: Partial<Change> = {}): Change {
  const disruption = verb === 'replace' ? 'recreate' : 'none';
  return { ref, provider: providerOf(ref), verb, fields: [], disruption, because: 'new', ...more };
}

export const ORIGIN = { revision: 'r1', file: 'a.yaml', line: 1, column: 1 };

/** A desired thing. */
function desired(ref: Ref, dependsOn: readonly Ref[] = [], spec: unknown = {}): Desired {
  return { ref, spec, dependsOn, origin: ORIGIN };
}

/** The refs of one replica as expand gives them. */
export function replica(name: string): readonly Desired[] {
  return [
    desired(`image/busybox`),
    desired(`bridge/br-int`),
    desired(`sandbox/${name}`),
    desired(`port/${name}`, ['bridge/br-int', `sandbox/${name}`]),
    desired(`container/${name}`, ['image/busybox', `sandbox/${name}`, `port/${name}`]),
    desired(`cgroup/${name}`, [`container/${name}`]),
  ];
}

/** Something of ours that is there. */
export function known(ref: Ref, state: unknown = {}): Known {
  return { known: true, ref, state, owned: true };
}

/** By ref. */
export function byRef<T extends { readonly ref: Ref }>(items: readonly T[]): Map<Ref, T> {
  return new Map(items.map((item) => [item.ref, item]));
}
