import type {
  Because,
  Change,
  Desired,
  Disruption,
  FieldDiff,
  Known,
  Observed,
  Verb,
} from '../../reconciler/model/change.ts';
import { canonical, fingerprint } from '../../reconciler/model/fingerprint.ts';
import { diffByRef } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf } from '../../reconciler/model/ref.ts';
import type {
  ContainerSpec,
  ContainerState,
  ImageSpec,
  SandboxSpec,
  SandboxState,
} from '../../reconciler/model/resources.ts';
import { fixedPart, fixedSandboxPart } from './spec.ts';
import type { State } from './state.ts';
import { isContainer, isSandbox } from './state.ts';

export type Spec = ImageSpec | SandboxSpec | ContainerSpec;

interface Step {
  readonly verb: Verb;
  readonly disruption: Disruption;
  readonly because: Because;
  readonly fields: readonly FieldDiff[];
}

const byRef = diffByRef<Spec, State>(rule);

/**
 * What is needed, ref by ref; and where a sandbox is replaced, the container in it is as well, since it cannot outlive the
 * namespace. So a replica's sandbox and container must be given together.
 */
export function diff(desired: readonly Desired<Spec>[], observed: readonly Observed<State>[]): readonly Change<Spec>[] {
  const changes = byRef(desired, observed);
  const moved = new Map(
    changes
      .filter((item) => kindOf(item.ref) === 'sandbox' && item.verb === 'replace')
      .map((item) => [refOf('container', nameOf(item.ref)), item.because]),
  );
  if (moved.size === 0) return changes;
  const wanted = new Map(desired.map((item) => [item.ref, item]));
  const seen = new Map(observed.map((item) => [item.ref, item]));
  const ordered = new Map(changes.map((item) => [item.ref, item]));
  for (const [ref, because] of moved) {
    const [want, have, own] = [wanted.get(ref), seen.get(ref), ordered.get(ref)];
    if (!want || have?.known !== true || !have.owned || (own && own.verb !== 'update')) continue;
    const fields = [{ path: '/sandbox', have: (have.state as ContainerState).sandbox, want: 'replaced' }];
    const step = { verb: 'replace', disruption: 'recreate', because, fields } as const;
    const made = change(want, have, step);
    if (made) ordered.set(ref, made);
  }
  const place = new Map([...new Set([...wanted.keys(), ...seen.keys()])].map((ref, index) => [ref, index]));
  return [...ordered.values()].toSorted((a, b) => (place.get(a.ref) ?? 0) - (place.get(b.ref) ?? 0));
}

/** What one ref needs: something of ours that is missing, of another spec, exited, stopped by hand, cut off, or no longer wanted. */
function rule(want: Desired<Spec> | undefined, have: Known<State> | undefined): Change<Spec> | undefined {
  if (!want) return have?.owned === true ? change(undefined, have, REMOVE) : undefined;
  if (!have) return change(want, undefined, CREATE);
  if (kindOf(want.ref) === 'image' || !have.owned) return undefined;
  const step = isContainer(have.ref, have.state)
    ? containerStep(want.spec as ContainerSpec, have.state)
    : isSandbox(have.ref, have.state)
      ? sandboxStep(want.spec as SandboxSpec, have.state)
      : undefined;
  return step && change(want, have, step);
}

const CREATE: Step = { verb: 'create', disruption: 'none', because: 'new', fields: [] };
const REMOVE: Step = { verb: 'delete', disruption: 'none', because: 'removed', fields: [] };

function change(want: Desired<Spec> | undefined, have: Known<State> | undefined, step: Step): Change<Spec> | undefined {
  const ref = want?.ref ?? have?.ref;
  if (!ref) return undefined;
  return {
    ref,
    provider: 'containers',
    ...step,
    ...(want ? { want: want.spec } : {}),
    ...(have ? { have: have.state } : {}),
    ...(have?.version === undefined ? {} : { guard: have.version }),
  };
}

const fingerprints = new WeakMap<object, string>();

/** The fingerprint of the part of a spec that only a new one can change: computed once, a spec never changes. */
function fixedFingerprint<S extends object>(spec: S, part: (spec: S) => object): string {
  const before = fingerprints.get(spec);
  if (before !== undefined) return before;
  const made = fingerprint(part(spec));
  fingerprints.set(spec, made);
  return made;
}

function status(have: string, want = 'running'): readonly FieldDiff[] {
  return [{ path: '/status', have, want }];
}

function sandboxStep(want: SandboxSpec, have: SandboxState): Step | undefined {
  if (fixedFingerprint(want, fixedSandboxPart) !== have.fingerprint) return remake(fixedSandboxPart(want), have);
  if (have.status === 'running') return sysctlStep(want, have);
  return have.status === 'paused'
    ? { verb: 'update', disruption: 'none', because: 'drift', fields: status('paused') }
    : // its namespace died with it, so the container in it is replaced as well
      { verb: 'replace', disruption: 'recreate', because: 'exited', fields: status(have.status) };
}

/** The namespace lives on: what was changed in it is put back where it is. */
function sysctlStep({ sysctls }: SandboxSpec, have: SandboxState): Step | undefined {
  const fields = Object.entries(have.sysctls ?? {}).map(([key, value]) => ({
    path: `/sysctls/${key}`,
    have: value,
    want: sysctls[key],
  }));
  return fields.length === 0 ? undefined : { verb: 'update', disruption: 'none', because: 'drift', fields };
}

function containerStep(want: ContainerSpec, have: ContainerState): Step | undefined {
  if (fixedFingerprint(want, fixedPart) !== have.fingerprint) return remake(fixedPart(want), have);
  if (have.sandbox === '') {
    const fields = [{ path: '/sandbox', have: 'gone', want: 'running' }];
    return { verb: 'replace', disruption: 'recreate', because: 'drift', fields };
  }
  // what somebody has told to end does so before it stands still again
  const asWanted = want.frozen === true && have.stopping !== true ? 'paused' : 'running';
  const fields = status(have.status, asWanted);
  switch (have.status) {
    case asWanted:
    case 'restarting':
      return undefined;
    case 'running':
    case 'paused':
      return { verb: 'update', disruption: 'none', because: 'drift', fields };
    case 'created':
    case 'exited':
      return { verb: 'update', disruption: 'restart', because: 'exited', fields };
    default: // dead, removing: Docker will not start it again
      return { verb: 'replace', disruption: 'recreate', because: 'exited', fields };
  }
}

function remake(fixed: object, have: SandboxState | ContainerState): Step {
  return { verb: 'replace', disruption: 'recreate', because: 'spec changed', fields: fieldsOf(fixed, have) };
}

/** The members that differ; where it was not kept what it was made from, the fingerprints. */
function fieldsOf(fixed: object, have: SandboxState | ContainerState): readonly FieldDiff[] {
  const before = have.made === undefined ? undefined : parsed(have.made);
  if (!before) return [{ path: '/fingerprint', have: have.fingerprint, want: fingerprint(fixed) }];
  const wanted = new Map(Object.entries(fixed));
  return [...new Set([...Object.keys(before), ...wanted.keys()])]
    .filter((key) => canonical(before[key]) !== canonical(wanted.get(key)))
    .map((key) => ({ path: `/${key}`, have: before[key], want: wanted.get(key) as unknown }));
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
