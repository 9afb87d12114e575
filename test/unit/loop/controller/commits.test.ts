import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { commitAll, commitTurns } from '../../../../reconciler/loop/controller/commits.ts';
import { createBook } from '../../../../reconciler/model/book.ts';
import { decide } from '../../../../reconciler/model/decide.ts';
import type { CommitReply, CommitRequest, Delta, Proposal } from '../../../../reconciler/model/reservations.ts';
import { groundOver } from '../../../../reconciler/place/ground.ts';
import { hostViews } from '../../../../reconciler/place/hosts.ts';
import { startRun } from '../../../../reconciler/place/run.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../../support/catalog.ts';

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
    function* many(): Generator<Proposal> {
      while (asked < 50_000) yield forget(asked++);
    }
    let begun = 0;
    let [calls, failed] = [0, false];
    const commit = async (request: CommitRequest): Promise<CommitReply> => {
      calls += 1;
      const first = calls === 1;
      await turn();
      if (!first) return { verdicts: decide(createBook(), request).verdicts, cursor: 0 };
      [begun, failed] = [calls, true];
      throw new Error('no store');
    };
    await assert.rejects(commitAll({ commit }, { id: 'r', now: 0, proposals: many() }), /no store/);
    assert.ok(failed && begun > 1, 'while others were under way');
    assert.deepEqual([calls, asked], [begun, begun * 100], 'none after it');
  });
});

describe('schedulers side by side', () => {
  for (const gang of [false, true])
    it(`refuse each other, propose again at once, and all have a place in the end${gang ? ', as gangs' : ''}`, async () => {
      const book = createBook();
      const log: { cursor: number; deltas: readonly Delta[] }[] = [];
      const reservations = {
        commit: async (request: CommitRequest): Promise<CommitReply> => {
          await Promise.resolve();
          const { verdicts, deltas } = decide(book, request);
          book.apply(deltas);
          if (deltas.length > 0) log.push({ cursor: log.length + 1, deltas });
          return { verdicts, cursor: log.length };
        },
        since: (cursor: number) => Promise.resolve(log.slice(cursor)),
      };
      const reports = ['h1', 'h2', 'h3'].map((host) => reportOf(host, { cpu: 4000 }));
      const refused: string[] = [];
      const schedule = (app: string): ReturnType<typeof commitTurns> => {
        const apps = { [app]: { replicas: 90, resources: resources(10), ...(gang ? { gang: app } : {}) } };
        const catalog = catalogOf({ hosts: hostsOf(3), apps, heldOwners: ['*'] });
        const own = createBook(book);
        const hosts = hostViews(catalog, reports, own);
        const input = { catalog, snapshot: own, hosts, reports, assignments: [], now: 0 };
        const refuse = (_: Proposal, reason: string): void => void refused.push(reason);
        return commitTurns(reservations, startRun(input, groundOver(input, own)), { id: app, cursor: 0, refuse });
      };
      const told = await Promise.all([schedule('a'), schedule('b')]);
      const accepted = told.reduce((sum, one) => sum + one.accepted, 0);
      assert.ok(refused.includes(gang ? 'gang' : 'address-owned'), 'both begin with the same addresses');
      assert.equal(told.reduce((sum, one) => sum + one.proposed, 0) - accepted, refused.length);
      assert.equal(book.placements.size, 180, 'all have a place');
      assert.equal(new Set([...book.placements.values()].map(({ address }) => address)).size, 180);
    });
});
