import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createHearing, GRACE, HEARTBEAT, HOST_TTL, type Hearing } from '../../../reconciler/loop/hearing.ts';
import type { Lease, Leases } from '../../../reconciler/model/store.ts';
import { portsInMemory } from '../../support/ports-in-memory.ts';

interface Rig {
  now: number;
  held: readonly string[];
  silent: boolean;
  /** Listens for so long, every so often. */
  listens(ms: number, every?: number): Promise<void>;
  readonly hearing: Hearing;
}

function rig(): Rig {
  const lease = (host: string): Lease => ({ name: `host/${host}`, holder: host, fence: 1, expires: 0 });
  const leases: Pick<Leases, 'held'> = {
    held: () => (self.silent ? Promise.reject(new Error('silent')) : Promise.resolve(self.held.map(lease))),
  };
  const self: Rig = {
    now: 1_000_000,
    held: ['a', 'b'],
    silent: false,
    hearing: createHearing(leases as Leases, () => self.now),
    async listens(ms, every = 2000) {
      for (const end = self.now + ms; self.now < end;) {
        self.now += every;
        await self.hearing.listen(['a', 'b']);
      }
    },
  };
  return self;
}

const names = ({ hearing }: Rig): string =>
  hearing
    .lost()
    .map(({ host }) => host)
    .join();

/** What listens to leases that a clock gives. */
function clocked(clock: () => number): { readonly leases: Leases; readonly hearing: Hearing } {
  const { leases } = portsInMemory(clock);
  return { leases, hearing: createHearing(leases, clock) };
}

describe('hearing', () => {
  it('goes on hearing of all hosts where clocks differ a little, as those of two Redis do', async () => {
    let now = 5_000_000;
    const { leases, hearing } = clocked(() => now);
    for (const end = now + GRACE + HEARTBEAT; now < end; now += HEARTBEAT) {
      await leases.acquire('host/here', 'here', HOST_TTL);
      await hearing.listen(['here']);
    }
    await leases.acquire('host/here', 'here', HOST_TTL);
    now -= 50;
    await hearing.listen(['here']);
    assert.deepEqual(hearing.lost(), []);
  });

  it('does not hear of a host by a lease that a clock gave that went ahead', async () => {
    let now = 5_000_000;
    const { leases, hearing } = clocked(() => now);
    await leases.acquire('host/gone', 'gone', HOST_TTL);
    // that clock is another's now
    now -= 3_600_000;
    for (const end = now + GRACE + HEARTBEAT; now < end; now += HEARTBEAT) {
      await leases.acquire('host/here', 'here', HOST_TTL);
      await hearing.listen(['gone', 'here']);
    }
    assert.deepEqual(
      hearing.lost().map(({ host }) => host),
      ['gone'],
    );
  });
  it('loses a host whose lease ran out, and has it back with the next', async () => {
    const one = rig();
    await one.listens(18_000);
    one.now += 2000;
    one.held = ['a'];
    assert.equal(await one.hearing.listen(['a', 'b']), true);
    assert.deepEqual(one.hearing.lost(), [{ host: 'b', since: one.now }]);
    one.now += 2000;
    assert.equal(await one.hearing.listen(['a', 'b']), false);
    one.held = ['a', 'b'];
    assert.equal(await one.hearing.listen(['a', 'b']), true);
    assert.equal(names(one), '');
  });
  it('loses nobody in its first sixteen seconds, nor in those after the store was silent', async () => {
    const one = rig();
    one.held = [];
    await one.hearing.listen(['a', 'b']);
    await one.listens(14_000);
    one.now += 1999;
    await one.hearing.listen(['a', 'b']);
    assert.equal(names(one), '');
    one.silent = true;
    await assert.rejects(one.hearing.listen(['a', 'b']));
    one.silent = false;
    one.now += 60_000;
    await one.hearing.listen(['a', 'b']);
    await one.listens(14_000);
    assert.equal(names(one), '');
    await one.listens(2000);
    assert.equal(names(one), 'a,b');
  });
  it('loses nobody after an outage through which another call waited', async () => {
    const one = rig();
    await one.listens(20_000);
    one.now += 7000;
    one.held = ['a'];
    await one.listens(16_000);
    assert.equal(names(one), '');
    await one.listens(2000);
    assert.equal(names(one), 'b');
  });
  it('loses a host although each answer comes late', async () => {
    const one = rig();
    await one.listens(27_000, 9000);
    one.held = ['a'];
    await one.listens(18_000, 9000);
    assert.equal(names(one), '');
    await one.listens(9000, 9000);
    assert.equal(names(one), 'b');
  });
  it('waits anew for one that was not waited for meanwhile', async () => {
    const one = rig();
    await one.listens(27_000, 9000);
    one.held = ['a'];
    for (const waitedFor of [['a', 'b'], ['a'], ['a'], ['a', 'b']]) {
      one.now += 9000;
      await one.hearing.listen(waitedFor);
    }
    assert.equal(names(one), '');
    await one.listens(18_000, 9000);
    assert.equal(names(one), 'b');
  });
  it('goes on from what another controller knew, and forgets a host that never reported', async () => {
    const one = rig();
    one.held = ['a'];
    one.hearing.adopt([
      { host: 'b', since: 5 },
      { host: 'gone', since: 6 },
    ]);
    await one.hearing.listen(['a', 'b']);
    assert.deepEqual(one.hearing.lost(), [{ host: 'b', since: 5 }]);
  });
  it('forgets what it knew when it led before', async () => {
    const one = rig();
    one.held = ['a'];
    await one.listens(18_000);
    assert.equal(names(one), 'b');
    // b came back while another led, and is late once more
    one.hearing.adopt([]);
    await one.hearing.listen(['a', 'b']);
    assert.equal(names(one), '');
    await one.listens(16_000);
    assert.equal(names(one), 'b');
  });
});
