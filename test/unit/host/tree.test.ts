import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { treeAt, whileSame, type Tree } from '../../../providers/host/inventory/tree.ts';
import { ofEach, readOnce } from '../../../providers/host/rivals/lines.ts';
import { machineWith } from '../../support/knobs-rig.ts';

describe('what was worked out of a tree', () => {
  const FILES = { 'a/text': 'one\n', 'a/number': '1\n', 'a/names/x': '', 'a/other': '' };
  const asks = (tree: Tree): string =>
    JSON.stringify([
      tree.text('a/text'),
      tree.number('a/number'),
      tree.names('a/names'),
      tree.target('a/link'),
      tree.has('a/none'),
    ]);
  const changes: readonly (readonly [string, (root: string) => void, boolean])[] = [
    ['a text', (root) => fs.writeFileSync(join(root, 'a/text'), 'two\n'), true],
    ['a number', (root) => fs.writeFileSync(join(root, 'a/number'), '2\n'), true],
    ['names', (root) => fs.writeFileSync(join(root, 'a/names/y'), ''), true],
    ['where a link leads', (root) => fs.symlinkSync('text', join(root, 'a/link')), true],
    ['what is there', (root) => fs.writeFileSync(join(root, 'a/none'), ''), true],
    ['nothing', () => undefined, false],
    ['what was not asked for', (root) => fs.writeFileSync(join(root, 'a/other'), 'x'), false],
  ];
  for (const [what, change, again] of changes)
    it(`is ${again ? 'worked out again' : 'kept'} after a change of ${what}`, () => {
      const root = machineWith(FILES);
      let times = 0;
      const work = whileSame((tree) => {
        times += 1;
        return asks(tree);
      });
      const first = work(treeAt(root));
      assert.equal(work(treeAt(root)), first);
      assert.equal(times, 1);
      change(root);
      assert.equal(work(treeAt(root)), asks(treeAt(root)));
      assert.equal(times, again ? 2 : 1);
    });
});

describe('what files set of each device', () => {
  const setUp = () => {
    const root = machineWith({ 'f/1': 'x\n', 'f/2': 'y\n', 'dev/a': '1\n', 'dev/b': '1\n' });
    const worked: string[] = [];
    const linesOf = readOnce(root, (lines) => lines.map(({ text }) => text));
    const each = ofEach<readonly string[]>((files, device, sys) => {
      worked.push(device);
      return [{ path: device, at: files.flat().join(' '), value: sys.text(`dev/${device}`) ?? '' }];
    });
    const look = (...devices: readonly string[]) => {
      worked.length = 0;
      const told = each([linesOf('f/1'), linesOf('f/2')], devices, treeAt(root));
      return [told.map(({ path, at, value }) => `${path} ${at} ${value ?? ''}`), [...worked]];
    };
    const put = (path: string, text: string): void => fs.writeFileSync(join(root, path), text);
    return { look, put };
  };

  it('is worked out once', () => {
    const { look } = setUp();
    assert.deepEqual(look('a', 'b'), [
      ['a x y 1', 'b x y 1'],
      ['a', 'b'],
    ]);
    assert.deepEqual(look('a', 'b'), [['a x y 1', 'b x y 1'], []]);
  });
  it('is worked out again of a device that is another, or came', () => {
    const { look, put } = setUp();
    look('a');
    put('dev/b', '2\n');
    assert.deepEqual(look('a', 'b'), [['a x y 1', 'b x y 2'], ['b']]);
    put('dev/a', '3\n');
    assert.deepEqual(look('a', 'b'), [['a x y 3', 'b x y 2'], ['a']]);
    assert.deepEqual(look('b'), [['b x y 2'], []]);
  });
  it('is worked out again of all where a file is another', () => {
    const { look, put } = setUp();
    look('a', 'b');
    put('f/2', 'another\n');
    assert.deepEqual(look('a', 'b'), [
      ['a x another 1', 'b x another 1'],
      ['a', 'b'],
    ]);
  });
});
