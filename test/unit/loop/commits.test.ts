import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commitAll } from '../../../reconciler/loop/commits.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { CommitRequest, Proposal } from '../../../reconciler/model/reservations.ts';

const forget = (at: number): Proposal => ({ op: 'release', replica: `web-${String(at)}`, quarantineUntil: 0 });

describe('many proposals', () => {
  it('are committed in order, a hundred to a request, with ids of their own', async () => {
    const requests: CommitRequest[] = [];
    const commit = (
      request: CommitRequest,
    ): Promise<{ verdicts: ReturnType<typeof decide>['verdicts']; cursor: number }> => {
      requests.push(request);
      return Promise.resolve({ verdicts: decide(createBook(), request).verdicts, cursor: 0 });
    };
    const proposals = Array.from({ length: 250 }, (_, at) => forget(at));
    const verdicts = await commitAll({ commit }, { id: 'r', now: 0, proposals });
    assert.equal(verdicts.length, 250);
    assert.deepEqual(
      requests.map(({ id, proposals: some }) => [id, some.length]),
      [
        ['r.0', 100],
        ['r.1', 100],
        ['r.2', 50],
      ],
    );
    assert.deepEqual(
      requests.flatMap((request) => request.proposals),
      proposals,
    );
  });

  it('are asked for no more once the store has failed', async () => {
    let asked = 0;
    function* endless(): Generator<Proposal> {
      for (;;) yield forget(asked++);
    }
    const commit = (): Promise<never> => Promise.reject(new Error('no store'));
    await assert.rejects(commitAll({ commit }, { id: 'r', now: 0, proposals: endless() }), /no store/);
    assert.ok(asked <= 1000, `${String(asked)} were asked for`);
  });
});
