import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Dimension } from '../../../reconciler/model/demand.ts';
import { amountText } from '../../../reconciler/place/misses.ts';

const amounts: readonly (readonly [Dimension, number, string])[] = [
  ['cpu', 1500, '1500m CPU'],
  ['memory', 2 ** 30, '1Gi of memory'],
  ['disk', 2 ** 20, '1Mi of disk'],
  ['spindles', 1000, '1 spindle'],
  ['spindles', 2000, '2 spindles'],
  ['spindles', 1, '1m spindles'],
  ['pids', 1, '1 process'],
  ['pids', 64, '64 processes'],
  ['node1', 1, '1 core of NUMA node 1'],
  ['node1', 2, '2 cores of NUMA node 1'],
];

for (const [key, value, text] of amounts)
  it(`${text} is how an amount is read`, () => {
    assert.equal(amountText(key, value), text);
  });
