import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import type { Ref } from '../../../../reconciler/model/ref.ts';
import type { Assignment, Report } from '../../../../reconciler/model/replica.ts';
import type { FleetStore, Leases, Mailbox, HostStore } from '../../../../reconciler/model/store.ts';
import { createBell } from '../../../../reconciler/store/bell.ts';
import { GENESIS } from '../../../../reconciler/store/journal/chain.ts';
import { ACTS, told, type Act } from '../../../support/told-acts.ts';
import { toldRig } from '../../../support/told-rig.ts';
import { virtualTime } from '../../../support/virtual-time.ts';

const SECOND = 1_000;
const MINUTE: number = 60 * SECOND;

/** A mailbox of one host in memory; `heard` is told of each Report. */
function mailboxOf(heard: (report: Report) => void = () => undefined): Mailbox {
  const bell = createBell();
  let assignment: Assignment | undefined;
  let report: Report | undefined;
  return {
    assign: (next) => {
      assignment = next;
      bell.ring();
      return Promise.resolve(true);
    },
    assignAll: () => Promise.resolve([]),
    assignment: () => Promise.resolve(assignment),
    assignments: () => Promise.resolve(assignment ? [assignment] : []),
    report: (next) => {
      report = next;
      heard(next);
      return Promise.resolve();
    },
    reporting: () => Promise.resolve(['h1']),
    reports: () => Promise.resolve(report ? [report] : []),
    news: () => Promise.resolve({ mark: '', mails: [] }),
    async *follow(signal) {
      for (;;) {
        await bell.next(signal);
        if (signal.aborted) return;
        yield { host: 'h1', what: 'assignment' };
      }
    },
  };
}

const leases: Leases = {
  acquire: (name, holder) => Promise.resolve({ name, holder, fence: 1, expires: Infinity }),
  acquireAll: () => Promise.resolve([]),
  release: () => Promise.resolve(),
  get: () => Promise.resolve(undefined),
  held: () => Promise.resolve([]),
};

type Far = Pick<FleetStore, 'mailbox' | 'leases' | 'journals' | 'onBack'>;

const journals: FleetStore['journals'] = {
  writers: () => Promise.resolve([]),
  of: () => assert.fail('nobody reads it'),
  head: () => Promise.resolve(GENESIS),
  mirror: () => Promise.resolve(GENESIS),
};

/** What a host keeps, in memory. */
function nearOf(mailbox: Mailbox): HostStore {
  return {
    mailbox,
    leases,
    journal: {
      append: () => Promise.resolve([]),
      read: () => (async function* () {})(),
      follow: () => (async function* () {})(),
      verify: () => Promise.resolve({ entries: 0, head: '' }),
    },
    settled: { read: () => Promise.resolve(new Map()), note: () => Promise.resolve() },
    close: () => Promise.resolve(),
  } as Partial<HostStore> as HostStore;
}

/** Plays an act in time that stands still while anything works; gives the milliseconds until a Report tells of it. */
async function takes(
  { before, act, told: tells }: Act,
  bend: (near: Mailbox) => void = () => undefined,
): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-told-'));
  const time = virtualTime();
  const reports: { readonly at: number; readonly report: Report }[] = [];
  const far: Far = {
    mailbox: mailboxOf((report) => reports.push({ at: time.now(), report })),
    ...{ leases, journals, onBack: () => undefined },
  };
  const near = mailboxOf();
  const hints: Ref[] = [];
  const hinted = createBell();
  const rig = toldRig({
    ...{ dir, far, near: nearOf(near), clock: time.now },
    watch: async function* ({ signal }) {
      for (; !signal.aborted; await hinted.next(signal)) yield* hints.splice(0);
    },
  });
  const until = async (what: string, so: () => boolean): Promise<void> => {
    assert.ok(await time.pass(10 * MINUTE, so), `${what}: not so`);
  };
  const stop = new AbortController();
  let over = false;
  const ended = rig.agent.run(stop.signal).finally(() => (over = true));
  try {
    await far.mailbox.assign(told(1, 4));
    await until('all serve', () => reports.at(-1)?.report.replicas.filter(({ ready }) => ready).length === 4);
    await time.pass(10 * SECOND);
    const scene = {
      ...{ host: rig.host, until },
      hang: rig.hang,
      hangs: (ref: Ref) => until(`${ref} is changed`, () => rig.hanging.has(ref)),
      serve: rig.serve,
      tell: (assignment: Assignment) => far.mailbox.assign(assignment).then(() => undefined),
      change: (ref: Ref, state: Readonly<Record<string, unknown>>) => {
        rig.host.edit(ref, state);
        hints.push(ref);
        hinted.ring();
      },
    };
    bend(near);
    await before?.(scene);
    const [from, began] = [reports.length, time.now()];
    await act(scene);
    const found = (): (typeof reports)[number] | undefined => reports.slice(from).find(({ report }) => tells(report));
    await until('told', () => found() !== undefined);
    return (found()?.at ?? Infinity) - began;
  } finally {
    rig.goOn();
    stop.abort();
    await time.pass(MINUTE, () => over);
    time.end();
    await ended;
    await rig.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

describe('the Report of a host', () => {
  for (const act of ACTS)
    it(`is in the store within a second when ${act.what}`, async () => {
      const ms = await takes(act);
      assert.ok(ms <= SECOND, `after ${String(ms)} ms`);
    });

  it('is in the store within a second also while its own disk is full', async () => {
    const [act] = ACTS;
    assert.ok(act);
    const ms = await takes(act, (near) => {
      near.report = () => Promise.reject(new PlumbError('DISK_FULL', 'no room'));
    });
    assert.ok(ms <= SECOND, `after ${String(ms)} ms`);
  });

  it('is told again where what it told before was not kept, though it is as before that', async () => {
    let last: Report | undefined;
    const ready = (report: Report | undefined): boolean | undefined =>
      report?.replicas.find(({ id }) => id === 'web-0')?.ready;
    const ms = await takes(
      {
        what: 'a probe passes again',
        before: async ({ serve, until }) => {
          serve('web-0', false);
          await until('it fails', () => ready(last) === false);
        },
        act: ({ serve }) => {
          serve('web-0', true);
        },
        told: (report) => ready(report) === true,
      },
      (near) => {
        near.report = (report) => {
          last = report;
          return Promise.reject(new PlumbError('DISK_FULL', 'no room'));
        };
      },
    );
    assert.ok(ms <= SECOND, `after ${String(ms)} ms`);
  });
});
