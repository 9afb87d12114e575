import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../../reconciler/compile/compile.ts';
import type { ParsedFile } from '../../../reconciler/compile/file.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

/** Compiles one revision after another, as a controller does. */
function inTurn(): (revision: string, files?: Readonly<Record<string, string>>) => Catalog {
  const cache = new Map<string, ParsedFile>();
  let previous: Catalog | undefined;
  return (revision, files = SOUND) => (previous = compile(sourceFiles(files), revision, cache, previous));
}

const TABLES = ['apps', 'zones', 'networks', 'hosts', 'tunings'] as const;

describe('what a revision does not change', () => {
  it('is the same object as before, of every kind', () => {
    const next = inTurn();
    const [first, second] = [next('r1'), next('r2')];
    for (const table of TABLES) {
      assert.ok(first[table].size > 0 || table === 'tunings', table);
      for (const [name, one] of first[table]) assert.equal(second[table].get(name), one, `${table} ${name}`);
    }
    assert.equal(second.revision, 'r2');
  });

  it('is another where its own file is another, or another file has it', () => {
    const next = inTurn();
    const first = next('r1');
    const { 'apps/api.yaml': api = '', ...rest } = SOUND;
    const changed = next('r2', { ...rest, 'apps/api.yaml': api.replace('a:1', 'a:2') });
    assert.equal(changed.apps.get('api')?.spec.image, 'a:2');
    assert.equal(changed.apps.get('web'), first.apps.get('web'));
    const moved = next('r3', { ...rest, 'apps/moved.yaml': api });
    assert.equal(moved.apps.get('api')?.origin.file, 'apps/moved.yaml');
    assert.equal(moved.apps.get('api')?.origin.revision, 'r3');
    assert.equal(moved.apps.get('api')?.spec.image, first.apps.get('api')?.spec.image);
  });

  it('is another where the Fleet gives it to somebody else', () => {
    const next = inTurn();
    const first = next('r1');
    const owner = first.apps.get('api')?.owner;
    const second = next('r2', { ...SOUND, 'fleet.yaml': manifest('Fleet', 'lab', 'owners:\n  apps: others') });
    assert.notEqual(owner, 'others');
    assert.equal(second.apps.get('api')?.owner, 'others');
    assert.equal(second.apps.get('api')?.spec.image, first.apps.get('api')?.spec.image);
  });

  it('is told to be wrong in each revision', () => {
    const next = inTurn();
    const spec = 'image: a:1\nzone: main\nnetwork:\n  name: net\nresources:\n  cpu:\n    cores: 0';
    const wrong = { ...SOUND, 'apps/idle.yaml': manifest('App', 'idle', spec) };
    const [first, second] = [next('r1', wrong), next('r2', wrong)];
    assert.deepEqual(
      first.problems.map(({ code, file }) => [code, file]),
      [['BAD_VALUE', 'apps/idle.yaml']],
    );
    assert.deepEqual(second.problems, first.problems);
  });
});
