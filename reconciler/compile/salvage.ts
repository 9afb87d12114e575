import type { ErrorObject } from 'ajv';
import type { Document } from '../../schemas/types.ts';
import { schemaErrors, type Kind } from './schemas.ts';
import { pointerTo } from './tree.ts';

/** A document without what its schema finds wrong with it. */
export interface Salvaged {
  readonly manifest: Document;
  /** JSON pointers of what was left out or stood in for: nothing may be concluded of these. */
  readonly wrong: readonly string[];
}

type Json = Record<string, unknown> | unknown[];

/** Stand for required fields that are missing or wrong. Of fields in `wrong` nobody asks what they say. */
const STAND_INS: Readonly<Record<Kind, Readonly<Record<string, unknown>>>> = {
  Fleet: {},
  App: { '/spec/image': 'x', '/spec/zone': 'x', '/spec/network': { name: 'x' }, '/spec/network/name': 'x' },
  Zone: { '/spec/hosts': {} },
  Network: { '/spec/vlan': 1, '/spec/cidr': '192.0.2.0/24' },
  Host: {},
  Tuning: { '/spec/hosts': {} },
};

/** Without these it is not known what a document is. */
const VITAL = ['', '/apiVersion', '/kind', '/metadata', '/metadata/name'];

/** One thing is mended at a time. */
const MOST_STEPS = 100;

/** What is left of a document that its schema refuses; undefined when it is not known what it is, or hardly anything is right. */
export function salvage(kind: Kind, value: unknown): Salvaged | undefined {
  const manifest = structuredClone(value);
  const wrong = new Set<string>();
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const [error] = order(schemaErrors(kind, manifest));
    if (error === undefined) return { manifest: manifest as Document, wrong: [...wrong] };
    const missing = error.keyword === 'required' ? pointerTo(error.instancePath, missingIn(error)) : undefined;
    const standIn = missing === undefined ? undefined : missing === '/spec' ? {} : STAND_INS[kind][missing];
    if (missing !== undefined && standIn !== undefined) {
      put(manifest, missing, structuredClone(standIn));
      wrong.add(missing);
    } else {
      const out = take(manifest, pointerOf(error));
      if (out === undefined) return undefined;
      wrong.add(out);
    }
  }
  return undefined;
}

/** Of a union that fails its own error first: those of its branches tell nothing. */
function order(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const union = errors.find(({ keyword }) => keyword === 'oneOf' || keyword === 'anyOf');
  return union === undefined ? errors : [union, ...errors];
}

function missingIn(error: ErrorObject): string {
  return String((error.params as { readonly missingProperty?: unknown }).missingProperty);
}

/** Where the wrong value stands: a member that should not be there, or the value itself. */
function pointerOf({ keyword, instancePath, params }: ErrorObject): string {
  const { additionalProperty, propertyName } = params as Readonly<Record<string, unknown>>;
  if (keyword === 'additionalProperties') return pointerTo(instancePath, String(additionalProperty));
  if (keyword === 'propertyNames') return pointerTo(instancePath, String(propertyName));
  return instancePath;
}

function segments(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function child(parent: unknown, key: string): unknown {
  return typeof parent === 'object' && parent !== null ? (parent as Readonly<Record<string, unknown>>)[key] : undefined;
}

function put(document: unknown, pointer: string, value: unknown): void {
  const path = segments(pointer);
  const parent = path.slice(0, -1).reduce(child, document) as Record<string, unknown>;
  parent[path.at(-1) ?? ''] = value;
}

/** Takes out a value; of a list the list, so that all others keep their places. Gives the pointer of what is out; undefined: it must not go. */
function take(document: unknown, pointer: string): string | undefined {
  if (VITAL.includes(pointer)) return undefined;
  const path = segments(pointer);
  const parent = path.slice(0, -1).reduce(child, document) as Json | undefined;
  const up = pointer.slice(0, pointer.lastIndexOf('/'));
  if (Array.isArray(parent)) return take(document, up);
  const key = path.at(-1) ?? '';
  // nothing is left to take: what holds it is wrong
  if (parent === undefined || !Object.hasOwn(parent, key)) return take(document, up);
  Reflect.deleteProperty(parent, key);
  return pointer;
}
