import assert from 'node:assert/strict';
import { it } from 'node:test';
import { disk } from '../../../providers/cgroups/files.ts';
import { budgetOf } from '../../../providers/cgroups/open-files.ts';

it('descriptors are kept for no more than a share of what the process may have', () => {
  const withLimits = (text: string): number => budgetOf({ ...disk, text: () => text }, '/proc', 0.25, 16_384).left;
  const head = 'Limit                     Soft Limit           Hard Limit           Units     \n';
  const line = (soft: string): string =>
    `${head}Max open files            ${soft}                 524288               files     \n`;
  assert.deepEqual(
    ['1024', '4096', '1048576', 'unlimited'].map((soft) => withLimits(line(soft))),
    [256, 1024, 16_384, 16_384],
  );
  assert.equal(budgetOf(disk, '/nowhere', 0.25, 7).left, 7);
  assert.ok(budgetOf(disk, '/proc', 1, Infinity).left < Infinity);
});
