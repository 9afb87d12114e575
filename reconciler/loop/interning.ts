import { kindOf } from '../model/ref.ts';
import type { Known, Observed } from '../model/change.ts';
import type { AssignedReplica, Assignment, Report } from '../model/replica.ts';
import type { CgroupState } from '../model/resources.ts';
import type { Whereabouts } from '../model/whereabouts.ts';

/** Makes what was read small: equal parts become one object, and what a controller never asks for is left out. */
export interface Interning {
  assignment(assignment: Assignment, at: Whereabouts): Assignment;
  report(report: Report): Report;
}

/** So many variants of a part of one App are known again: old and new in a rollout. */
const VARIANTS = 4;

/** Parts by App, with their text. */
function shelf<T extends object>(): (name: string, value: T) => T {
  const known = new Map<string, readonly { readonly text: string; readonly value: T }[]>();
  return (name, value) => {
    const list = known.get(name) ?? [];
    const text = JSON.stringify(value);
    const before = list.find((one) => one.text === text);
    if (before) return before.value;
    known.set(name, [{ text, value }, ...list.slice(0, VARIANTS - 1)]);
    return value;
  };
}

/** Sandboxes, ports and containers of replicas that are told of anyway say nothing more about whether they linger. */
function lean({ replicas, observed }: Report): readonly Observed[] {
  const there = new Set(replicas.flatMap(({ id, phase }) => (phase === 'Placed' || phase === 'Gone' ? [] : [id])));
  return observed.flatMap((item): readonly Observed[] => {
    const kind = kindOf(item.ref);
    if (kind === 'cgroup') {
      if (!item.known) return [item];
      const { ref, known, owned, state } = item as Known<CgroupState>;
      return [{ ref, known, owned, state: { memory: state.memory } }];
    }
    const about = kind === 'sandbox' || kind === 'port' || kind === 'container';
    return about && !there.has(item.ref.slice(kind.length + 1))
      ? [{ ...item, ...(item.known ? { state: {} } : {}) }]
      : [];
  });
}

/** Interning that begins to know. */
export function createInterning(): Interning {
  const specs = shelf<AssignedReplica['spec']>();
  const origins = shelf<AssignedReplica['origin']>();
  const fields = shelf<AssignedReplica['fields']>();
  const networks = shelf<Assignment['networks'][number]>();
  const knobs = shelf<Assignment['tuning'][number]>();
  const texts = new Map<string, string>();
  const text = (value: string): string => {
    const known = texts.get(value) ?? value;
    texts.set(value, known);
    return known;
  };
  return {
    assignment: (assignment, at) => ({
      ...assignment,
      networks: assignment.networks.map((network) => networks(network.name, network)),
      tuning: assignment.tuning.map((knob) => knobs(knob.key, knob)),
      replicas: assignment.replicas.map((replica) => {
        const { app, id, placement } = replica;
        const home = at.placed(app).get(id);
        const same = home !== undefined && JSON.stringify(home) === JSON.stringify(placement);
        return {
          ...replica,
          spec: specs(app, replica.spec),
          origin: origins(app, replica.origin),
          fields: fields(app, replica.fields),
          placement: same ? home : placement,
        };
      }),
    }),
    report: (report) => ({
      ...report,
      observed: lean(report),
      replicas: report.replicas.map(({ image: _image, ...replica }) =>
        replica.fingerprint === undefined ? replica : { ...replica, fingerprint: text(replica.fingerprint) },
      ),
    }),
  };
}
