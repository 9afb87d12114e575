#!/usr/bin/env node
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, main } from './house/run.mjs';

await main(async () => {
  await build(() => {});
  const bench = await import(join(ROOT, 'dist/bench/main.js'));
  return bench.main(
    process.argv.slice(2),
    /** @param {string} text */ (text) => void process.stdout.write(text),
    /** @param {string} text */ (text) => void process.stderr.write(text),
  );
});
