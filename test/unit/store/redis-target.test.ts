import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { parseTarget } from '../../../reconciler/store/redis/target.ts';

const one = { host: 'h', port: 6379 };

const good: readonly (readonly [url: string, says: object])[] = [
  ['redis://h', { form: 'single', nodes: [one], db: 0, acks: 0, username: undefined, password: undefined }],
  ['redis://h:7000/3', { nodes: [{ host: 'h', port: 7000 }], db: 3 }],
  ['redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
  ['redis://u:p%40ss%2F@h?acks=2', { username: 'u', password: 'p@ss/', acks: 2 }],
  ['redis://:p@h', { username: undefined, password: 'p' }],
  ['rediss://h', { tls: {} }],
  [
    'redis+sentinel://a,b:1/main',
    {
      form: 'sentinel',
      group: 'main',
      nodes: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 1 },
      ],
    },
  ],
  [
    'rediss+cluster://a:1,b:2',
    {
      form: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      tls: {},
    },
  ],
];

const bad: readonly (readonly [url: string, why: string])[] = [
  ['http://h', 'does not begin with'],
  ['', 'does not begin with'],
  ['redis://', '"" is no host'],
  ['redis+raft://h', 'redis+raft:// is unknown'],
  ['redis://h:99999', '"h:99999" is no host'],
  ['redis://h:x', '"h:x" is no host'],
  ['redis://a,b', 'several hosts'],
  ['redis://h/one', 'one is no number'],
  ['redis+sentinel://a,b', 'name of the master group'],
  ['redis+cluster://a/2', 'one database'],
  ['redis://h?tls=1', 'no option tls'],
  ['redis://h?ca=/x', 'go with rediss'],
  ['rediss://h?ca=/does/not/exist', '/does/not/exist cannot be read'],
  ['redis://h?acks=two', 'acks is a number'],
  ['redis://u:%zz@h', 'percent-encoded'],
  ['redis://u:s3cret@h?x=1', 'redis://u:***@h'],
];

describe('the URL of a store', () => {
  for (const [url, says] of good)
    it(`is understood: ${url}`, () => {
      const target: object = parseTarget(url);
      assert.deepEqual({ ...target, ...says }, target);
    });

  for (const [url, why] of bad)
    it(`is refused: ${url === '' ? 'nothing' : url}`, () => {
      assert.throws(
        () => parseTarget(url),
        (error) => {
          assert.ok(error instanceof PlumbError && error.code === 'USAGE');
          assert.ok(error.message.includes(why), error.message);
          assert.ok(!JSON.stringify([error.message, error.details]).includes('s3cret'));
          return true;
        },
      );
    });
});
