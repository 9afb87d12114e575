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
  ["Cluster isn't ready", undefined, 'again', 'STORE_UNAVAILABLE'],
  ['No master node is available for the pipeline', undefined, 'again', 'STORE_UNAVAILABLE'],
  ['Too many Cluster redirections. Last error: ReplyError: MOVED 1 h:1', undefined, 'again', 'STORE_UNAVAILABLE'],
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

  it('is told without what a library says of its own', () => {
    const offline = "Stream isn't writeable and enableOfflineQueue options is false";
    assert.match(storeError(new Error(offline), 'redis://h').message, /: Stream isn't writeable$/);
    const unreachable =
      'All sentinels are unreachable. Retrying from scratch after 1331.57ms. Last error: connect ECONNREFUSED';
    assert.match(
      storeError(new Error(unreachable), 'redis://h').message,
      /: All sentinels are unreachable\. Last error: connect/,
    );
  });
});
