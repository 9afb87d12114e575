import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { Assignment, Report } from '../../reconciler/model/replica.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { NO_REDIS, single, until, type Running } from '../support/redis.ts';
import { ACTS, told, type Act } from '../support/told-acts.ts';
import { toldRig } from '../support/told-rig.ts';

/** How soon it is told, `test/unit/loop/agent/told.test.ts` says, and the bench `reports`: here that nothing that goes on keeps it from being told. */
describe('an agent over Redis', { skip: NO_REDIS }, () => {
  let running: Running;
  let fleets = 0;
  before(async () => {
    running = await single();
  });
  after(() => running.home.close());

  async function play(t: TestContext, { before: first, act, told: tells }: Act): Promise<void> {
    const dir = mkdtempSync(join(tmpdir(), 'plumb-told-'));
    const shared = { clock: Date.now, fleet: `f${String((fleets += 1))}` };
    const store = await openRedis(running.url, { ...shared, writer: 'test' });
    const far = await openRedis(running.url, { ...shared, writer: 'h1', host: 'h1' });
    const near = await openEmbedded(dir, { clock: Date.now });
    const rig = toldRig({ dir, far, near, clock: Date.now });
    const stop = new AbortController();
    const ended = rig.agent.run(stop.signal);
    t.after(async () => {
      rig.goOn();
      stop.abort();
      await ended;
      await Promise.all([store.close(), far.close(), near.close(), rig.close()]);
      rmSync(dir, { recursive: true, force: true });
    });
    const last = async (): Promise<Report | undefined> => (await store.mailbox.reports(['h1']))[0];
    const scene = {
      host: rig.host,
      until: (what: string, so: () => boolean) => until(what, () => Promise.resolve(so())),
      hang: rig.hang,
      hangs: (ref: Ref) => until(`${ref} is changed`, () => Promise.resolve(rig.hanging.has(ref))),
      serve: rig.serve,
      tell: async (assignment: Assignment) => {
        await store.mailbox.assign(assignment);
      },
      change: (ref: Ref, state: Readonly<Record<string, unknown>>) => rig.host.edit(ref, state),
    };
    await store.mailbox.assign(told(1, 4));
    await until('all serve', async () => (await last())?.replicas.filter(({ ready }) => ready).length === 4);
    await first?.(scene);
    await act(scene);
    await until('the store knows', async () => {
      const report = await last();
      return report !== undefined && tells(report);
    });
  }

  for (const one of ACTS) it(`tells the store that ${one.what}`, (t) => play(t, one));
});
