import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { Status, StatusItem } from '../../../reconciler/loop/status/status.ts';
import { inVain, lastWords, outline } from '../../support/outline.ts';

const item = (n: number, health: StatusItem['health']): StatusItem => ({
  ...{ ref: `replica/web-${String(n)}`, host: 'h1', sync: 'Synced', health, reason: 'x'.repeat(300) },
});
const status = (items: readonly StatusItem[]): Status => ({
  ...{ version: 1, revision: '0123456789', sync: 'OutOfSync', health: 'Degraded', items, hosts: [], problems: 0 },
  ...{ limitations: [], held: ['held'], messages: ['told'], draining: [] },
});

describe('what a failed wait shows', () => {
  it('is only what is not well, and of that not more than can be read', () => {
    const some = outline(status([item(0, 'Healthy'), item(1, 'Missing')]));
    assert.equal(some[0], 'OutOfSync Degraded at 0123456: 1 of 2 items are not well');
    assert.match(some[1] ?? '', /^ {2}replica\/web-1 h1 Synced Missing x+…$/);
    assert.deepEqual(some.slice(2), ['  held', '  told']);
    const many = outline(status(Array.from({ length: 30 }, (_, n) => item(n, 'Missing'))));
    assert.equal(many.length, 1 + 8 + 1 + 2);
    assert.equal(many[9], '  … 22 more');
    assert.deepEqual(outline(undefined), ['no status']);
  });

  it('is what each process printed last, also one that printed long ago and little', async () => {
    const words = lastWords();
    for (const [name, text] of [
      ['one', 'console.error("quiet")'],
      ['two', 'for (let n = 0; n < 100; n += 1) console.log("line " + n)'],
    ] as const) {
      const child = spawn(process.execPath, ['-e', text], { stdio: ['ignore', 'pipe', 'pipe'] });
      words.hear(name, child);
      await once(child, 'close');
    }
    const lines = words.lines();
    assert.deepEqual([lines[0], lines[1], lines.at(-1)], ['one: quiet', 'two: line 70', 'two: line 99']);
    assert.match(
      await inVain('so', 5, undefined, { words }),
      /^so: not within 5 s: \nno status\none: quiet\ntwo: line 70\n/,
    );
  });
});
