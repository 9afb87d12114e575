import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTelling } from '../../../../reconciler/loop/controller/telling.ts';
import type { EntryDraft } from '../../../../reconciler/model/journal.ts';
import { catalogOf } from '../../../support/catalog.ts';

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** The writes of a journal, each as its messages. */
function journal() {
  const writes: (readonly string[])[] = [];
  const append = (drafts: readonly EntryDraft[]): Promise<readonly never[]> => {
    writes.push(drafts.map((one) => (one.type === 'event' ? `${one.ref ?? ''} ${one.message}` : one.type)));
    return Promise.resolve([]);
  };
  return { writes, telling: createTelling({ append }, SILENT) };
}

const lacking = (replica: string, kept = 'cpu', message = `too little ${kept}`) => ({ replica, kept, message });

describe('what finds no place', () => {
  it('is told in one write, once, whatever revisions come', async () => {
    const { writes, telling } = journal();
    await telling.homeless([lacking('a-0'), lacking('a-1'), lacking('b-0')]);
    const all = ['a-0', 'a-1', 'b-0'].map((id) => `replica/${id} ${id}: too little cpu`);
    assert.deepEqual(writes, [all]);
    await telling.revision(catalogOf({ revision: 'rev2' }), { author: 'Ann', subject: 'another' });
    await telling.homeless([lacking('a-0'), lacking('a-1'), lacking('b-0')]);
    assert.deepEqual(writes.slice(1), [[' rev2 by Ann: another']]);
  });

  it('is told again when something else keeps it, not when there is more or less of the same', async () => {
    const { writes, telling } = journal();
    await telling.homeless([lacking('a-0'), lacking('b-0')]);
    await telling.homeless([lacking('a-0', 'cpu', 'h1 lacks 0.5 CPU'), lacking('b-0', 'memory')]);
    assert.deepEqual(writes.slice(1), [['replica/b-0 b-0: too little memory']]);
  });

  it('is told where all of a large fleet finds none', async () => {
    const { writes, telling } = journal();
    await telling.homeless(Array.from({ length: 200_000 }, (_, at) => lacking(`a-${String(at)}`)));
    assert.equal(writes[0]?.length, 200_000);
  });

  it('is told again when it has had a place in between', async () => {
    const { writes, telling } = journal();
    for (const found of [[lacking('a-0')], [], [lacking('a-0')]]) await telling.homeless(found);
    assert.deepEqual(writes, [['replica/a-0 a-0: too little cpu'], ['replica/a-0 a-0: too little cpu']]);
  });
});

describe('hosts', () => {
  it('that are lost, and those that are back, are told in one write', async () => {
    const { writes, telling } = journal();
    await telling.hosts(['h1', 'h2', 'h3'], ['h2', 'h4', 'h5']);
    const lost = ['h4', 'h5'].map((host) => ` ${host} is not heard of any more; what it ran may run on`);
    const back = ['h1', 'h3'].map((host) => ` ${host} is heard of again`);
    assert.deepEqual(writes, [[...lost, ...back]]);
    await telling.hosts(['h2'], ['h2']);
    assert.equal(writes.length, 1, 'and nothing where nothing is new');
  });
});
