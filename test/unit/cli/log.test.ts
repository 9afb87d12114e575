import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { operationalLog } from '../../../cli/log.ts';

/** What a process of its own writes to standard error. */
function written(level: string, work: string): readonly Record<string, unknown>[] {
  const code = `const { operationalLog } = await import(process.argv[1]);
    const log = operationalLog({ logLevel: process.argv[2] });
    ${work}`;
  const module = new URL('../../../cli/log.js', import.meta.url).href;
  const script = `node --input-type=module -e "$1" "$2" "$3" 2>&1 >/dev/null`;
  const text = execFileSync('sh', ['-c', script, 'sh', code, module, level], { encoding: 'utf8' });
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the operational log', () => {
  it('writes lines of its level and above, also the very last ones of a process', () => {
    const lines = written(
      'info',
      `log.debug({}, 'no'); log.info({ a: 1 }, 'yes'); log.warn({}, 'last'); process.exit(0);`,
    );
    assert.deepEqual(
      lines.map(({ msg, a }) => [msg, a]),
      [
        ['yes', 1],
        ['last', undefined],
      ],
    );
  });
  it('refuses a level that there is not', () => {
    assert.throws(() => operationalLog({ logLevel: 'loud' }), {
      code: 'USAGE',
      message: /--log-level takes debug, info/,
    });
  });
});
