import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Departed } from '../../../reconciler/model/notice.ts';
import { step } from '../../support/placing.ts';
import type { Sketch } from '../../support/catalog.ts';

const web = { web: { replicas: 2 } };

/** What is told of h1, on which two replicas were, and whether the store still knows it. */
function after(sketch: Sketch): readonly [readonly Departed[], boolean] {
  const book = createBook();
  step({ hosts: { h1: {} }, apps: web }, { book });
  const { departed } = step(sketch, { book });
  return [departed, book.hosts.has('h1')];
}

describe('a host that leaves Git', () => {
  it('keeps what is on it, and is told', () => {
    assert.deepEqual(after({ hosts: { h2: {} }, apps: web }), [[{ host: 'h1', replicas: 2 }], true]);
  });

  it('is told as well where only its Zone has left it', () => {
    const elsewhere = { main: { hosts: { matchLabels: { pool: 'other' } } } };
    assert.deepEqual(after({ hosts: { h1: {} }, zones: elsewhere, apps: web }), [
      [{ host: 'h1', replicas: 2, zoneless: true }],
      true,
    ]);
  });

  it('is not told where its document, or that of its Zone, cannot be read', () => {
    assert.deepEqual(after({ hosts: { h2: {} }, heldObjects: ['Host/h1'], apps: web }), [[], true]);
  });

  it('is forgotten once nothing is on it', () => {
    assert.deepEqual(after({ hosts: { h2: {} }, apps: {} }), [[], false]);
  });
});
