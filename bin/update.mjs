#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { regenerate } from './house/generated.mjs';
import { HouseError, ROOT, main, run } from './house/run.mjs';
import { STAGES, testFiles } from './house/stages.mjs';
import { setup } from './setup.mjs';

/** @type {(line: string) => void} */
const say = (line) => void process.stdout.write(`${line}\n`);

/**
 * @param {string} what
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
async function must(what, args, env = process.env) {
  const { status, output } = await run(process.execPath, args, { env, timeout: 300_000 });
  if (status !== 0) throw new HouseError(`${what} failed:\n${output.trimEnd()}`);
}

/** The compiled tests that compare with golden files and need no root. */
function goldenTests() {
  const files = STAGES.filter((stage) => stage.hosts !== true).flatMap((stage) => testFiles(stage, []));
  const golden = files.filter((file) => /support\/golden\.ts'/.test(readFileSync(join(ROOT, file), 'utf8')));
  return golden.map((file) => join('dist', file.replace(/\.ts$/, '.js')));
}

await main(async () => {
  await setup({ needs: [] });
  for (const file of await regenerate()) say(`regenerated ${file}`);
  await build();
  const tests = goldenTests();
  if (tests.length > 0)
    await must('the tests that write goldens', ['--test', ...tests], { ...process.env, UPDATE: '1' });
  await must('prettier', ['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level=warn', '.']);
  const { output } = await run('git', ['status', '--short']);
  say(output === '' ? 'everything was current' : `now look at what changed:\n${output.trimEnd()}`);
  return 0;
});
