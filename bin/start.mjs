#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { HouseError, ROOT, main } from './house/run.mjs';
import { setup } from './setup.mjs';

// Everything after the set-up happens in this process, so that signals, stdio and the exit status are the product's own.
await main(async () => {
  await setup();
  await build();
  const entry = join(ROOT, 'dist/cli/start.js');
  if (!existsSync(entry)) throw new HouseError('cli/start.ts does not exist: this checkout cannot start');
  const { start } = await import(entry);
  return start(process.argv.slice(2));
});
