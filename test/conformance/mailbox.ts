import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Assignment, Report } from '../../reconciler/model/replica.ts';
import type { Store } from '../../reconciler/model/store.ts';

/** An Assignment of nothing. */
export function assignment(host: string, generation: number, revision = 'r'): Assignment {
  return {
    host,
    fleet: 'f',
    generation,
    revision,
    author: 'Ann',
    resync: 10,
    replicas: [],
    networks: [],
    tuning: [],
    keep: { apps: [], owners: [] },
  };
}

function report(host: string, at: number, generation = 1): Report {
  return {
    host,
    generation,
    revision: 'r',
    at,
    facts: {
      hostname: host,
      machineId: 'm',
      addresses: [],
      capacity: { cpu: 1, memory: 1, pids: 1 },
      kernel: '6',
      cgroup: 'v2',
    },
    replicas: [],
    observed: [],
    limitations: [],
    conditions: [],
  } as unknown as Report;
}

/** So many of what comes; then its signal is aborted. */
export async function take<T>(from: AsyncIterable<T>, count: number, stop: AbortController): Promise<T[]> {
  const taken: T[] = [];
  for await (const one of from) {
    taken.push(one);
    if (taken.length === count) stop.abort();
  }
  return taken;
}

/** The laws of a mailbox, of whichever store is open. */
export function mailboxConforms(store: () => Store, reopen: () => Promise<void>): void {
  describe('mailbox', () => {
    it('keeps the newest generation of an assignment', async () => {
      const { mailbox } = store();
      assert.equal(await mailbox.assignment('h1'), undefined);
      assert.equal(await mailbox.assign(assignment('h1', 3)), true);
      assert.equal(await mailbox.assign(assignment('h1', 2)), false);
      assert.equal(await mailbox.assign(assignment('h1', 3)), true, 'told again');
      assert.equal(await mailbox.assign(assignment('h1', 3, 'other')), false, 'of two the first stays');
      await reopen();
      assert.deepEqual(await store().mailbox.assignment('h1'), assignment('h1', 3));
      assert.equal(await store().mailbox.assignment('h1', 3), undefined, 'known already');
      assert.deepEqual(await store().mailbox.assignment('h1', 2), assignment('h1', 3));
      assert.equal(await store().mailbox.assignment('h2', 3), undefined);
      assert.equal(await store().mailbox.assignment('h2'), undefined);
    });

    it('stores many assignments at once, each as if it were alone', async () => {
      const { mailbox } = store();
      await mailbox.assign(assignment('h2', 3));
      const all = [assignment('h1', 1), assignment('h2', 2), assignment('h3', 1)];
      assert.deepEqual(await mailbox.assignAll(all), [true, false, true]);
      assert.deepEqual(await mailbox.assignAll([]), []);
      const known = async (...pairs: readonly (readonly [string, number | undefined])[]): Promise<readonly string[]> =>
        (await mailbox.assignments(new Map(pairs))).map(({ host, generation }) => `${host} ${String(generation)}`);
      assert.deepEqual(await known(['h3', undefined], ['h9', undefined], ['h2', 2]), ['h3 1', 'h2 3']);
      assert.deepEqual(await known(['h1', 1], ['h2', 3], ['h9', 4]), []);
      assert.deepEqual(await known(), []);
    });

    it('keeps the last report of each host', async () => {
      await store().mailbox.report(report('h1', 1));
      await store().mailbox.report(report('h2', 2));
      await store().mailbox.report(report('h1', 3));
      const reports = await store().mailbox.reports(['h1', 'h2']);
      assert.deepEqual(
        reports.map((one) => [one.host, one.at]),
        [
          ['h1', 3],
          ['h2', 2],
        ],
      );
      await store().mailbox.report(report('h1', 4, 2));
      await reopen();
      assert.deepEqual((await store().mailbox.reports(['h1']))[0], report('h1', 4, 2));
    });

    it('gives the reports of some hosts', async () => {
      for (const name of ['h1', 'h2', 'h3']) await store().mailbox.report(report(name, 1));
      const some = await store().mailbox.reports(['h3', 'h9', 'h1']);
      assert.deepEqual(
        some.map((one) => one.host),
        ['h3', 'h1'],
      );
      assert.deepEqual(await store().mailbox.reports([]), []);
      assert.deepEqual([...(await store().mailbox.reporting())].sort(), ['h1', 'h2', 'h3']);
    });

    it('tells what is new since a mark, of each host once', async () => {
      const { mailbox } = store();
      await mailbox.report(report('h1', 1));
      const first = await mailbox.news();
      assert.deepEqual(first.mails, []);
      await mailbox.assign(assignment('h2', 1));
      await mailbox.report(report('h1', 2, 2));
      await mailbox.report(report('h1', 3, 3));
      const second = await mailbox.news(first.mark);
      const told = second.mails?.map(({ host: name, what }) => `${what} ${name}`).sort();
      assert.deepEqual(told, ['assignment h2', 'report h1']);
      assert.deepEqual((await mailbox.news(second.mark)).mails, []);
      await mailbox.report(report('h3', 1));
      assert.deepEqual((await mailbox.news(second.mark)).mails, [{ host: 'h3', what: 'report' }]);
    });

    it('tells followers whose assignment or report changed', async () => {
      await store().mailbox.report(report('h1', 1));
      const stop = new AbortController();
      const seen = take(store().mailbox.follow(stop.signal), 2, stop);
      await store().mailbox.assign(assignment('h2', 1));
      await store().mailbox.report(report('h1', 2, 2));
      assert.deepEqual(await seen, [
        { host: 'h2', what: 'assignment' },
        { host: 'h1', what: 'report' },
      ]);
    });
  });
}
