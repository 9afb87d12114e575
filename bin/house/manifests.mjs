import { stringify } from 'yaml';

/**
 * A JSON Schema, as far as the manifests use it.
 * @typedef {{
 *   [key: string]: any, title?: string, description?: string, type?: string, properties?: Record<string, Schema>,
 *   required?: string[], definitions?: Record<string, Schema>, default?: unknown, examples?: unknown[],
 * }} Schema
 */
/** @typedef {{ path: string, required: boolean, type: string, fallback: string, text: string }} Row */

/**
 * The reference of all kinds as Markdown.
 * @param {readonly Schema[]} kinds
 * @param {Schema} common what they share
 */
export function manifestsPage(kinds, common) {
  const names = kinds.map((kind) => `[${kind.title}](#${kind.title?.toLowerCase()})`).join(', ');
  const intro = `# Manifests

<!-- Generated from schemas/ by \`npm run update\`. Do not edit. -->

A repository holds YAML documents of these kinds: ${names}. Each has \`apiVersion: plumbline/v1\`, its \`kind\`,
[\`metadata\`](#metadata) and a \`spec\`. A field that is not listed here is an error. Required fields are **bold**.

An editor that knows the YAML language server checks a file while it is written, with this as its first line (the path leads
to the schema of the kind): \`# yaml-language-server: $schema=.plumb/schemas/app.json\`. \`plumb init\` puts the schemas there.

## What is read

- All files \`*.yaml\` and \`*.yml\` at and below the path, in any layout, with any number of documents each. What lies below
  a name that starts with a dot (\`.github/\`) is left out. Any other YAML document is an error: a misspelt \`apiVersion\`
  must not look like a deletion.
- YAML 1.2 in UTF-8. Limits: 10,000 files; 1 MiB and 1,000 documents a file; 100 aliases a document; nesting to 64. Symbolic
  links, submodules, tabs as indent, duplicate keys, tags and merge keys are errors.
- A repository has exactly one Fleet.
- An object belongs to its \`metadata.owner\`, else to the owner of the longest prefix of its path in \`spec.owners\` of the
  Fleet, else to \`unowned\`.
- A file with an error keeps its objects as they were, and nothing of its owner is removed until it is mended; other files go
  on. So does an object that a check between documents finds wrong. [errors.md](errors.md) has all codes.
- \`plumb validate\` tells all errors at once; \`plumb render\` prints the documents with all defaults filled in.
`;
  return [intro, ...kinds.map(kindSection), commonSection(common)].join('\n').replace(/\n{3,}/g, '\n\n');
}

/** @param {Schema} kind */
function kindSection(kind) {
  const spec = kind.properties?.['spec'] ?? {};
  const local = Object.entries(kind.definitions ?? {}).map(
    ([name, schema]) => `### ${name}\n\n${paragraph(schema.description)}${table(rows(schema, ''))}`,
  );
  const examples = (kind.examples ?? []).map(
    (example) => `\`\`\`yaml\n${stringify(example, { lineWidth: 110 })}\`\`\`\n`,
  );
  const fields = table(rows(spec, 'spec'));
  return [`## ${kind.title}\n`, paragraph(kind.description), ...examples, '', fields, ...local].join('\n');
}

/** @param {Schema} common */
function commonSection(common) {
  const sections = Object.entries(common.definitions ?? {}).map(([name, schema]) => {
    const fields = schema.properties ? table(rows(schema, '')) : form(schema);
    return `### ${name}\n\n${paragraph(schema.description)}${fields}`;
  });
  return ['## Common forms\n', ...sections].join('\n');
}

/** @param {string | undefined} text */
function paragraph(text) {
  return text === undefined ? '' : `${text}\n\n`;
}

/** @param {Schema} schema */
function form(schema) {
  const patterns = [schema, ...(schema['anyOf'] ?? [])].flatMap((one) => one.pattern ?? []);
  return patterns.map((pattern) => `As a regular expression: \`${pattern}\`\n`).join('\n');
}

/**
 * One row for each field below a schema; alternatives are laid over each other.
 * @param {Schema} schema
 * @param {string} path
 * @returns {readonly Row[]}
 */
