#!/usr/bin/env node
import { availableParallelism } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { outdated } from './house/generated.mjs';
import { npmReason } from './house/npm.mjs';
import { houseRules } from './house/rules.mjs';
import { HouseError, ROOT, isMain, main, run, seconds } from './house/run.mjs';
import { setup } from './setup.mjs';

/** @typedef {{ name: string, ok: boolean, output: string, time: string }} Part */

const modules = join(ROOT, 'node_modules');

/**
 * A tool of node_modules as a part of the check.
 * @param {string} script
 * @param {readonly string[]} args
 * @param {string} [hint]
 */
function tool(script, args, hint = '') {
  return async () => {
    const { status, output } = await run(process.execPath, [join(modules, script), ...args], { timeout: 300_000 });
    return status === 0 ? '' : `${output.trimEnd() || `exit status ${status}`}${hint}`;
  };
}

/** Each part gives the text of what is wrong, empty when all is well. The longest comes first. @type {Record<string, () => Promise<string>>} */
const PARTS = {
  lint: tool('eslint/bin/eslint.js', ['.', '--max-warnings=0']),
  types,
  'dead code': tool('knip/bin/knip.js', ['--no-progress', '--no-config-hints']),
  arrows: async () =>
    tool('dependency-cruiser/bin/dependency-cruise.mjs', ['--config', '.dependency-cruiser.cjs', ...folders()])(),
  scripts: tool('typescript/bin/tsc', ['-p', 'bin']),
  format: tool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.'], '\nto format all: npm run format'),
  lock: async () => {
    // npm writes locks that it then refuses, where a package's binaries for other platforms lag behind
    const { status, output } = await run('npm', ['ci', '--dry-run', '--offline'], { timeout: 120_000 });
    return status === 0 ? '' : npmReason(status, output);
  },
  generated: async () =>
    (await outdated()).map(({ file }) => `${file} is not what its source says; run: npm run update`).join('\n'),
  rules: async () => {
    const typesAre = await types();
    return typesAre === '' ? (await houseRules()).join('\n') : 'needs the build, which failed';
  },
};

/** @type {Promise<string> | undefined} */
let built;

/** Two parts need the build; it runs once. */
function types() {
  built ??= build(() => {}).then(
    () => '',
    (error) => {
      if (error instanceof HouseError) return error.message;
      throw error;
    },
  );
  return built;
}

function folders() {
  return ['schemas', 'reconciler', 'providers', 'cli', 'lab', 'test', 'bench'].filter((name) =>
    existsSync(join(ROOT, name)),
  );
}

/**
 * Runs the parts whose names contain a filter (all without filters), as many at a time as there are cores, and prints each as it ends, then all that failed.
 * @param {readonly string[]} filters
 * @param {(line: string) => void} say
 * @returns {Promise<readonly Part[]>}
 */
export async function check(filters, say) {
  const queue = Object.keys(PARTS).filter(
    (name) => filters.length === 0 || filters.some((filter) => name.includes(filter)),
  );
  if (queue.length === 0) throw new HouseError(`no such part; there are: ${Object.keys(PARTS).join(', ')}`);
  /** @type {Part[]} */
  const done = [];
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const part = await runPart(name);
      done.push(part);
      say(`${part.ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(9)}  ${part.time}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
  for (const part of done) if (!part.ok) say(`\n── ${part.name}\n${part.output}`);
  return done;
}

/**
 * @param {string} name
 * @returns {Promise<Part>}
 */
async function runPart(name) {
  const start = Date.now();
  const output = (await PARTS[name]?.()) ?? '';
  return { name, ok: output === '', output, time: seconds(start) };
}

if (isMain(import.meta.url))
  await main(async () => {
    await setup({ needs: [] });
    const parts = await check(process.argv.slice(2), (line) => void process.stdout.write(`${line}\n`));
    return parts.every((part) => part.ok) ? 0 : 1;
  });
