import type { ErrorObject } from 'ajv';
import type { Node } from 'yaml';
import type { CompileCode } from './codes.ts';
import { quoted } from './finding.ts';
import type { Finding } from './finding.ts';
import { MAX_FINDINGS } from './limits.ts';
import { deref, schemaErrors, schemaOf } from './schemas.ts';
import type { Kind, Schema } from './schemas.ts';
import { nearest, suggestion } from './suggest.ts';
import { findingAt } from './text.ts';
import type { Text } from './text.ts';
import { locate } from './tree.ts';

interface Said {
  readonly code: CompileCode;
  readonly path: readonly string[];
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What the schema of its kind finds wrong with a document, in words and at the key or value that is wrong. */
export function schemaFindings(text: Text, contents: Node | null, kind: Kind, document: unknown): readonly Finding[] {
  const errors = schemaErrors(kind, document);
  if (errors.length === 0) return [];
  const said = withoutEchoes(errors).flatMap((error) => explain(kind, error) ?? []);
  const told = new Set<string>();
  const findings: Finding[] = [];
  for (const { code, path, at, message, hint } of said) {
    const finding = findingAt(text, locate(contents, path, at), code, message, hint);
    const key = `${String(finding.line)}:${String(finding.column)} ${message}`;
    if (told.has(key) || findings.length === MAX_FINDINGS) continue;
    told.add(key);
    findings.push(finding);
  }
  return findings.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** A union that fails tells the errors of all its branches; kept are those of the branch that was meant, else the union's own. */
function withoutEchoes(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unions = errors.filter(({ keyword }) => keyword === 'oneOf' || keyword === 'anyOf');
  return errors.filter((error) => {
    if (error.propertyName !== undefined) return false; // `propertyNames` itself says it
    const union = unions.find(
      (each) => error.instancePath === each.instancePath || error.instancePath.startsWith(`${each.instancePath}/`),
    );
    if (union === undefined) return true;
    const branch = branchOf(union);
    if (error === union) return branch === undefined;
    if (branch === undefined || error.keyword === union.keyword) return false;
    const { parentSchema: part } = error;
    return error.instancePath === union.instancePath ? part === branch : within(branch, part);
  });
}

/** The branch whose distinguishing key the value has, and no other's. */
function branchOf(union: ErrorObject): Schema | undefined {
  const branches = union.schema as readonly Schema[];
  const value: unknown = union.data;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const objects = branches.filter(({ type }) => type === 'object');
  if (objects.length === 1) return objects[0];
  const meant = objects.filter((branch) => marks(branch, objects).some((key) => Object.hasOwn(value, key)));
  return meant.length === 1 ? meant[0] : undefined;
}

/** Required keys that no other branch has. */
function marks(branch: Schema, branches: readonly Schema[]): readonly string[] {
  const others = branches.filter((other) => other !== branch);
  return (branch.required ?? []).filter((key) => !others.some((other) => Object.hasOwn(other.properties ?? {}, key)));
}

/** Whether a part of a schema stands in a branch; what is shared by reference may stand in any. */
function within(branch: Schema, part: unknown): boolean {
  const members = Object.values(branch.properties ?? {});
  if (part === branch || members.includes(part as Schema)) return true;
  if (members.some((member) => member.allOf !== undefined && isCommon(part))) return true;
  return members.some((member) => (member.properties === undefined ? member.items === part : within(member, part)));
}

function isCommon(part: unknown): boolean {
  return typeof part === 'object' && part !== null && !('properties' in part);
}

function pathOf(instancePath: string): readonly string[] {
  return instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** `spec.volumes[0].path` */
function dotted(path: readonly string[]): string {
  if (path.length === 0) return 'the document';
  const text = path.map((segment) => (/^[0-9]+$/.test(segment) ? `[${segment}]` : `.${segment}`)).join('');
  return quoted(text.replace(/^\./, '')).slice(1, -1);
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

function explain(kind: Kind, error: ErrorObject): Said | undefined {
  const path = pathOf(error.instancePath);
  const where = dotted(path);
  const schema = (error.parentSchema ?? {}) as Schema;
  const params = error.params as Readonly<Record<string, unknown>>;
  const value: unknown = error.data;
  const bad = (message: string, hint?: string): Said => ({ code: 'BAD_VALUE', path, at: 'value', message, hint });
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownField(kind, path, String(params['additionalProperty']), schema);
    case 'required':
      return missingField(kind, path, String(params['missingProperty']), schema);
    case 'type':
      return wrongType(path, String(params['type']), value, schema);
    case 'oneOf':
    case 'anyOf':
      return noBranch(path, value, schema);
    case 'enum': {
      const words = (schema.enum ?? []).map(String);
      return bad(`${where} cannot be ${quoted(value)}`, suggestion(String(value), words, 'one of'));
    }
    case 'const':
      return bad(`${where} cannot be ${quoted(value)}`, `write ${quoted(schema.const)}`);
    case 'pattern':
      return bad(`${quoted(value)} is not a valid value of ${where}`, expected(schema));
    case 'propertyNames': {
      const name = String(params['propertyName']);
      return badName([...path, name], name, where, schema);
    }
    case 'minimum':
    case 'exclusiveMinimum':
    case 'maximum':
      return bad(`${where} cannot be ${quoted(value)}`, bounds(schema));
    case 'minItems':
      return bad(`${where} has too few items`, `at least ${String(schema.minItems)}`);
    case 'maxItems':
      return bad(`${where} has too many items`, `at most ${String(schema.maxItems)}`);
    case 'minLength':
      return bad(`${where} cannot be empty`);
    case 'maxLength':
      return bad(`${where} is too long`, `at most ${String(schema.maxLength)} characters`);
    case 'uniqueItems':
      return bad(`${where} names ${quoted((value as readonly unknown[])[Number(params['i'])])} twice`);
    default:
      return bad(`${where}: ${error.message ?? 'is not valid'}`);
  }
}

function expected(schema: Schema): string | undefined {
  const described = schema.description === undefined ? undefined : `expected: ${schema.description}`;
  return described ?? (schema.pattern === undefined ? undefined : `must match ${schema.pattern}`);
}

function bounds({ minimum, maximum, exclusiveMinimum }: Schema): string {
  if (exclusiveMinimum !== undefined) return `more than ${String(exclusiveMinimum)}`;
  if (minimum !== undefined && maximum !== undefined) return `from ${String(minimum)} to ${String(maximum)}`;
  return minimum === undefined ? `at most ${String(maximum)}` : `at least ${String(minimum)}`;
}

function unknownField(kind: Kind, path: readonly string[], field: string, schema: Schema): Said {
  const known = Object.keys(schema.properties ?? {});
  const elsewhere = pathsOf(kind).get(field);
  const hint =
    field === '<<'
      ? 'YAML 1.2 has no merge keys; write the fields out'
      : elsewhere !== undefined
        ? `did you mean ${elsewhere}?`
        : suggestion(field, known, 'known here');
  const message = `unknown field ${quoted(field)} in ${dotted(path)}`;
  return { code: 'UNKNOWN_FIELD', path: [...path, field], at: 'key', message, hint };
}

function missingField(kind: Kind, path: readonly string[], field: string, schema: Schema): Said {
  const member = schema.properties?.[field];
  const description = member === undefined ? undefined : (member.description ?? deref(member, kind).description);
  const message = `${dotted(path)} lacks the field ${quoted(field)}`;
  return { code: 'MISSING_FIELD', path, at: 'key', message, hint: description && `${field}: ${description}` };
}

function wrongType(path: readonly string[], type: string, value: unknown, schema: Schema): Said {
  const where = dotted(path);
  const message = `${where} must be ${TYPES[type] ?? type}, not ${named(value)}`;
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  const number = typeof value === 'string' && /^-?[0-9]+(\.[0-9]+)?$/.test(value);
  const hint =
    type === 'string' && scalar && schema.description === undefined
      ? `put it in quotes: "${String(value)}"`
      : (type === 'integer' || type === 'number') && number
        ? 'write it without quotes'
        : value === null
          ? 'give it a value, or remove the line'
          : expected(schema);
  return { code: 'WRONG_TYPE', path, at: value === null ? 'key' : 'value', message, hint };
}

function named(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : quoted(value);
}

/** No branch of a union was meant: says what there is to choose. */
function noBranch(path: readonly string[], value: unknown, schema: Schema): Said {
  const where = dotted(path);
  const branches = schema.oneOf ?? schema.anyOf ?? [];
  const objects = branches.filter(({ type }) => type === 'object');
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isMapping && objects.length > 1) {
    const choices = objects.flatMap((branch) => marks(branch, objects));
    const given = Object.keys(value);
    const both = choices.filter((choice) => given.includes(choice));
    const near = given.map((key) => [key, nearest(key, choices)] as const).find(([, meant]) => meant !== undefined);
    if (both.length === 0 && near?.[1] !== undefined) {
      const message = `unknown field ${quoted(near[0])} in ${where}`;
      return {
        code: 'UNKNOWN_FIELD',
        path: [...path, near[0]],
        at: 'key',
        message,
        hint: `did you mean "${near[1]}"?`,
      };
    }
    const message =
      both.length > 1 ? `${where} has both ${both.join(' and ')}` : `${where} needs one of: ${choices.join(', ')}`;
    if (both.length > 1) return { code: 'BAD_VALUE', path, at: 'key', message, hint: 'leave all but one out' };
    return { code: 'MISSING_FIELD', path, at: 'key', message };
  }
  const hint = schema.description ?? [...new Set(branches.map(branchName))].join(', or ');
  const wrong = typeof value === 'object' || typeof value === 'boolean' || objects.length === branches.length;
  const message = wrong ? `${where} cannot be ${named(value)}` : `${quoted(value)} is not a valid value of ${where}`;
  return {
    code: wrong ? 'WRONG_TYPE' : 'BAD_VALUE',
    path,
    at: value === null ? 'key' : 'value',
    message,
    hint: `expected: ${hint}`,
  };
}

function branchName({ type = '', required = [] }: Schema): string {
  const name = TYPES[type] ?? type;
  return required.length > 0 ? `${name} with ${required.join(' and ')}` : name;
}

function badName(path: readonly string[], name: string, where: string, schema: Schema): Said {
  const names = schema.propertyNames ?? {};
  const words = (names.enum ?? []).map(String);
  const hint =
    words.length > 0
      ? suggestion(name, words, 'one of')
      : (expected(names) ?? expected({ pattern: names.pattern ?? '' }));
  return { code: 'BAD_VALUE', path, at: 'key', message: `${quoted(name)} is not a valid name in ${where}`, hint };
}

const paths = new Map<Kind, ReadonlyMap<string, string>>();

/** Field name → the one path at which the kind has it; names that occur more than once are left out. */
function pathsOf(kind: Kind): ReadonlyMap<string, string> {
  const known = paths.get(kind);
  if (known !== undefined) return known;
  const found = new Map<string, string>();
  const twice = new Set<string>();
  const walk = (schema: Schema, path: string): void => {
    for (const [key, member] of Object.entries(schema.properties ?? {})) {
      const at = path === '' ? key : `${path}.${key}`;
      if (found.has(key)) twice.add(key);
      found.set(key, at);
      walk(deref(member, kind), at);
    }
  };
  walk(schemaOf(kind), '');
  for (const key of twice) found.delete(key);
  paths.set(kind, found);
  return found;
}
