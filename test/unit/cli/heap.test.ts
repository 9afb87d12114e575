import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { keepHeapSmall } from '../../../cli/heap.ts';

it('leaves little room free between what is kept of what was replaced here and there', () => {
  keepHeapSmall();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const kept: (object | undefined)[] = Array.from({ length: 300_000 }, (_, at) => ({ at, more: [at, at, at] }));
  collect();
  for (let at = 0; at < kept.length; at += 1) if (at % 5 < 2) kept[at] = undefined;
  for (let times = 0; times < 30; times += 1) collect();
  const { heapTotal, heapUsed } = process.memoryUsage();
  assert.ok(kept[4] !== undefined);
  assert.ok(heapTotal < 1.35 * heapUsed, `${String(heapUsed)} of ${String(heapTotal)} bytes are in use`);
});
