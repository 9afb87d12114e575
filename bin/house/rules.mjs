import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from './run.mjs';

const FOLDERS = ['bin', 'schemas', 'disk', 'reconciler', 'providers', 'cli', 'server', 'lab', 'test', 'bench'];
const MOST_LINES = 400;
const VAGUE = /(Manager|Helpers?|Utils?|Handler|Service)$/;

/** @typedef {{ name: string, text: string }} SourceFile name from the repository's root */

/**
 * Rules of the house that no linter knows. Gives one line a violation.
 * @param {string} [root]
 */
export async function houseRules(root = ROOT) {
  const files = sourceFiles(root);
  const found = files.flatMap((file) => [
    ...tooLong(file),
    ...vagueNames(file),
    ...leftovers(file),
    ...endlessDirectories(file),
  ]);
  return [...found, ...(await errorCatalogue(root))];
}

/**
 * @param {string} root
 * @returns {readonly SourceFile[]}
 */
function sourceFiles(root) {
  return FOLDERS.filter((folder) => existsSync(join(root, folder))).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|mjs)$/.test(file))
      .map((file) => join(folder, file))
      .filter((name) => name !== 'schemas/types.ts')
      .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') })),
  );
}

/** @param {SourceFile} file */
export function tooLong({ name, text }) {
  const lines = text.split('\n').length - 1;
  return lines > MOST_LINES ? [`${name}: ${lines} lines; a file that does one thing has at most ${MOST_LINES}`] : [];
}

/** @param {SourceFile} file */
export function vagueNames({ name, text }) {
  const words = basename(name).split('.')[0] ?? '';
  const file = /(manager|helper|util|handler|service)s?$/i.test(words)
    ? [`${name}: a file is named after what it holds, not "${words}"`]
    : [];
  const declared = text.matchAll(
    /^(?:export )?(?:abstract )?(?:class|interface|type|enum|(?:async )?function|const) +(\w+)/gm,
  );
  const vague = [...declared].filter(([, word = '']) => VAGUE.test(word));
  return [
    ...file,
    ...vague.map((match) => `${name}: ${match[1]}: a name says what the thing does, in the field's words`),
  ];
}

/** @param {SourceFile} file */
export function leftovers({ name, text }) {
  // in two parts, so that this file does not find itself
  const marks = new RegExp(
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b|\\b(?:it|describe)\\.on` + 'ly\\(',
  );
  return text
    .split('\n')
    .flatMap((line, index) => (marks.test(line) ? [`${name}:${index + 1}: left over: ${line.trim()}`] : []));
}

/**
 * Directories are made by disk/directory.ts: node's recursive mkdir never ends below /proc, and users say where they are.
 * @param {SourceFile} file
 */
export function endlessDirectories({ name, text }) {
  if (!/^(reconciler|providers|cli|server|disk)\//.test(name)) return [];
  const found = /\bmkdir(Sync)?\([^;]*\brecursive: true/.test(text);
  return found
    ? [`${name}: a directory is made by makeDirectory of disk/directory.ts, which ends below /proc as well`]
    : [];
}

/**
 * docs/errors.md has a row for each code, with its retry word, and no others.
 * @param {string} root
 */
async function errorCatalogue(root) {
  const { ERRORS } = await import(join(root, 'dist/reconciler/model/errors.js'));
  const codes = join(root, 'dist/reconciler/compile/codes.js');
  const { COMPILE_CODES } = existsSync(codes) ? await import(codes) : { COMPILE_CODES: {} };
  const catalogue = compareCatalogue(readFileSync(join(root, 'docs/errors.md'), 'utf8'), ERRORS, COMPILE_CODES);
  const texts = sourceFiles(root)
    .filter(({ name }) => name !== 'reconciler/model/errors.ts' && !name.startsWith('test/'))
    .map(({ text }) => text);
  return [...catalogue, ...unusedCodes(Object.keys(ERRORS), texts)];
}

/**
 * Codes that no source gives.
 * @param {readonly string[]} codes
 * @param {readonly string[]} texts
 */
export function unusedCodes(codes, texts) {
  return codes
    .filter((code) => !texts.some((text) => text.includes(`'${code}'`)))
    .map((code) => `reconciler/model/errors.ts: nothing gives ${code}`);
}

/**
 * @param {string} markdown rows as "| `CODE` | cause | next step |", with a retry column for errors of a running plumb
 * @param {Record<string, { retry: boolean }>} errors
 * @param {Record<string, unknown>} compileCodes
 */
export function compareCatalogue(markdown, errors, compileCodes) {
  const rows = new Map();
  for (const [, code = '', rest = ''] of markdown.matchAll(/^\| `([A-Z0-9_]+)` *\|(.*)\|$/gm))
    rows.set(
      code,
      rest.split('|').map((cell) => cell.trim()),
    );
  const codes = [...Object.keys(errors), ...Object.keys(compileCodes)];
  const absent = codes.filter((code) => !rows.has(code)).map((code) => `docs/errors.md: no row for ${code}`);
  const unknown = [...rows.keys()]
    .filter((code) => !codes.includes(code))
    .map((code) => `docs/errors.md: ${code} is no code of the product`);
  const wrong = Object.entries(errors).flatMap(([code, { retry }]) => {
    const said = rows.get(code)?.[0];
    const right = retry ? 'yes' : 'no';
    return said === undefined || said === right
      ? []
      : [`docs/errors.md: ${code}: "retry" says ${said}, the code says ${right}`];
  });
  return [...absent, ...unknown, ...wrong];
}
