import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

/** A JSON Schema, as far as the manifests use it. */
export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** The schema of a kind, or what they share. */
export function schemaOf(kind: string): Schema {
  const path = fileURLToPath(new URL(`../../../schemas/${kind}.json`, import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8')) as Schema;
}

/** Values for fields of which not every text that the schema allows means something on the machines of the tests, by name of the field or of the common form. */
export type Words = Readonly<Record<string, readonly unknown[]>>;

const COMMON: Words = {
  bytes: [0, '4Ki', '128Ki', '8Mi', '12Mi', '16Mi', '64Mi', '1Gi'],
  cpu: [1, 2, '100m', '250m', '1500m'],
  rate: ['1M', '10M', 1_000_000],
  duration: ['500ms', '1s', '30s', '2m'],
};

/** Random values that a schema allows, so that a field which is new to it takes part by itself. */
export function valuesOf(schema: Schema, words: Words = {}, root: Schema = schema): fc.Arbitrary<unknown> {
  const named = (name: string): readonly unknown[] | undefined => words[name] ?? COMMON[name];
  const { $ref, allOf, anyOf, oneOf } = schema;
  if ($ref !== undefined) {
    const name = $ref.slice($ref.lastIndexOf('/') + 1);
    const known = named(name);
    if (known) return fc.constantFrom(...known);
    const home = $ref.startsWith('#') ? root : schemaOf('common');
    return valuesOf(home.definitions?.[name] ?? {}, words, home);
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = anyOf ?? oneOf;
  if (choices) return fc.oneof(...choices.map((choice) => valuesOf(choice, words, root)));
  const [only] = allOf ?? [];
  if (only) return valuesOf(only, words, root);
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return numbers(schema);
    case 'string':
      return texts(schema);
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}, words, root), { minLength: 1, maxLength: 2 });
    case 'object':
      return objects(schema, words, root);
    default:
      return fc.constant(undefined);
  }
}

/** Both ends more often than chance would have it. */
function numbers({ minimum = 0, maximum = 2 ** 31 - 1 }: Schema): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: minimum, max: maximum }), fc.constantFrom(minimum, maximum));
}

function texts({ pattern, maxLength = 16 }: Schema): fc.Arbitrary<string> {
  if (pattern === undefined) return fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' });
  return fc.stringMatching(new RegExp(pattern)).filter((text) => text.length > 0 && text.length <= maxLength);
}

/** So many fields of an object at a time: of many at once, some would stand against each other. */
const FIELDS = 3;

function objects(schema: Schema, words: Words, root: Schema): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties: more } = schema;
  const fieldOf = (name: string): fc.Arbitrary<unknown> => {
    const known = words[name];
    return known ? fc.constantFrom(...known) : valuesOf(properties[name] ?? {}, words, root);
  };
  const names = Object.keys(properties).filter((name) => !required.includes(name));
  if (names.length + required.length === 0) {
    const keys = fc.constantFrom(...((words['*'] ?? ['a']) as readonly string[]));
    return fc.dictionary(keys, typeof more === 'object' ? valuesOf(more, words, root) : fc.string(), {
      minKeys: 1,
      maxKeys: 2,
    });
  }
  const least = required.length > 0 ? 0 : 1;
  return fc
    .subarray(names, { minLength: least, maxLength: Math.min(FIELDS, names.length) })
    .chain((some) => fc.record(Object.fromEntries([...required, ...some].map((name) => [name, fieldOf(name)]))));
}
