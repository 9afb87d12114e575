import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { projectionOf } from '../../../../reconciler/loop/controller/concluding.ts';
import { decidePlacing, NOTHING_DECIDED, seenIn } from '../../../../reconciler/loop/controller/deciding.ts';
import { readImage } from '../../../../reconciler/loop/controller/image.ts';
import { catalogOf } from '../../../support/catalog.ts';
import { portsInMemory } from '../../../support/ports-in-memory.ts';
import { hostRecord } from '../../../support/reservations.ts';

const clock = (): number => 0;
const catalog = catalogOf({ hosts: { h1: {} } });

describe('what hosts are to be', () => {
  it('is concluded from an image that stays as it is meanwhile, whoever asks for the status', async () => {
    const store = portsInMemory(clock);
    const image = await readImage(store, catalog);
    const seen = seenIn(image, { hosts: [] }, [], NOTHING_DECIDED);
    const planned = { ...decidePlacing(catalog, seen, 0, false), seen };
    await store.reservations.commit({
      id: 'other',
      now: 0,
      proposals: [{ op: 'host', record: hostRecord('h1', { zone: 'main' }) }],
    });
    const conclusion = { author: '', silent: new Set<string>(), now: 0, judgeFrom: Infinity };
    const concluding = projectionOf(planned, conclusion);
    await image.refresh();
    assert.equal(image.book.hosts.size, 0, 'it changed while hosts were looked at');
    assert.deepEqual(
      (await concluding).assignments.map(({ host }) => host),
      ['h1'],
    );
    await image.refresh();
    assert.equal(image.book.hosts.size, 1);
  });
});
