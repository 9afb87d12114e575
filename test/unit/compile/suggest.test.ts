import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nearest, suggestion } from '../../../reconciler/compile/suggest.ts';

describe('did you mean', () => {
  const fields = ['memory', 'mtu', 'cpu', 'egress', 'environment'];
  for (const [word, meant] of [
    ['memroy', 'memory'],
    ['Memory', 'memory'],
    ['mem', 'memory'],
    ['env', 'environment'],
    ['ni', undefined],
    ['en', undefined],
    ['quota', undefined],
  ] as const)
    it(`${word}: ${meant ?? 'nothing'}`, () => {
      assert.equal(nearest(word, fields), meant);
    });
  it('nothing where several begin like that', () => {
    assert.equal(nearest('con', ['container', 'consumer']), undefined);
    assert.equal(suggestion('con', ['container', 'consumer'], 'there are'), 'there are: container, consumer');
  });
});
