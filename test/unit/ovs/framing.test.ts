import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { splitObjects } from '../../../providers/ovs/framing.ts';

describe('splitting a stream into JSON objects', () => {
  it('gives back every object, however the bytes are cut', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('{', '}', '"}', '\\"{', 'ü€𝄞}', '\\'));
    const object = fc.record({ method: text, params: fc.array(fc.oneof(text, fc.jsonValue())) });
    const blank = fc.constantFrom('', ' ', '\n\t');
    fc.assert(
      fc.property(fc.array(fc.tuple(object, blank)), fc.array(fc.nat({ max: 40 })), (sent, cuts) => {
        const bytes = Buffer.from(sent.map(([value, space]) => JSON.stringify(value) + space).join(''));
        const split = splitObjects();
        const got: unknown[] = [];
        let at = 0;
        for (const length of [...cuts, bytes.length]) {
          for (const one of split(bytes.subarray(at, at + length))) got.push(JSON.parse(one));
          at += length;
        }
        assert.deepEqual(got, JSON.parse(JSON.stringify(sent.map(([value]) => value))));
      }),
    );
  });

  it('is linear in what it gets', () => {
    const split = splitObjects();
    const byte = Buffer.from('x');
    assert.deepEqual(split(Buffer.from('{"a":"')), []);
    for (let i = 0; i < 200_000; i++) assert.equal(split(byte).length, 0);
    assert.equal(split(Buffer.from('"}'))[0]?.length, 200_008);
  });

  it('refuses what is no object, and what has no end', () => {
    assert.throws(() => splitObjects()(Buffer.from('nonsense')), SyntaxError);
    assert.throws(() => splitObjects(10)(Buffer.from('{"a":"0123456789')), RangeError);
  });
});
