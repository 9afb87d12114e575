import { deref, schemaOf } from './schemas.ts';
import type { Kind, Schema } from './schemas.ts';

/** A valid manifest with the defaults of its schema filled in, also inside of objects that were left out. The argument is not changed. */
export function withDefaults<T>(kind: Kind, manifest: T): T {
  return fill(kind, schemaOf(kind), manifest) as T;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fill(kind: Kind, outer: Schema, value: unknown): unknown {
  const schema = chosen(kind, deref(outer, kind), value);
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item) => fill(kind, items, item));
  }
  if (!isObject(value) || schema.properties === undefined) return value;
  const result: Record<string, unknown> = { ...value };
  for (const [key, member] of Object.entries(schema.properties)) {
    const given = result[key];
    const filled = given === undefined ? absent(kind, member) : fill(kind, member, given);
    if (filled !== undefined) result[key] = filled;
  }
  return result;
}

/** What stands for a member that was left out: its default, or an object of defaults when it may be empty and has any. */
function absent(kind: Kind, member: Schema): unknown {
  const schema = deref(member, kind);
  const value = member.default ?? schema.default;
  if (value !== undefined) return structuredClone(value);
  if (schema.type !== 'object' || schema.properties === undefined || (schema.required ?? []).length > 0)
    return undefined;
  const object = fill(kind, schema, {});
  return isObject(object) && Object.keys(object).length > 0 ? object : undefined;
}

/** Of alternatives the one whose required keys are there. */
function chosen(kind: Kind, schema: Schema, value: unknown): Schema {
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives === undefined || !isObject(value)) return schema;
  return (
    alternatives
      .map((alternative) => deref(alternative, kind))
      .find((alternative) => alternative.required?.every((key) => Object.hasOwn(value, key)) ?? false) ?? schema
  );
}
