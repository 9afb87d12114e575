import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AddressTable, addressKey } from '../../../reconciler/model/addresses.ts';
import { formatIpv4, parseIpv4 } from '../../../reconciler/model/ipv4.ts';
import type { AddressRecord } from '../../../reconciler/model/reservations.ts';

describe('an IPv4 address', () => {
  it('is read as a number, from any place of a text to its end, and written as it was', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.stringMatching(/^[a-z/.0-9]{0,5}$/), (address, before) => {
        const value = parseIpv4(address) ?? -1;
        assert.equal(
          value,
          address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0),
        );
        assert.equal(parseIpv4(before + address, before.length), value);
        assert.equal(formatIpv4(value), address);
      }),
    );
  });

  it('is nothing else', () => {
    for (const text of [
      '',
      '1',
      '1.2.3',
      '1.2.3.',
      '.1.2.3',
      '1..2.3',
      '1.2.3.4.',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.4/8',
    ])
      assert.equal(parseIpv4(text), undefined, text);
    for (const text of [
      '1.2.3.00',
      '1.2.3.-4',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1.2.3.a',
      '1.2.3.0x1',
      '1.2.3.1e1',
      '１.2.3.4',
    ])
      assert.equal(parseIpv4(text), undefined, text);
  });
});

describe('a table of addresses', () => {
  const key = fc
    .tuple(
      fc.constantFrom('n', 'm'),
      fc.constantFrom('10.0.0.1', '10.0.0.63', '10.0.0.64', '255.255.255.255', '0.0.0.0', '10.0.0.0/28', 'strange'),
    )
    .map(([network, address]) => addressKey(network, address));
  const record: fc.Arbitrary<AddressRecord> = fc.oneof(
    fc.constantFrom('a-0', 'b-1').map((replica) => ({ replica })),
    fc.constantFrom(1, 2).map((until) => ({ until })),
    fc.constant({ zone: 'main' }),
  );

  it('holds what a Map would', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.option(record))), (steps) => {
        const [table, map] = [new AddressTable(), new Map<string, AddressRecord>()];
        for (const [at, to] of steps) {
          if (to) {
            table.set(at, to);
            map.set(at, to);
          } else assert.equal(table.delete(at), map.delete(at));
          assert.equal(table.size, map.size);
          assert.equal(table.has(at), map.has(at));
          assert.deepEqual(table.get(at), map.get(at));
        }
        const sorted = (names: Iterable<string>): readonly string[] => [...names].sort();
        const each: [string, AddressRecord][] = [];
        table.forEach((value, name) => each.push([name, value]));
        assert.deepEqual(new Map([...table].sort()), new Map([...map].sort()));
        assert.deepEqual(new Map(each.sort()), new Map([...map].sort()));
        assert.deepEqual(sorted(table.keys()), sorted(map.keys()));
        assert.deepEqual(
          [...table.values()].map((one) => JSON.stringify(one)).sort(),
          [...map.values()].map((one) => JSON.stringify(one)).sort(),
        );
      }),
    );
  });
});
