import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fleetApp, fleetDocuments, fleetProcesses, type FleetProcesses } from '../support/fleet-processes.ts';
import { openProxy, type Proxy } from '../support/proxy.ts';
import { NO_REDIS } from '../support/redis.ts';
import { plain } from '../support/reservations.ts';

const HOSTS = ['h1', 'h2', 'h3'];
/** What a leader writes last, by a text that only such a request has, and the change in Git that makes it write it. */
const LAST_WORDS = [
  {
    what: 'a commit',
    text: '"replica":"ghost-0"',
    file: 'ghost.yaml',
    change: fleetApp('ghost', 1),
    back: '# nothing',
  },
  {
    what: 'an Assignment',
    text: '"tuning":[',
    file: 'web.yaml',
    change: fleetApp('web', 3, ', env: { A: b }'),
    back: fleetApp('web', 3),
  },
  { what: 'a Notice', text: '"unplaceable":[', file: 'web.yaml', change: fleetApp('web', 4), back: fleetApp('web', 3) },
];

describe('a controller that is stopped with a write on its way', { skip: NO_REDIS }, () => {
  let fleet: FleetProcesses;
  let proxy: Proxy;
  before(async () => {
    fleet = await fleetProcesses();
    proxy = await openProxy(fleet.redis.port);
    writeFileSync(join(fleet.repo, 'base.yaml'), fleetDocuments(HOSTS));
    const revision = fleet.commit('web.yaml', fleetApp('web', 3));
    fleet.controller('c1', undefined, `redis://127.0.0.1:${String(proxy.port)}`);
    for (const name of HOSTS) fleet.agent(name);
    await fleet.converged(revision);
  });
  after(async () => {
    await fleet.close();
    await proxy.close();
  });

  async function leads(name: string): Promise<void> {
    for (const end = Date.now() + 120_000; ; await sleep(100)) {
      const lease = await fleet.store.leases.get('controller');
      if (lease?.holder.startsWith(`${name}/`)) return;
      assert.ok(Date.now() < end, `${name} does not lead, but ${String(lease?.holder)}`);
    }
  }

  /** All that a leader writes. */
  async function written(): Promise<unknown> {
    const { reservations, mailbox, bulletin } = fleet.store;
    const [snapshot, notice] = [await reservations.snapshot(), await bulletin.read()];
    const assignments = await Promise.all(HOSTS.map((host) => mailbox.assignment(host)));
    const { fetchedAt: _when, ...source } = notice?.source ?? assert.fail('nothing was posted');
    return { reserved: plain(snapshot), cursor: snapshot.cursor, assignments, notice: { ...notice, source } };
  }

  for (const { what, text, file, change, back } of LAST_WORDS)
    it(`writes nothing once another has taken over: ${what}`, async () => {
      await leads('c1');
      fleet.controller('c2');
      proxy.holdFrom(text);
      fleet.commit(file, change);
      for (const end = Date.now() + 60_000; !proxy.holding; await sleep(5))
        assert.ok(Date.now() < end, `nothing with ${text} was sent`);
      fleet.signal('c1', 'SIGSTOP');
      const revision = fleet.commit(file, back);
      await leads('c2');
      await fleet.converged(revision);
      const known = await written();
      await proxy.letGo();
      assert.deepEqual(await written(), known);
      fleet.signal('c1', 'SIGCONT');
      // and it works on when its turn comes
      await fleet.stop('c2');
      await leads('c1');
      await fleet.converged(fleet.commit('note.txt', what));
    });
});
