import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settling } from '../../../../reconciler/loop/agent/settled.ts';
import type { Settled } from '../../../../reconciler/model/store.ts';

/** A disk that may be full, and what was written to it. */
function disk(): { full: boolean; readonly written: [string, string | undefined][][]; readonly note: Settled['note'] } {
  const self = {
    full: false,
    written: [] as [string, string | undefined][][],
    note: (news: Parameters<Settled['note']>[0]) => {
      if (self.full) return Promise.reject(new Error('full'));
      self.written.push([...news]);
      return Promise.resolve();
    },
  };
  return self;
}

describe('as what things were last converged to', () => {
  it('is known of processes before this one, which has not seen it itself', () => {
    const one = settling();
    one.recall(new Map([['port/a-0', 'x']]));
    assert.deepEqual([one.get('port/a-0'), one.last.get('port/a-0')], [undefined, 'x']);
    one.set('port/a-0', 'y');
    assert.deepEqual([one.get('port/a-0'), one.last.get('port/a-0')], ['y', 'y']);
  });
  it('is written once, where it is new', async () => {
    const [one, to] = [settling(), disk()];
    one.recall(
      new Map([
        ['port/a-0', 'x'],
        ['port/b-0', 'x'],
      ]),
    );
    one.set('port/a-0', 'x');
    await one.save(to.note);
    assert.deepEqual(to.written, []);
    one.set('port/a-0', 'y');
    one.delete('port/b-0');
    one.delete('port/c-0');
    await one.save(to.note);
    await one.save(to.note);
    assert.deepEqual(to.written, [
      [
        ['port/a-0', 'y'],
        ['port/b-0', undefined],
      ],
    ]);
  });
  it('is written later where the disk was full', async () => {
    const [one, to] = [settling(), disk()];
    to.full = true;
    one.set('port/a-0', 'x');
    await assert.rejects(one.save(to.note), /full/);
    one.set('port/a-0', 'y');
    to.full = false;
    await one.save(to.note);
    assert.deepEqual(to.written, [[['port/a-0', 'y']]]);
  });
  it('is forgotten of what nobody asks for any more', async () => {
    const [one, to] = [settling(), disk()];
    one.recall(new Map([['port/a-0', 'x']]));
    one.set('port/b-0', 'x');
    one.keep(new Set(['port/b-0']));
    await one.save(to.note);
    assert.deepEqual(to.written, [
      [
        ['port/b-0', 'x'],
        ['port/a-0', undefined],
      ],
    ]);
  });
});
