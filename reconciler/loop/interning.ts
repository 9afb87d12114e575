import type { AppSpec, Catalog, NetworkSpec } from '../model/catalog.ts';
import { formOf } from '../model/form.ts';
import { noReport, UNKNOWN_FACTS } from '../model/protocol.ts';
import { kindOf } from '../model/ref.ts';
import type { Known, Observed } from '../model/change.ts';
import type { Release } from '../model/release.ts';
import { appOf } from '../model/replica.ts';
import type { AssignedKnob, AssignedReplica, Assignment, ReplicaReport, Report } from '../model/replica.ts';
import type { CgroupState } from '../model/resources.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import { wantedRelease } from '../plan/turns.ts';

/** Makes what was read small: equal parts become one object, and what a controller never asks for is left out. */
export interface Interning {
  assignment(assignment: Assignment, at: Whereabouts): Assignment;
  /** One that nothing can be made of counts as none: what one host says keeps nobody from what others do. */
  report(report: Report, at: Whereabouts): Report;
}

/** So many variants of a part of one App are known again: old and new in a rollout. */
const VARIANTS = 4;

/** Whether two values say the same as JSON. There are millions to compare: neither texts are made, nor is anything asked that JSON has not. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [a, b] as readonly Readonly<Record<string, unknown>>[];
  let more = 0;
  for (const key in one) {
    if (!same(one[key], other?.[key])) return false;
    more += 1;
  }
  for (const _key in other) more -= 1;
  return more === 0;
}

/** Parts by what they belong to. */
interface Shelved<K, T> {
  get(of: K): readonly T[] | undefined;
  set(of: K, parts: readonly T[]): unknown;
}

/** Parts by App, or by what else is given; `first` is known from the beginning. */
function shelf<T extends object, K = string>(
  first: (of: K) => T | undefined = () => undefined,
  known: Shelved<K, T> = new Map<K, readonly T[]>(),
): (of: K, value: T) => T {
  const begin = (of: K): readonly T[] => {
    const value = first(of);
    return value ? [value] : [];
  };
  return (of, value) => {
    let list = known.get(of);
    if (!list) known.set(of, (list = begin(of)));
    for (const one of list) if (same(one, value)) return one;
    known.set(of, [value, ...list.slice(0, VARIANTS - 1)]);
    return value;
  };
}

/** What a replica says of what runs: texts that are others with each commit. */
type Running = Pick<ReplicaReport, 'image' | 'fingerprint' | 'form'>;

function runningOf({ image, fingerprint, form }: ReplicaReport): Running {
  return {
    ...(image === undefined ? {} : { image }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(form === undefined ? {} : { form }),
  };
}

const NONE: readonly never[] = [];

/** Kinds of what a Tuning sets. */
const TUNED: ReadonlySet<string> = new Set<AssignedKnob['kind']>(['sysctl', 'ovs-config', 'knob']);

/**
 * What a Tuning sets is looked at while its host is not Ready: whoever waits for one knob does not wait for all else of it. Sandboxes, ports and containers of replicas that are told of anyway say nothing more about whether they linger. What a cgroup holds a
 * replica to follows from its form, where it is in the one that it was told.
 */
function lean(
  { replicas, observed, conditions }: Report,
  told: Assignment | undefined,
  seen: (name: string, item: Observed) => Observed,
): readonly Observed[] {
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status);
  const tuned = new Set(ready ? [] : told?.tuning.map(({ kind, key }) => `${kind}/${key}`));
  const forms = new Map(told?.replicas.map((replica) => [replica.id, formOf(replica)]));
  const there = new Set<string>();
  const formed = new Set<string>();
  for (const { id, phase, form } of replicas) {
    if (phase !== 'Placed' && phase !== 'Gone') there.add(id);
    if (form !== undefined && forms.get(id) === form) formed.add(id);
  }
  const rest = observed.flatMap((item): readonly Observed[] => {
    const kind = kindOf(item.ref);
    const name = item.ref.slice(kind.length + 1);
    if (kind === 'cgroup') {
      if (!item.known || formed.has(name)) return item.known ? NONE : [item];
      const { ref, known, owned, state } = item as Known<CgroupState>;
      return [{ ref, known, owned, state: { memory: state.memory } }];
    }
    if (TUNED.has(kind)) {
      if (ready || !item.known || !(item.owned || tuned.has(item.ref))) return NONE;
      const { ref, known, owned, state } = item as Known<{ readonly value?: unknown }>;
      return [seen(ref, { ref, known, owned, state: { value: state.value } })];
    }
    const about = kind === 'sandbox' || kind === 'port' || kind === 'container';
    return about && !there.has(name) ? [{ ...item, ...(item.known ? { state: {} } : {}) }] : NONE;
  });
  return rest.length === 0 ? NONE : rest;
}

