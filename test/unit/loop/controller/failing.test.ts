import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createControl } from '../../../../reconciler/loop/control.ts';
import { underLease } from '../../../../reconciler/loop/controller/fenced.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import type { Notice } from '../../../../reconciler/model/notice.ts';
import type { Store } from '../../../../reconciler/model/store.ts';
import { openEmbedded } from '../../../../reconciler/store/embedded/embedded.ts';
import { lapsed } from '../../../../reconciler/store/lapsed.ts';
import { catalogOf } from '../../../support/catalog.ts';
import { createTwin, type Twin } from '../../../support/twins.ts';

const noticeOf = async (twin: Twin): Promise<Notice | undefined> =>
  ((await twin.state([])) as { notice: Notice | undefined }).notice;

/** A fleet whose Git can be made to say nothing that can be used. */
function failing(): { readonly twin: Twin; readonly fails: (code: 'TREE_EMPTY' | 'CONFLICT' | undefined) => void } {
  let code: 'TREE_EMPTY' | 'CONFLICT' | undefined;
  const catalog = (): ReturnType<typeof catalogOf> => {
    if (code) throw new PlumbError(code, 'no manifest');
    return catalogOf({ hosts: { h1: {} }, apps: { web: {} } });
  };
  return { twin: createTwin({ now: () => 1_000_000, catalog }, false), fails: (next) => (code = next) };
}

describe('a pass that fails', () => {
  it('is told to who looks at the store, beside what was told last, until one succeeds', async () => {
    const { twin, fails } = failing();
    await twin.report('h1', 'idles');
    await twin.pass();
    const before = await noticeOf(twin);
    fails('TREE_EMPTY');
    assert.equal(await twin.pass(), 'TREE_EMPTY');
    assert.deepEqual(await noticeOf(twin), { ...before, failing: 'no manifest [TREE_EMPTY]' });
    assert.equal(twin.controller.view().notice?.failing, 'no manifest [TREE_EMPTY]');
    fails(undefined);
    assert.equal(await twin.pass(), '');
    assert.deepEqual(await noticeOf(twin), before);
  });

  it('is told also by one that has never seen Git, in the words of who led before', async () => {
    const { twin, fails } = failing();
    await twin.report('h1', 'idles');
    await twin.pass();
    const before = await noticeOf(twin);
    fails('TREE_EMPTY');
    twin.takeOver();
    await twin.pass();
    assert.deepEqual(await noticeOf(twin), { ...before, failing: 'no manifest [TREE_EMPTY]' });
  });

  it('is not told where another controller leads by now', async () => {
    const { twin, fails } = failing();
    await twin.pass();
    fails('CONFLICT');
    await twin.pass();
    assert.equal((await noticeOf(twin))?.failing, undefined);
  });
});

describe('a controller', () => {
  let dir: string;
  let store: Store;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'plumb-failing-'));
    store = await openEmbedded(dir, { clock: () => 0 });
  });
  after(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });

  it('whose lease ran out does not say that another leads: nobody may', async () => {
    const none = underLease(store, () => undefined);
    const source = { url: 'u', ref: 'main', revision: 'one', fetchedAt: 0 };
    const notice = {
      source,
      published: 'one',
      problems: 0,
      unplaceable: [],
      held: [],
      waiting: 0,
      lost: [],
      awaited: [],
    };
    const message = 'it leads no longer, and another controller may';
    await assert.rejects(none.bulletin.post(notice), { code: 'CONFLICT', message });
    assert.match(
      lapsed({ name: 'controller', holder: 'c1', fence: 1 }).message,
      /^the lease controller ran out or was lost, /,
    );
  });

  it('that stands by and cannot read Git logs that once', async () => {
    const logged: string[] = [];
    const stop = new AbortController();
    let turns = 0;
    const silent = (): void => undefined;
    const control = createControl({
      controller: {
        ...failing().twin.controller,
        standBy: () => {
          turns += 1;
          if (turns === 3) stop.abort();
          control.ring();
          return Promise.reject(new PlumbError('SOURCE_UNREACHABLE', 'no such branch'));
        },
      },
      repository: {},
      ...{ store, host: '', leads: () => false, clock: () => 0 },
      log: { debug: silent, info: silent, warn: (_what: object, text: string) => logged.push(text) },
    });
    await control.run(stop.signal);
    assert.deepEqual(logged, ['not ready to take over: no such branch']);
  });
});
