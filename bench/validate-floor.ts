import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import app from '../schemas/app.json' with { type: 'json' };
import common from '../schemas/common.json' with { type: 'json' };

/** The yardstick of `validate`: reads, parses and checks the App files of a folder with yaml and ajv, and nothing else. */
const folder = process.argv[2] ?? '.';
const ajv = new Ajv({ schemas: [common] });
const validate = ajv.compile(app);
let valid = 0;
for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
  if (path.startsWith('apps/') && path.endsWith('.yaml') && validate(parse(readFileSync(join(folder, path), 'utf8'))))
    valid += 1;
}
process.stdout.write(`${String(valid)}\n`);
