import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createRehearsal } from '../../../../reconciler/loop/rehearsal/rehearsal.ts';
import type { Rehearsal, RehearsalOptions } from '../../../../reconciler/loop/rehearsal/rehearsal.ts';
import type { Behaviour } from '../../../../reconciler/loop/rehearsal/stage.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import { PROTOCOL } from '../../../../reconciler/model/protocol.ts';
import type { Assignment, Report } from '../../../../reconciler/model/replica.ts';
import type { Lease } from '../../../../reconciler/model/store.ts';
import { createBell } from '../../../../reconciler/store/bell.ts';
import { assignmentOf } from '../../../support/assigned.ts';
import { virtualTime } from '../../../support/virtual-time.ts';

const CALM: Behaviour = { latency: [200, 2000], failures: 0, silent: 0, silence: [20_000, 20_000], seed: 1 };
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const facts = {
  hostname: 'h',
  machineId: '',
  addresses: [],
  capacity: { cpu: 1000, memory: 2 ** 30, pids: 100 },
  kernel: 'simulated',
  cgroup: 'v2',
} as const;

describe('a rehearsal', () => {
  let time: ReturnType<typeof virtualTime>;
  let stop: AbortController;
  let ended: Promise<void> | undefined;
  /** A store in memory, which can be away. Each renewal and each Report with its time. */
  let away = false;
  /** It takes calls and answers none, until this fails them all at once. */
  let cut: AbortController | undefined;
  const told = new Map<string, Assignment>();
  const held = new Map<string, string>();
  const reports: Report[] = [];
  const renewals: { readonly host: string; readonly at: number }[] = [];
  let reads: (number | undefined)[] = [];
  const bell = createBell();
  let mails: string[] = [];

  const ask = <T>(answer: () => T): Promise<T> =>
    cut
      ? new Promise((_, reject) => cut?.signal.addEventListener('abort', () => reject(new Error('cut'))))
      : away
        ? Promise.reject(new PlumbError('STORE_UNAVAILABLE', 'away'))
        : Promise.resolve(answer());
  const mailbox: RehearsalOptions['far']['mailbox'] = {
    assignment: (host, known) =>
      ask(() => {
        reads.push(known);
        const found = told.get(host);
        return found?.generation === known ? undefined : found;
      }),
    report: (report) => ask(() => void reports.push(report)),
    async *follow(signal) {
      while (!signal.aborted) {
        await ask(() => undefined);
        for (const host of mails.splice(0)) yield { host, what: 'assignment' as const };
        await bell.next(signal);
      }
    },
  };
  const lease = (name: string, holder: string): Lease | undefined => {
    if ((held.get(name) ?? holder) !== holder) return undefined;
    held.set(name, holder);
    renewals.push({ host: name.slice('host/'.length), at: time.now() });
    return { name, holder, fence: 1, expires: 0 };
  };
  const leases: RehearsalOptions['far']['leases'] = {
    acquireAll: (names, holder) => ask(() => names.map((name) => lease(name, holder))),
    release: ({ name }) => ask(() => void held.delete(name)),
    get: (name) => ask(() => ({ name, holder: held.get(name) ?? '', fence: 1, expires: 0 })),
  };

  function tellHost(assignment: Assignment): void {
    told.set(assignment.host, assignment);
    mails.push(assignment.host);
    bell.ring();
  }
  function begin(hosts: number, behaviour: Partial<Behaviour> = {}): Rehearsal {
    let seed = 7;
    const rehearsal = createRehearsal({
      hosts: Array.from({ length: hosts }, (_, at) => `h${String(at)}`),
      holder: 'sim',
      far: { mailbox, leases },
      facts: () => facts,
      behaviour: { ...CALM, ...behaviour },
      appearance: () => () => [],
      clock: time.now,
      random: () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647,
      log: quiet,
    });
    ended = rehearsal.run(stop.signal);
    ended.catch(() => undefined);
    return rehearsal;
  }
  const lastOf = (host: string): Report =>
    reports.findLast((one) => one.host === host) ?? assert.fail(`${host} said nothing`);
  /** How many renewals there were in each stretch of that many milliseconds. */
  const counts = (from: number, to: number, ms: number): readonly number[] => {
    const buckets = Array.from({ length: Math.ceil((to - from) / ms) }, () => 0);
    for (const { at } of renewals)
      if (at >= from && at < to)
        buckets[Math.floor((at - from) / ms)] = (buckets[Math.floor((at - from) / ms)] ?? 0) + 1;
    return buckets;
  };

  beforeEach(() => {
    time = virtualTime();
    stop = new AbortController();
    away = false;
    told.clear();
    held.clear();
    reports.length = renewals.length = 0;
    reads = [];
    mails = [];
  });
  afterEach(async () => {
    stop.abort();
    await time.pass(5000);
    await ended?.catch(() => undefined);
    time.end();
  });

  it('introduces each host once, and renews all leases every two seconds, spread evenly', async () => {
    const rehearsal = begin(1000);
    await time.pass(20_000);
    assert.equal(reports.length, 1000);
    assert.ok(reports.every(({ generation, protocol }) => generation === 0 && protocol === PROTOCOL));
    const [most, least] = [Math.max, Math.min].map((of) => of(...counts(time.now() - 16_000, time.now(), 500)));
    assert.ok((most ?? 0) < 400 && (least ?? 0) > 150, `${String(least)} to ${String(most)} in half a second`);
    assert.equal(rehearsal.tally().heard, 1000);
    assert.equal(rehearsal.tally().reports, 1000);
  });

  it('takes up what it is told at once, reports what changes and nothing else', async () => {
    const rehearsal = begin(10);
    await time.pass(3000);
    reports.length = 0;
    tellHost(assignmentOf('h3', 4, 1));
    await time.pass(60);
    assert.deepEqual([lastOf('h3').generation, lastOf('h3').replicas[0]?.phase], [4, 'Placed']);
    await time.pass(2100);
    assert.deepEqual(
      reports.map(({ host, replicas }) => `${host} ${String(replicas[0]?.phase)}`),
      ['h3 Placed', 'h3 Starting', 'h3 Ready'],
    );
    const ready = lastOf('h3');
    assert.deepEqual(
      ready.conditions.filter(({ status }) => status).map(({ reason }) => reason),
      ['Converged'],
    );
    await time.pass(60_000);
    assert.equal(reports.length, 3);
    assert.equal(rehearsal.tally().ready, 1);
  });

  it('leaves an older Assignment, and finds a newer one without any news', async () => {
    const rehearsal = begin(1);
    told.set('h0', assignmentOf('h0', 5, 1));
    await time.pass(5000);
    tellHost(assignmentOf('h0', 4, 2));
    await time.pass(5000);
    assert.deepEqual([lastOf('h0').generation, rehearsal.tally().left], [5, 1]);
    told.set('h0', assignmentOf('h0', 6, 2));
    reads = [];
    await time.pass(12_000);
    assert.deepEqual([lastOf('h0').generation, lastOf('h0').replicas.length], [6, 2]);
    assert.ok(reads.length > 0 && reads.every((known) => known !== undefined), 'who knows one reads a number');
  });

  it('lets some hosts fall silent, which say nothing then, and come back', async () => {
    const rehearsal = begin(500, { silent: 0.1 });
    await time.pass(120_000);
    const gaps = new Map<string, number>();
    const last = new Map<string, number>();
    for (const { host, at } of renewals) {
      gaps.set(host, Math.max(gaps.get(host) ?? 0, at - (last.get(host) ?? at)));
      last.set(host, at);
    }
    const silent = [...gaps].filter(([, gap]) => gap > 10_000);
    assert.ok(silent.length > 50 && silent.length < 150, String(silent.length));
    assert.ok(silent.every(([, gap]) => gap < 24_000));
    assert.equal([...gaps].filter(([, gap]) => gap > 2600 && gap <= 10_000).length, 0);
    assert.ok(rehearsal.tally().silent > 0);
  });

  it('a store that was away is not met by all at once, and each host is heard before it is taken for lost', async () => {
    const rehearsal = begin(3000);
    await time.pass(10_000);
    away = true;
    await time.pass(60_000);
    assert.equal(rehearsal.tally().heard, 0);
    away = false;
    const back = time.now();
    await time.pass(16_000);
    const first = new Map<string, number>();
    for (const { host, at } of renewals) if (at >= back && !first.has(host)) first.set(host, at - back);
    assert.equal(first.size, 3000);
    assert.ok(Math.max(...first.values()) < 13_000);
    // on a usual day there are 150 in a tenth of a second
    assert.ok(Math.max(...counts(back, time.now(), 100)) < 300, String(counts(back, time.now(), 100)));
  });

  it('hosts that were cut off at one moment do not come back at one moment, and fall out of step', async () => {
    begin(3000);
    await time.pass(10_000);
    const hanging = (cut = new AbortController());
    await time.pass(12_000);
    cut = undefined;
    const back = time.now();
    hanging.abort();
    await time.pass(30_000);
    const peak = Math.max(...counts(back, time.now(), 100));
    // on a usual day there are 150 in a tenth of a second
    assert.ok(peak < 300, String(counts(back, time.now(), 100)));
  });

  it('tells an emptied store what it keeps, until that tells it anew', async () => {
    const rehearsal = begin(1);
    told.set('h0', assignmentOf('h0', 5, 1));
    await time.pass(5000);
    told.clear();
    rehearsal.resend();
    await time.pass(3000);
    assert.deepEqual(lastOf('h0').kept, assignmentOf('h0', 5, 1));
    tellHost(assignmentOf('h0', 6, 1));
    await time.pass(3000);
    assert.deepEqual([lastOf('h0').generation, lastOf('h0').kept], [6, undefined]);
    assert.equal(lastOf('h0').replicas[0]?.ready, true, 'it ran on');
  });

  it('waits for leases that a killed process left, and ends where another renews them', async () => {
    held.set('host/h1', 'before');
    const rehearsal = begin(2);
    await time.pass(8000);
    assert.equal(rehearsal.tally().heard, 1);
    held.delete('host/h1');
    await time.pass(3000);
    assert.equal(rehearsal.tally().heard, 2);
    held.set('host/h0', 'real');
    await time.pass(14_000);
    await assert.rejects(ended ?? assert.fail(), /the agent real speaks for host h0 already/);
    assert.equal(held.has('host/h1'), false, 'its own leases are let go');
  });

  it('lets the leases go when it is stopped', async () => {
    begin(100);
    await time.pass(3000);
    assert.equal(held.size, 100);
    stop.abort();
    await time.pass(100);
    await ended;
    assert.equal(held.size, 0);
  });
});
