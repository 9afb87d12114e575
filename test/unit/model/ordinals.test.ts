import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ByOrdinal } from '../../../reconciler/model/ordinals.ts';

it('keeps what a Map keeps, also for names that are no ordinals', () => {
  const name = fc.oneof(
    fc.nat(12).map((ordinal) => `web-${String(ordinal)}`),
    fc.constantFrom('web-03', 'web-', 'web', 'web-1x', 'web-100001', 'web-99999999999999999999'),
  );
  const step = fc.tuple(name, fc.option(fc.record({ n: fc.nat() }), { nil: undefined }));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new Map<string, { readonly n: number }>();
      const table = new ByOrdinal<{ readonly n: number }>();
      for (const [replica, value] of steps) {
        table.set(replica, value);
        if (value) map.set(replica, value);
        else map.delete(replica);
        assert.equal(table.get(replica), map.get(replica));
        assert.equal(table.size, map.size);
        assert.deepEqual(new Set(table.values()), new Set(map.values()));
      }
    }),
  );
});

it('gives values in order of ordinal', () => {
  const table = new ByOrdinal<{ readonly n: number }>();
  for (const n of [10, 2, 0, 11]) table.set(`web-${String(n)}`, { n });
  assert.deepEqual(
    table.values().map(({ n }) => n),
    [0, 2, 10, 11],
  );
});
