import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { failureOf, nextStepOf } from '../../../cli/failure.ts';
import { main } from '../../../cli/main.ts';
import { NEXT_STEPS } from '../../../cli/next-steps.ts';
import { PlumbError, type ErrorCode } from '../../../reconciler/model/errors.ts';
import { speak, type Spoken } from '../../support/verb.ts';

const say = (...argv: readonly string[]): Promise<Spoken> => speak(main, tmpdir(), ...argv);

describe('the command line', () => {
  for (const argv of [
    ['plan', 'a...b', '-o', 'json'],
    ['plan', 'a...b', '-ojson'],
    ['plan', 'a...b', '--output=json'],
    ['plan', 'a...b', '--output', 'json'],
  ])
    it(`${argv.join(' ')} gives its error as JSON`, async () => {
      const { code, out, err } = await say(...argv);
      assert.deepEqual([code, out], [1, '']);
      assert.deepEqual(JSON.parse(err), {
        version: 1,
        error: {
          code: 'USAGE',
          message: 'a...b has three dots; a step takes two: a..b',
          place: 'plumb plan',
          next: NEXT_STEPS.USAGE,
        },
      });
    });

  it('gives errors as text otherwise, and validate keeps its exit status', async () => {
    assert.deepEqual(await say('plan', 'a...b'), {
      code: 1,
      out: '',
      err: 'plumb: a...b has three dots; a step takes two: a..b [USAGE]\n',
    });
    const { code, err } = await say('validate', '/nonexistent', '-o', 'json');
    assert.equal(code, 2);
    assert.match(err, /^\{"version":1,"error":\{"code":"USAGE",.*"place":"\/nonexistent",/);
    assert.match((await say('stauts')).err, /no verb stauts; did you mean status\?/);
    assert.match((await say('plam', '-o', 'json')).err, /"message":"no verb plam; did you mean plan\?/);
  });

  it('tells a person the next step as well, where the message does not', async () => {
    const { code, err } = await say('plan', '--repo', '/nonexistent');
    assert.equal(code, 1);
    assert.match(
      err,
      /^plumb: .*\/nonexistent.* \[SOURCE_UNREACHABLE\]\n {2}next: Try `git ls-remote \/nonexistent` .*\n$/,
    );
    for (const each of Object.keys(NEXT_STEPS))
      assert.match(nextStepOf(new PlumbError(each as ErrorCode, 'x')), /^(?: {2}next: .+\n)?$/);
    const pulled = new PlumbError('IMAGE_UNAVAILABLE', 'x', { reference: 'shop/web:1' });
    assert.match(nextStepOf(pulled), /`docker pull shop\/web:1`/);
  });

  it('says where an error is, as narrowly as it is known', () => {
    const error = new PlumbError('STORE_UNAVAILABLE', 'x', { store: 'redis://a', ref: 'port/web-0' });
    assert.equal(failureOf(error, 'plumb status').place, 'port/web-0');
  });

  it('has the next steps of the documentation', () => {
    const doc = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
    for (const [code, next] of Object.entries(NEXT_STEPS))
      assert.ok(
        doc.split('\n').some((line) => line.startsWith(`| \`${code}\` | `) && line.endsWith(` | ${next} |`)),
        `docs/errors.md has another next step for ${code} than cli/next-steps.ts`,
      );
  });

  it('says soon what it waits for, and ends soon when a store is not there', async () => {
    const since = performance.now();
    const { code, err } = await say('status', '--store', 'redis://:secret@127.0.0.1:1');
    assert.equal(code, 1);
    assert.match(
      err,
      /^redis:\/\/:\*\*\*@127\.0\.0\.1:1 does not answer yet; asking for 5 s\nplumb: .*\[STORE_UNAVAILABLE\]\n {2}next: .*\n$/,
    );
    assert.ok(performance.now() - since < 11_000);
  });

  it('explains a verb by help, too', async () => {
    const { code, out } = await say('help', 'plan');
    assert.deepEqual([code, out], [0, (await say('plan', '--help')).out]);
    assert.match((await say('help', 'host', 'enroll')).out, /^Usage: plumb host enroll/);
    assert.match((await say('help')).out, /^plumb: keeps containers/);
    assert.equal((await say('help', 'nope')).code, 1);
  });
});
