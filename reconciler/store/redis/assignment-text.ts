import { readAssignment } from '../../model/protocol.ts';
import type { AssignedReplica, Assignment } from '../../model/replica.ts';
import { fold, unfold } from './assignment-lines.ts';

/** What each replica has for itself. All else of it is, as the same object, that of others of its App. */
const OWN: ReadonlySet<string> = new Set<keyof AssignedReplica>(['id', 'placement']);

/** The texts of Assignments: JSON, with the lines of each manifest folded. */
export interface AssignmentTexts {
  /** What many replicas and hosts share, as one object that never changes, is written once for all. */
  of(assignment: Assignment): string;
  /** What was written is kept no longer: all Assignments of a fleet are written in one go, and then for hours few. */
  forget(): void;
}

/** Has written nothing yet. */
export function createAssignmentTexts(): AssignmentTexts {
  const texts = new Map<string, Map<unknown, string>>();

  /** The text of what others have as such a member too, made once. */
  function shared(name: string, value: unknown, textOf = member): string {
    let known = texts.get(name);
    if (!known) texts.set(name, (known = new Map<unknown, string>()));
    let text = known.get(value);
    if (text === undefined) known.set(value, (text = textOf(name, value)));
    return text;
  }

  const ofReplica = (name: string, value: unknown): string => (OWN.has(name) ? member : shared)(name, value);
  return {
    of: (assignment) =>
      object(assignment, (name, value) => {
        if (name === 'replicas') return `"replicas":${list(assignment.replicas, (one) => object(one, ofReplica))}`;
        if (name === 'networks' || name === 'tuning')
          return `"${name}":${list<object>(assignment[name], (one) => shared(name, one, item))}`;
        return member(name, value);
      }),
    forget: () => {
      texts.clear();
    },
  };
}

/** The Assignment that such a text is of, also one that a controller of a neighbouring version wrote. Throws PROTOCOL_MISMATCH. */
export function assignmentIn(text: string): Assignment {
  return unfold(readAssignment(JSON.parse(text) as Assignment));
}

function member(name: string, value: unknown): string {
  if (name === 'fields') return members(fold(value as AssignedReplica['fields']), plain);
  if (name === 'holds') return `"holds":${item(name, value)}`;
  return plain(name, value);
}

function plain(name: string, value: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
}

function item(_name: string, value: unknown): string {
  return object(value as object, member);
}

type TextOf = (name: string, value: unknown) => string;

function object(value: object, text: TextOf): string {
  return `{${members(value, text)}}`;
}

function members(value: object, text: TextOf): string {
  const of = value as Readonly<Record<string, unknown>>;
  let all = '';
  for (const name in of)
    if (of[name] !== undefined) all += all === '' ? text(name, of[name]) : `,${text(name, of[name])}`;
  return all;
}

function list<T>(values: readonly T[], text: (value: T) => string): string {
  return `[${values.map(text).join(',')}]`;
}