/** Interning that knows what Git says, if that is given, and no more. */
export function createInterning(catalog?: Catalog): Interning {
  const shared = sharing(catalog);
  return {
    ...shared,
    report: (report, at) => {
      const { host, kept } = report;
      try {
        const small = shared.report(report, at);
        return kept ? { ...small, kept: shared.assignment(kept, at) } : small;
      } catch (error) {
        return noReport(host, report, String(error));
      }
    },
  };
}

/** The same, of what is as it should be. */
function sharing(catalog: Catalog | undefined): Interning {
  const wanted = (name: string): Release | undefined => {
    const app = catalog?.apps.get(name);
    const network = (of: string): NetworkSpec | undefined => catalog?.networks.get(of)?.spec;
    return app && wantedRelease({ app, network }, app.spec.network);
  };
  const specs = shelf<AssignedReplica['spec']>((name) => wanted(name)?.spec);
  const origins = shelf<AssignedReplica['origin']>((name) => wanted(name)?.origin);
  const fields = shelf<AssignedReplica['fields']>((name) => wanted(name)?.fields);
  const networks = shelf<Assignment['networks'][number]>();
  const knobs = shelf<Assignment['tuning'][number]>();
  const conditions = shelf<Report['conditions'][number]>();
  const values = shelf<Observed>();
  const capacities = shelf<Report['facts']['capacity']>();
  // by the spec that they were told, and kept for as long
  const running = shelf(undefined, new WeakMap<AppSpec, readonly Running[]>());
  const texts = new Map<string, string>();
  const text = (value: string): string => {
    const known = texts.get(value) ?? value;
    texts.set(value, known);
    return known;
  };
  const factsOf = (facts: Report['facts']): Report['facts'] =>
    facts === UNKNOWN_FACTS
      ? facts
      : { ...facts, kernel: text(facts.kernel), capacity: capacities('of a host', facts.capacity) };
  return {
    assignment: (assignment, at) => ({
      ...assignment,
      networks: assignment.networks.map((network) => networks(network.name, network)),
      tuning: assignment.tuning.map((knob) => knobs(knob.key, knob)),
      replicas: assignment.replicas.map((replica) => {
        const { app, id, placement } = replica;
        const home = at.placed(app).get(id);
        return {
          ...replica,
          id: home?.replica ?? id,
          app: text(app),
          owner: text(replica.owner),
          ...(replica.plug === undefined ? {} : { plug: text(replica.plug) }),
          spec: specs(app, replica.spec),
          origin: origins(app, replica.origin),
          fields: fields(app, replica.fields),
          placement: home && same(home, placement) ? home : placement,
        };
      }),
    }),
    report: (report, at) => ({
      ...report,
      observed: lean(report, at.assignments.get(report.host), values),
      conditions: report.conditions.map((condition) => conditions(condition.type, condition)),
      facts: factsOf(report.facts),
      replicas: report.replicas.map((replica) => {
        const { id } = replica;
        const told = at.toldOf(id);
        return {
          ...replica,
          id: at.placed(appOf(id)).get(id)?.replica ?? id,
          ...(told ? running(told.spec, runningOf(replica)) : {}),
        };
      }),
    }),
  };
}
