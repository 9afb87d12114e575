import { createRequire } from 'node:module';
import type { ErrorObject, ValidateFunction } from 'ajv';
import app from '../../schemas/app.json' with { type: 'json' };
import common from '../../schemas/common.json' with { type: 'json' };
import fleet from '../../schemas/fleet.json' with { type: 'json' };
import host from '../../schemas/host.json' with { type: 'json' };
import network from '../../schemas/network.json' with { type: 'json' };
import tuning from '../../schemas/tuning.json' with { type: 'json' };
import zone from '../../schemas/zone.json' with { type: 'json' };
import type { Document } from '../../schemas/types.ts';
import { fingerprint } from '../model/fingerprint.ts';

export type Kind = Document['kind'];

/** A part of a schema, as far as it is read here. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
}

const SCHEMAS: Readonly<Record<Kind, Schema>> = {
  Fleet: fleet,
  App: app,
  Zone: zone,
  Network: network,
  Host: host,
  Tuning: tuning,
};

/** All kinds, in the order of the manual. */
export const KINDS: readonly Kind[] = Object.keys(SCHEMAS) as Kind[];

/** Whether a text is one of the kinds. */
export function isKind(text: unknown): text is Kind {
  return typeof text === 'string' && Object.hasOwn(SCHEMAS, text);
}

/** The JSON Schema of a kind. */
export function schemaOf(kind: Kind): Schema {
  return SCHEMAS[kind];
}

/** What a `$ref` names: `common.json#/definitions/x`, or `#/definitions/x` of the given kind or, within common.json, of that. */
export function deref(schema: Schema, kind: Kind): Schema {
  const via = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]?.$ref : undefined);
  if (via === undefined) return schema;
  const name = via.slice(via.lastIndexOf('/') + 1);
  const shared: Schema = common;
  const own = via.startsWith('#') ? SCHEMAS[kind].definitions?.[name] : undefined;
  const target = own ?? shared.definitions?.[name];
  if (target === undefined) throw new RangeError(`the schema of ${kind} refers to ${via}, which is not there`);
  return target;
}

let validators: Readonly<Record<Kind, ValidateFunction>> | undefined;

/** The errors of a document of that kind; empty when it is valid. The validators were compiled when this was built. */
export function schemaErrors(kind: Kind, document: unknown): readonly ErrorObject[] {
  validators ??= createRequire(import.meta.url)('./validators.cjs') as Readonly<Record<Kind, ValidateFunction>>;
  const validate = validators[kind];
  return validate(document) ? [] : (validate.errors ?? []);
}

let version: string | undefined;

/** Names the schemas and the rules of parsing: what was parsed under another version must be parsed again. */
export function parserVersion(): string {
  return (version ??= fingerprint({ rules: 2, schemas: SCHEMAS, common }));
}
