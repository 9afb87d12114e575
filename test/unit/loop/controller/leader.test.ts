import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLeader, type Leader, type LeaderOptions } from '../../../../reconciler/loop/controller/leader.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import type { Lease } from '../../../../reconciler/model/store.ts';

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** One lease in memory, on a clock of its own. */
function table(): {
  now: number;
  silent: boolean;
  slow: number;
  leases: LeaderOptions['leases'];
  holder: () => string | undefined;
} {
  let held: Lease | undefined;
  let fence = 0;
  const self = {
    now: 0,
    silent: false,
    slow: 0,
    holder: () => (held && held.expires > self.now ? held.holder : undefined),
    leases: {
      acquire: (name: string, holder: string, ttl: number) => {
        if (self.silent) return Promise.reject(new Error('silent'));
        const other = self.holder();
        if (other !== undefined && other !== holder) return Promise.resolve(undefined);
        if (held?.holder !== holder) fence += 1;
        held = { name, holder, fence, expires: self.now + ttl };
        self.now += self.slow;
        return Promise.resolve(held);
      },
      release: (lease: Lease) => {
        if (held?.holder === lease.holder) held = undefined;
        return Promise.resolve();
      },
    },
  };
  return self;
}

async function until(good: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !good();) {
    assert.ok(Date.now() < end, 'not within a minute');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a leader', () => {
  const candidate = (world: ReturnType<typeof table>, holder: string, changes: string[] = []): Leader =>
    createLeader({
      leases: world.leases,
      name: 'controller',
      holder,
      ttl: 40,
      clock: () => world.now,
      log,
      onChange: (leads) => changes.push(`${holder} ${String(leads)}`),
    });

  it('is one of two; when it stops it lets go and the other takes over', async () => {
    const world = table();
    const changes: string[] = [];
    const [a, b] = [candidate(world, 'a', changes), candidate(world, 'b', changes)];
    const [stopA, stopB] = [new AbortController(), new AbortController()];
    const runs = [a.run(stopA.signal)];
    await until(() => a.leads());
    runs.push(b.run(stopB.signal));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([a.leads(), b.leads()], [true, false]);
    stopA.abort();
    await until(() => b.leads());
    assert.equal(a.leads(), false);
    stopB.abort();
    await Promise.all(runs);
    assert.equal(world.holder(), undefined);
    assert.deepEqual(changes, ['a true', 'a false', 'b true', 'b false']);
  });
  it('that was too busy to renew its lease asks before it gives up, and knows when another led meanwhile', async () => {
    const world = table();
    const one = candidate(world, 'a');
    const stop = new AbortController();
    const run = one.run(stop.signal);
    await until(() => one.leads());
    const term = one.term();
    world.now += 35;
    assert.equal(one.leads(), false);
    assert.equal(await one.holds(term), true, 'nobody took it: it goes on');
    assert.equal(one.leads(), true);
    world.now += 41;
    await world.leases.acquire('controller', 'b', 40);
    assert.equal(await one.holds(term), false, 'another leads');
    world.now += 41;
    await until(() => one.leads());
    assert.equal(await one.holds(term), false, 'another led');
    assert.equal(await one.holds(one.term()), true);
    stop.abort();
    await run;
  });
  it('that cannot renew stops acting before its time is over', async () => {
    const world = table();
    const one = candidate(world, 'a');
    const stop = new AbortController();
    const run = one.run(stop.signal);
    await until(() => one.leads());
    world.silent = true;
    world.now += 29;
    assert.equal(one.leads(), true);
    world.now += 1;
    assert.equal(one.leads(), false);
    assert.equal(world.holder(), 'a', 'the store would still take it for the holder');
    world.silent = false;
    stop.abort();
    await run;
  });
  it('tells an outage of the store once, and its end', async () => {
    const world = table();
    const lines: string[] = [];
    const say = (_about: object, text: string): void => void lines.push(text);
    const log = { debug: () => undefined, info: say, warn: say };
    const lease = { leases: world.leases, name: 'controller', holder: 'a', ttl: 8, onChange: () => undefined };
    const one = createLeader({ ...lease, clock: () => world.now, log });
    const stop = new AbortController();
    const run = one.run(stop.signal);
    await until(() => one.leads());
    world.silent = true;
    world.now += 8;
    for (let asked = 0; asked < 5; asked += 1) assert.equal(await one.holds(one.term()), false);
    world.silent = false;
    await until(() => one.leads());
    assert.deepEqual(lines, ['lease not renewed, and asked for again and again: silent', 'the store answers again']);
    stop.abort();
    await run;
  });
  it('says in one line, without a stack, that it could not let go', async () => {
    const lines: [object, string][] = [];
    const world = table();
    const leases = { ...world.leases, release: () => Promise.reject(new PlumbError('STORE_UNAVAILABLE', 'gone')) };
    const warn = (about: object, text: string): void => void lines.push([about, text]);
    const lease = { leases, name: 'controller', holder: 'a', ttl: 8, onChange: () => undefined };
    const one = createLeader({ ...lease, clock: () => world.now, log: { ...log, warn } });
    const stop = new AbortController();
    const run = one.run(stop.signal);
    await until(() => one.leads());
    stop.abort();
    await run;
    assert.deepEqual(lines, [[{ code: 'STORE_UNAVAILABLE' }, 'lease not released, it runs out: gone']]);
  });
  it('counts its time from when it asked for it, however late the answer came', async () => {
    const world = table();
    world.slow = 20;
    const one = candidate(world, 'a');
    const stop = new AbortController();
    const run = one.run(stop.signal);
    await until(() => one.leads());
    world.silent = true;
    world.now += 10;
    assert.equal(one.leads(), false);
    stop.abort();
    await run;
  });
  it('takes over soon after the lease of a dead one is over', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const world = table();
    const stop = new AbortController();
    const leader = createLeader({
      leases: world.leases,
      name: 'controller',
      holder: 'b',
      ttl: 8000,
      clock: () => world.now,
      log,
      onChange: () => undefined,
    });
    await world.leases.acquire('controller', 'a', 8000);
    const run = leader.run(stop.signal);
    const pass = async (ms: number): Promise<void> => {
      for (const end = world.now + ms; world.now < end; world.now += 100) {
        t.mock.timers.tick(100);
        await new Promise(setImmediate);
      }
    };
    await pass(100);
    await world.leases.acquire('controller', 'a', 8000);
    await pass(7900);
    assert.equal(leader.leads(), false);
    await pass(1200);
    assert.equal(leader.leads(), true);
    stop.abort();
    await run;
  });
});
