import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meaningOf, storeError } from '../../../reconciler/store/redis/failures.ts';
import type { Meaning } from '../../../reconciler/store/redis/failures.ts';

const cases: readonly (readonly [text: string, code: string | undefined, meaning: Meaning, as: string])[] = [
  ['NOSCRIPT No matching script. Please use EVAL.', undefined, 'no-script', 'STORE_UNAVAILABLE'],
  ["READONLY You can't write against a read only replica.", undefined, 'again', 'STORE_UNAVAILABLE'],
  ['LOADING Redis is loading the dataset in memory', undefined, 'again', 'STORE_UNAVAILABLE'],
  ['CLUSTERDOWN The cluster is down', undefined, 'again', 'STORE_UNAVAILABLE'],
  ['NOREPLICAS Not enough good replicas to write.', undefined, 'again', 'STORE_UNAVAILABLE'],
  ['Connection is closed.', undefined, 'again', 'STORE_UNAVAILABLE'],
  ['connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED', 'again', 'STORE_UNAVAILABLE'],
  ['WRONGPASS invalid username-password pair', undefined, 'refused', 'STORE_REFUSED'],
  ["NOPERM this user has no permissions to run the 'get' command", undefined, 'refused', 'STORE_REFUSED'],
  ['unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'refused', 'STORE_REFUSED'],
  ['MISCONF Errors writing to the AOF file: No space left on device', undefined, 'disk', 'DISK_FULL'],
  ["OOM command not allowed when used memory > 'maxmemory'.", undefined, 'other', 'STORE_UNAVAILABLE'],
  ['ERR user_script:1: attempt to call a nil value', undefined, 'other', 'STORE_UNAVAILABLE'],
];

describe('an error of Redis', () => {
  for (const [text, code, meaning, as] of cases)
    it(`means ${meaning}: ${text}`, () => {
      const error = Object.assign(new Error(text), code === undefined ? {} : { code });
      assert.equal(meaningOf(error), meaning);
      const told = storeError(error, 'redis://h');
      assert.equal(told.code, as);
      assert.ok(told.message.includes('redis://h') && told.message.includes(text));
    });
});