function rows(schema, path) {
  const merged = merge(schema);
  const own = Object.entries(merged.properties ?? {}).flatMap(([name, field]) =>
    fieldRows(field, path === '' ? name : `${path}.${name}`, merged.required?.includes(name) === true),
  );
  return unique([...own, ...alternatives([...(merged['oneOf'] ?? []), ...(merged['anyOf'] ?? [])], path)]);
}

/**
 * The rows of several forms of one thing. What one form needs and another lacks is what tells them apart.
 * @param {readonly Schema[]} choices
 * @param {string} path
 */
function alternatives(choices, path) {
  const forms = choices.map((choice) => rows(choice, path)).filter((form) => form.length > 0);
  /** @type {(row: Row) => boolean} */
  const inAll = (row) => forms.every((form) => form.some((other) => other.path === row.path));
  const depth = path.split('.').length + (path === '' ? 0 : 1);
  return forms.flat().map((row) => {
    if (!row.required || inAll(row) || row.path.split('.').length > depth) return row;
    return { ...row, required: false, text: `${row.text} One of the forms.` };
  });
}

/**
 * @param {Schema} field
 * @param {string} path
 * @param {boolean} required
 * @returns {readonly Row[]}
 */
function fieldRows(field, path, required) {
  const merged = merge(field);
  const fallback = merged.default === undefined ? '' : `\`${JSON.stringify(merged.default).replaceAll('"', '')}\``;
  const row = { path, required, type: typeOf(field), fallback, text: merged.description ?? '' };
  const below = [...rows(field, path), ...(merged['items'] ? rows(merged['items'], `${path}[]`) : [])];
  const entries =
    typeof merged['additionalProperties'] === 'object' ? rows(merged['additionalProperties'], `${path}.*`) : [];
  return [row, ...below, ...entries];
}

/**
 * A field that several alternatives have is one row; it is required when all that have it require it.
 * @param {readonly Row[]} all
 */
function unique(all) {
  const byPath = new Map();
  for (const row of all) {
    const seen = byPath.get(row.path);
    if (seen === undefined) byPath.set(row.path, row);
    else byPath.set(row.path, { ...seen, required: seen.required && row.required });
  }
  return [...byPath.values()];
}

/**
 * `allOf` of one reference is how a described field names a common form; its own words win.
 * @param {Schema} schema
 * @returns {Schema}
 */
function merge(schema) {
  const { allOf, ...own } = schema;
  return Object.assign({}, ...(allOf ?? []), own);
}

/**
 * @param {Schema} schema
 * @returns {string}
 */
function typeOf(schema) {
  const merged = merge(schema);
  if (merged['$ref']) return link(merged['$ref']);
  if (merged['const'] !== undefined) return `\`${merged['const']}\``;
  if (merged['enum']) return merged['enum'].map((/** @type {unknown} */ one) => `\`${one}\``).join(', ');
  const choices = merged['oneOf'] ?? merged['anyOf'];
  if (choices) return [...new Set(choices.map(typeOf))].join(' or ');
  if (merged.type === 'array') return `list of ${typeOf(merged['items'] ?? {})}`;
  if (typeof merged['additionalProperties'] === 'object') return `map to ${typeOf(merged['additionalProperties'])}`;
  return `${merged.type ?? 'any'}${range(merged)}`;
}

/** @param {Schema} schema */
function range({ minimum, maximum }) {
  if (minimum !== undefined && maximum !== undefined) return ` ${minimum}–${maximum}`;
  return minimum !== undefined ? ` ≥ ${minimum}` : '';
}

/** @param {string} reference */
function link(reference) {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  return `[${name}](#${name})`;
}

/** @param {readonly Row[]} all */
function table(all) {
  if (all.length === 0) return '';
  const lines = all.map(({ path, required, type, fallback, text }) => {
    const name = required ? `**\`${path}\`**` : `\`${path}\``;
    return `| ${name} | ${[type, fallback, text].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `| field | type | default | meaning |\n|---|---|---|---|\n${lines.join('\n')}\n`;
}
