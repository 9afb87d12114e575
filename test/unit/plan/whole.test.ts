import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IMAGES, run, type Scene } from '../../support/scene.ts';

/** A letter a replica: the image that each is to have in the end. */
const cases: readonly (readonly [string, Scene, string])[] = [
  ['all at once', { standing: 'o+ o+ o+', how: 'none' }, 'nnn'],
  ['canaries or none', { standing: 'o+ o+ o+', how: { canary: { replicas: 1, pause: 'forever' } } }, 'nnn'],
  ['whatever was begun', { standing: 'n- o+', how: { progressDeadline: 600 }, record: { stuckSince: 0 } }, 'nn'],
  ['whoever goes first', { standing: 'o+ o+', ahead: 'batch' }, 'nn'],
  [
    'but for what was given up, which leads nowhere',
    { standing: 'o+ o+', how: { progressDeadline: 600 }, record: { failed: { at: 1, why: 'w', back: true } } },
    'oo',
  ],
  [
    'of which another try is another change',
    { standing: 'o+ o+', how: {}, record: { attempt: 'a', failed: { at: 1, why: 'w', back: true } } },
    'nn',
  ],
];

describe('where a change leads, for a plan', () => {
  for (const [name, scene, leads] of cases)
    it(name, () => {
      const { replicas } = run({ ...scene, whole: true });
      const letters = replicas.map(({ spec }) => Object.keys(IMAGES).find((letter) => IMAGES[letter] === spec.image));
      assert.equal(letters.join(''), leads);
    });
});
