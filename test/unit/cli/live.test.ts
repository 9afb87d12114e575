import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { liveValue } from '../../../cli/live.ts';

const container = {
  id: 'c1',
  status: 'running',
  image: 'sha256:355d',
  stop: 'SIGTERM 2000',
  made: '{"env":{"A":"1"},"image":"plumbline/busybox:1"}',
};

const cases: readonly (readonly [name: string, state: object, field: string, want: unknown])[] = [
  ['the image that it was made of, by name', container, 'image', 'plumbline/busybox:1'],
  ['how it is stopped, as the spec has it', container, 'stop', { signal: 'SIGTERM', grace: 2000 }],
  ['another fixed part', container, 'env', { A: '1' }],
  ['what the state says itself', { memory: 64 }, 'memory', 64],
  ['nothing where nothing is said', { memory: 64 }, 'cpu', undefined],
  ['the state, where what it was made of was too long to keep', { image: 'sha256:355d' }, 'image', 'sha256:355d'],
  ['the state, where what it was made of is not readable', { image: 'a', made: '{' }, 'image', 'a'],
];

describe('a live value in the form of its spec', () => {
  for (const [name, state, field, want] of cases)
    it(`is ${name}`, () => {
      assert.deepEqual(liveValue(state, field), want);
    });
});
