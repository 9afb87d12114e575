import type { Change, Desired, FieldDiff, Known } from '../../reconciler/model/change.ts';
import { allot, CORES, cpusetOf, restOf, formatCpus, parseCpus, sameCpus } from '../../reconciler/model/cores.ts';
import type { CoresSpec, CoresState, Cpuset } from '../../reconciler/model/resources.ts';

const SHARED = 'shared';
/** A list as it is written everywhere; v2 says nothing where nothing is held. */
const said = (list: string): string => formatCpus(parseCpus(list)) || 'all';

/** What each running container is to be held to. */
export function targetsOf(state: CoresState): Readonly<Record<string, Cpuset>> {
  const rest = restOf(state);
  return Object.fromEntries(
    Object.keys(state.held).map((replica) => [
      replica,
      state.given[replica] === undefined ? rest : cpusetOf(state, replica),
    ]),
  );
}

/** Whether the kernel holds a replica to what it is to have. */
export function isHeld({ held }: CoresState, targets: Readonly<Record<string, Cpuset>>, replica: string): boolean {
  const [have, want] = [held[replica], targets[replica]];
  return !have || !want || (sameCpus(have.cpus, want.cpus) && sameCpus(have.mems, want.mems));
}

/** In words: `2 of node 0`. */
function asked({ node, cores }: { readonly node: number; readonly cores: number }): string {
  return `${String(cores)} of node ${String(node)}`;
}

function fieldsOf({ pinned, shared }: CoresSpec, state: CoresState): readonly FieldDiff[] {
  const { given, lacking } = allot({ pinned, shared }, state);
  const after = { ...state, given };
  const targets = targetsOf(after);
  const fields = new Map<string, FieldDiff>();
  const add = (path: string, have: string, want: string): void => void fields.set(path, { path, have, want });
  for (const replica of Object.keys(state.held)) {
    const [have, want] = [state.held[replica], targets[replica]];
    if (!have || !want) continue;
    if (!sameCpus(have.cpus, want.cpus)) add(`/${replica}`, said(have.cpus), want.cpus);
    if (!sameCpus(have.mems, want.mems)) add(`/${replica}/mems`, said(have.mems), want.mems);
  }
  for (const replica of new Set([...Object.keys(state.given), ...Object.keys(given)]))
    if (!fields.has(`/${replica}`) && state.given[replica] !== given[replica])
      add(`/${replica}`, state.given[replica] ?? SHARED, given[replica] ?? SHARED);
  for (const replica of lacking) {
    const claim = pinned[replica];
    if (claim) add(`/${replica}`, given[replica] ?? SHARED, asked(claim));
  }
  return [...fields.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What is remembered and held is compared with what follows from it and from what is wanted. */
export function diffCores(
  want: Desired<CoresSpec> | undefined,
  have: Known<CoresState> | undefined,
): Change<CoresSpec> | undefined {
  const base = { ref: CORES, provider: 'cores', disruption: 'none' } as const;
  if (!want) {
    if (!have?.owned) return undefined;
    const fields = Object.entries(have.state.given).map(([replica, cpus]) => ({
      path: `/${replica}`,
      have: cpus,
      want: SHARED,
    }));
    return { ...base, verb: 'delete', have: have.state, fields, because: 'removed' };
  }
  if (!have) {
    const fields = Object.entries(want.spec.pinned).map(([replica, claim]) => ({
      path: `/${replica}`,
      have: SHARED,
      want: asked(claim),
    }));
    return { ...base, verb: 'create', want: want.spec, fields, because: 'new' };
  }
  const fields = fieldsOf(want.spec, have.state);
  return fields.length === 0
    ? undefined
    : { ...base, verb: 'update', want: want.spec, have: have.state, fields, because: 'drift' };
}
