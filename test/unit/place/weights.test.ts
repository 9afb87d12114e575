import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Demand } from '../../../reconciler/model/demand.ts';
import { hostTable } from '../../../reconciler/place/table.ts';
import { weightsOf } from '../../../reconciler/place/weights.ts';

const MACHINES = [
  { host: 'h1', rack: 'r1', switch: 's1', cpu: 1000 },
  { host: 'h2', rack: 'r1', switch: 's1', cpu: 2500 },
  { host: 'h3', rack: 'r2', switch: 's1', cpu: 400 },
] as const;

const book = createBook();
for (const { cpu, ...where } of MACHINES) {
  const allocatable: Demand = { cpu, memory: 10_000, pids: 1_000, node0: 6 };
  const record = { ...where, zone: 'main', state: 'open', epoch: 1, allocatable } as const;
  book.apply([{ type: 'host', host: where.host, record }]);
}
const table = hostTable(book, new Map(), { part: 0, of: 1 });
const rows = Int32Array.of(0, 1, 2);
const asking = (demand: Partial<Demand>, cores = 0): Parameters<typeof weightsOf>[2] => ({
  demand: { cpu: 0, memory: 0, pids: 0, ...demand },
  cores,
});

describe('the weights of hosts', () => {
  it('are how many replicas each could take if it were empty, in parts too, and none where not one fits', () => {
    const { host, rack, switch: behind, all, most } = weightsOf(table, rows, asking({ cpu: 500 }));
    assert.deepEqual([[...host], [...rack], [...behind]], [[2, 5, 0], [7, 0], [7]]);
    assert.deepEqual([all, most], [7, 5]);
  });

  it('go by what is the scarcest', () => {
    assert.deepEqual([...weightsOf(table, rows, asking({ cpu: 500, memory: 4_000 })).host], [2, 2.5, 0]);
  });

  it('count whole sets of cores where a replica has them to itself', () => {
    assert.deepEqual([...weightsOf(table, rows, asking({}, 4)).host], [1, 1, 1]);
  });

  it('are all one where nothing is asked for, and leave out who may not take it', () => {
    assert.deepEqual([...weightsOf(table, Int32Array.of(0, 2), asking({})).host], [1, 0, 1]);
  });
});
