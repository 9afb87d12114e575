#!/usr/bin/env node
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './house/lock.mjs';
import { HouseError, ROOT, isMain, main, run, seconds } from './house/run.mjs';

/** What the validators are made by, and of. */
const VALIDATORS = 'bin/house/validators.mjs';

const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');

/**
 * Compiles what changed, and removes from dist what has no source any more. Quiet and quick (a few milliseconds) when dist is current.
 * @param {(line: string) => void} [say]
 */
export async function build(say = (line) => void process.stderr.write(`${line}\n`)) {
  if (isCurrent()) return;
  await withLock(join(ROOT, '.plumbline/build.lock'), async () => {
    const state = fingerprint();
    if (isCurrent(state)) return;
    const start = Date.now();
    say('building …');
    rmSync(STAMP, { force: true });
    removeOrphans();
    const { status, output } = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.']);
    if (status !== 0) throw new HouseError(`the build failed:\n${output.trimEnd()}`);
    const { writeValidators } = await import('./house/validators.mjs');
    writeValidators();
    for (const file of scripts()) copyFileSync(join(ROOT, file), join(DIST, file));
    writeFileSync(STAMP, state);
    say(`built (${seconds(start)})`);
  });
}

function isCurrent(state = fingerprint()) {
  try {
    return readFileSync(STAMP, 'utf8') === state;
  } catch {
    return false;
  }
}

/** The folders that tsconfig.json includes. */
function folders() {
  return JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')).include.filter((/** @type {string} */ name) =>
    existsSync(join(ROOT, name)),
  );
}

/** Changes when a source is changed, added or removed, or the compiler is another. */
function fingerprint() {
  const hash = createHash('sha256');
  const schemas = readdirSync(join(ROOT, 'schemas')).filter((name) => name.endsWith('.json'));
  const files = ['tsconfig.json', 'package-lock.json', VALIDATORS, ...schemas.map((name) => join('schemas', name))];
  for (const file of [...files, ...sources(), ...scripts()]) {
    const { mtimeMs, size } = statSync(join(ROOT, file));
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

/** @returns {string[]} the TypeScript files, from the root */
export function sources() {
  return filesOf('.ts');
}

/** The Lua scripts, which are read beside the module that runs them. */
function scripts() {
  return filesOf('.lua');
}

/** @param {string} ending */
function filesOf(ending) {
  return folders().flatMap((/** @type {string} */ folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith(ending))
      .map((file) => join(folder, file))
      .sort(),
  );
}

/** A test whose source is gone must not run on; neither may a module be imported that no longer exists. */
function removeOrphans() {
  if (!existsSync(DIST)) return;
  for (const file of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
    const match = /^(.*)\.(js|d\.ts|js\.map|lua)$/.exec(file);
    const source = match?.[2] === 'lua' ? file : `${match?.[1]}.ts`;
    if (match && !existsSync(join(ROOT, source))) rmSync(join(DIST, file), { force: true });
  }
}

if (isMain(import.meta.url))
  await main(async () => {
    await build();
    return 0;
  });
