import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.mjs';

const KINDS = ['app', 'fleet', 'host', 'network', 'tuning', 'zone'];

/** What the schemas' validators are made of: their files, from the root. */
const SCHEMA_FILES = ['common', ...KINDS].map((name) => `schemas/${name}.json`);

/**
 * Writes the validators of all kinds as one CommonJS module: compiling them took a tenth of a second of every start. Ajv's
 * own ESM output cannot be imported, since it requires Ajv's run-time files.
 */
export function writeValidators() {
  const [common, ...kinds] = SCHEMA_FILES.map((file) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')));
  const options = { allErrors: true, verbose: true, strict: true, allowUnionTypes: true };
  const ajv = new Ajv({ ...options, schemas: [common, ...kinds], code: { source: true } });
  const names = Object.fromEntries(kinds.map((schema) => [schema.properties.kind.const, schema.$id]));
  writeFileSync(join(ROOT, 'dist/reconciler/compile/validators.cjs'), standalone.default(ajv, names));
}
