import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { KINDS, schemaErrors, schemaOf } from '../../../reconciler/compile/schemas.ts';

const common = JSON.parse(readFileSync('schemas/common.json', 'utf8')) as object;

describe('the validators that the build makes', () => {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: true, allowUnionTypes: true, schemas: [common] });
  const documents = [{}, 7, { apiVersion: 'plumbline/v2', kind: 'App', metadata: { name: '-' }, spec: { cidr: [] } }];

  for (const kind of KINDS)
    it(`find in a ${kind} what Ajv finds by its schema`, () => {
      const validate = ajv.compile(schemaOf(kind));
      for (const document of documents) {
        validate(document);
        const told = (errors: typeof validate.errors): object[] =>
          (errors ?? []).map(({ instancePath, keyword, params, schema }) => ({
            instancePath,
            keyword,
            params,
            schema,
          }));
        assert.deepEqual(told([...schemaErrors(kind, document)]), told(validate.errors));
      }
    });

  it('are used without Ajv’s compiler, which takes longer to load than a first sandbox', () => {
    const script = `
      import { createRequire } from 'node:module';
      import { schemaErrors } from './dist/reconciler/compile/schemas.js';
      schemaErrors('App', {});
      console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));`;
    const loaded = JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
    ) as string[];
    assert.ok(loaded.some((file) => file.endsWith('validators.cjs')));
    assert.deepEqual(
      loaded.filter((file) => file.endsWith('/ajv/dist/core.js')),
      [],
    );
  });
});
