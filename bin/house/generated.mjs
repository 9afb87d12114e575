import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.mjs';

/** The documents of a repository, in the order in which the types are written. */
const KINDS = ['fleet', 'app', 'zone', 'network', 'host', 'tuning'];

/** Files that are made from others, each with what makes its text. @type {Record<string, () => Promise<string>>} */
const GENERATED = { 'schemas/types.ts': schemaTypes, 'docs/manifests.md': manifests };

async function schemaTypes() {
  const { compile } = await import('json-schema-to-typescript');
  const root = { title: 'Document', oneOf: KINDS.map((kind) => ({ $ref: `${kind}.json` })) };
  return compile(root, 'Document', {
    cwd: `${join(ROOT, 'schemas')}/`,
    bannerComment: '/* Generated from the schemas by `npm run update`. Do not edit. */',
    style: { singleQuote: true, printWidth: 120 },
    unreachableDefinitions: false,
  });
}

async function manifests() {
  const { manifestsPage } = await import('./manifests.mjs');
  /** @type {(name: string) => any} */
  const schema = (name) => JSON.parse(readFileSync(join(ROOT, 'schemas', `${name}.json`), 'utf8'));
  return manifestsPage(KINDS.map(schema), schema('common'));
}

/** Generated files that are not what they are made from, with the right text. */
export async function outdated() {
  const all = await Promise.all(Object.entries(GENERATED).map(async ([file, make]) => ({ file, text: await make() })));
  return all.filter(({ file, text }) => {
    const path = join(ROOT, file);
    return !existsSync(path) || readFileSync(path, 'utf8') !== text;
  });
}

/** Writes what is outdated, and gives the names. */
export async function regenerate() {
  const files = await outdated();
  for (const { file, text } of files) writeFileSync(join(ROOT, file), text);
  return files.map(({ file }) => file);
}
