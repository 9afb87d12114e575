import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWatches } from '../../../providers/host/watches.ts';
import type { Context } from '../../../reconciler/model/provider.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';

/** Watches over files that change when they are told to; `missing` cannot be watched. */
function rig() {
  const open = new Map<string, Set<() => void>>();
  const missing = new Set<string>();
  const watches = createWatches(
    {
      watch(path, changed) {
        if (missing.has(path)) throw new Error('ENOENT');
        const all = open.get(path) ?? new Set();
        open.set(path, all.add(changed));
        return () => {
          all.delete(changed);
          if (all.size === 0) open.delete(path);
        };
      },
    },
    (ref) => (ref === 'knob/none' ? [] : [`${ref}/1`, `${ref}/2`]),
  );
  const listen = () => {
    const stop = new AbortController();
    const ctx: Context = { signal: stop.signal, fleet: 'test', world: { get: () => undefined } };
    const heard: Ref[] = [];
    const ended = (async () => {
      for await (const ref of watches.hints(ctx)) heard.push(ref);
    })();
    const end = async (): Promise<void> => {
      stop.abort();
      await ended;
    };
    return { heard, end };
  };
  const touch = (path: string): void => {
    for (const changed of open.get(path) ?? []) changed();
  };
  return { watches, open, missing, listen, touch };
}

describe('files that are watched', () => {
  it('are so only while somebody listens, each once', async () => {
    const { watches, open, listen } = rig();
    watches.add('knob/a');
    assert.deepEqual([...open.keys()], []);
    const { end } = listen();
    await sleep(1);
    watches.add('knob/a');
    watches.add('knob/b');
    assert.deepEqual([...open.keys()], ['knob/a/1', 'knob/a/2', 'knob/b/1', 'knob/b/2']);
    assert.ok([...open.values()].every(({ size }) => size === 1));
    await end();
    assert.deepEqual([...open.keys()], []);
    const again = listen();
    await sleep(1);
    assert.equal(open.size, 4, 'and again when somebody listens again');
    await again.end();
  });

  it('hint at the ref that they are of', async () => {
    const { watches, listen, touch } = rig();
    watches.add('knob/a');
    const { heard, end } = listen();
    await sleep(1);
    touch('knob/a/2');
    touch('knob/b/1');
    watches.tell('knob/c');
    await sleep(1);
    await end();
    assert.deepEqual(heard, ['knob/a', 'knob/c']);
  });

  it('that are not there are tried again when they are asked for again', async () => {
    const { watches, open, missing, listen } = rig();
    missing.add('knob/a/1').add('knob/a/2');
    watches.add('knob/a');
    const { end } = listen();
    await sleep(1);
    assert.equal(open.size, 0);
    missing.clear();
    watches.add('knob/a');
    assert.equal(open.size, 2);
    await end();
  });

  it('are let go with a ref that nobody asks for any more', async () => {
    const { watches, open, listen } = rig();
    const { end } = listen();
    await sleep(1);
    watches.add('knob/a');
    watches.add('knob/b');
    watches.keep(['knob/b', 'knob/none']);
    assert.deepEqual([[...open.keys()], [...watches.refs()]], [['knob/b/1', 'knob/b/2'], ['knob/b']]);
    await end();
  });
});
