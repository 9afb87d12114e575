import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTouched } from '../../../reconciler/place/touched.ts';

describe('what happened on hosts', () => {
  it('is told since a place, each host once, and places stay what they were when the beginning is dropped', () => {
    const touched = createTouched();
    touched.add('h1');
    const place = touched.end;
    for (const host of ['h2', 'h1', 'h2']) assert.equal(touched.add(host), true);
    assert.deepEqual([...touched.since(0)], ['h1', 'h2']);
    assert.deepEqual([...touched.since(place)], ['h2', 'h1']);
    touched.trim(place);
    assert.deepEqual([...touched.since(place)], ['h2', 'h1']);
    assert.deepEqual([...touched.since(touched.end)], []);
    touched.add('h3');
    assert.deepEqual([...touched.since(place)], ['h2', 'h1', 'h3'], 'what was asked before is not given again');
  });

  it('is dropped where it is too much, which is said', () => {
    const touched = createTouched();
    for (let at = 0; at < 20_000; at += 1) assert.equal(touched.add('h1'), true);
    assert.equal(touched.add('h2'), false);
    assert.deepEqual([...touched.since(touched.end)], []);
  });
});
