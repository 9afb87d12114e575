import { deref, schemaOf } from './schemas.ts';
import type { Kind, Schema } from './schemas.ts';

/** A valid manifest with the defaults of its schema filled in, also inside of objects that were left out. The argument is not changed; the defaults are shared. */
export function withDefaults<T>(kind: Kind, manifest: T): T {
  return fill(kind, schemaOf(kind), manifest) as T;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `schema` is no reference. */
function fill(kind: Kind, schema: Schema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (schema.items === undefined) return value;
    const items = deref(schema.items, kind);
    return value.map((item) => fill(kind, items, item));
  }
  const given = value as Readonly<Record<string, unknown>>;
  const members = membersOf(kind, chosen(kind, schema, given));
  if (members.length === 0) return value;
  const result: Record<string, unknown> = { ...given };
  for (const { key, schema: member, absent } of members) {
    const written = given[key];
    if (typeof written === 'object') result[key] = fill(kind, member, written);
    else if (written === undefined && absent !== undefined) result[key] = absent;
  }
  return result;
}

interface Member {
  readonly key: string;
  /** No reference. */
  readonly schema: Schema;
  /** What stands for it when it was left out. */
  readonly absent: unknown;
}

const known = new WeakMap<Schema, readonly Member[]>();

function membersOf(kind: Kind, schema: Schema): readonly Member[] {
  let members = known.get(schema);
  if (members === undefined) {
    members = Object.entries(schema.properties ?? {}).map(([key, member]) => ({
      key,
      schema: deref(member, kind),
      absent: absentOf(kind, member),
    }));
    known.set(schema, members);
  }
  return members;
}

/** The default of a member, or an object of defaults when it may be empty and has any. */
function absentOf(kind: Kind, member: Schema): unknown {
  const schema = deref(member, kind);
  const value = member.default ?? schema.default;
  if (value !== undefined) return value;
  if (schema.type !== 'object' || schema.properties === undefined || (schema.required ?? []).length > 0)
    return undefined;
  const object = fill(kind, schema, {});
  return isObject(object) && Object.keys(object).length > 0 ? object : undefined;
}

/** Of alternatives the one whose required keys are there. */
function chosen(kind: Kind, schema: Schema, value: Readonly<Record<string, unknown>>): Schema {
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives === undefined) return schema;
  return (
    alternatives
      .map((alternative) => deref(alternative, kind))
      .find((alternative) => alternative.required?.every((key) => Object.hasOwn(value, key)) ?? false) ?? schema
  );
}
