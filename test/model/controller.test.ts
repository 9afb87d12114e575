import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Assignment } from '../../reconciler/model/replica.ts';
import { onlyNews } from '../support/twins.ts';
import { HOSTS, LARGE, event, World, type Told } from '../support/twin-world.ts';

describe('a controller that looks only at what changed', () => {
  it('does what one does that begins anew with each pass, whatever happens; audits find nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60, size: 'max' }), async (events) => {
        const world = new World();
        await world.round();
        await world.round();
        for (const one of events) await world.happen(one);
        for (let more = 0; more < 4; more += 1) await world.round();
        world.now += 700_000;
        await world.round();
        for (const { told } of world.twins)
          assert.deepEqual(
            told.filter((text) => text.startsWith('AuditDiffers')),
            [],
          );
      }),
      { numRuns: 60 },
    );
  });

  it('has the less critical make room as one does that begins anew, also in the midst of an audit', async () => {
    for (const wait of [0, 700_000]) {
      const world = new World();
      for (let more = 0; more < 3; more += 1) await world.round();
      const spec = { replicas: 3, level: 0, image: 'v1', resources: LARGE };
      await world.happen({ type: 'app', app: 'a', spec });
      await world.happen({ type: 'wait', ms: wait });
      for (let more = 0; more < 4; more += 1) await world.round();
      await world.happen({ type: 'wait', ms: 700_000 });
      await world.round();
      for (const { told } of world.twins) {
        assert.ok(
          told.some((text) => text.startsWith('Preempted c-')),
          told.join('\n'),
        );
        assert.equal(told.filter((text) => text.startsWith('AuditDiffers')).join('\n'), '');
      }
    }
  });

  it('tells a host whose Assignment the store has lost what comes after it, though all are at rest', async () => {
    const world = new World();
    for (let more = 0; more < 4; more += 1) await world.round();
    const [kept] = world.twins;
    const { assignments: before } = (await kept.state(HOSTS)) as Told;
    await world.happen({ type: 'lose', host: 'h1' });
    await world.pass();
    const { assignments: after } = (await kept.state(HOSTS)) as Told;
    const numbers = (told: readonly Assignment[]): readonly number[] => told.map(({ generation }) => generation);
    assert.deepEqual(
      numbers(after),
      numbers(before).map((generation, at) => generation + (at === 1 ? 2 : 0)),
    );
    assert.deepEqual(after[1]?.replicas, before[1]?.replicas);
    await world.round();
    assert.equal(kept.controller.verdict()?.sync, 'Synced');
  });

  it('tells a host that has left Git the same, as one does that begins anew', async () => {
    const world = new World();
    await world.round();
    await world.happen({ type: 'host', host: 'h3', spec: undefined });
    for (const name of ['c', 'b']) {
      await world.happen({ type: 'app', app: name, spec: undefined });
      for (let more = 0; more < 2; more += 1) await world.round();
    }
    await world.happen({ type: 'lose', host: 'h3' });
    await world.pass();
  });

  it('asks the store only what is new when there is nothing to do, and writes nothing', async () => {
    const world = new World();
    for (let more = 0; more < 4; more += 1) await world.round();
    const [kept] = world.twins;
    assert.equal(kept.controller.verdict()?.sync, 'Synced');
    kept.calls();
    for (let more = 0; more < 3; more += 1) assert.equal(await kept.pass(), '');
    const calls = kept.calls();
    assert.ok(onlyNews(calls), calls.join());
    assert.equal(calls.length, 6, calls.join());
    // a Report that changes nothing costs one more look, at that Report
    await kept.report('h1', 'serves');
    assert.equal(await kept.pass(), '');
    assert.deepEqual([...kept.calls()].sort(), ['mailbox.news', 'mailbox.reports', 'reservations.since']);
  });

  it('takes over what it has followed while it stood by, and reads again neither that nor what was so before', async () => {
    const world = new World();
    const [kept] = world.twins;
    await kept.standBy();
    for (let more = 0; more < 4; more += 1) await world.round();
    kept.calls();
    await kept.standBy();
    assert.ok(kept.calls().length > 2, 'it follows');
    await world.happen({ type: 'app', app: 'a', spec: { replicas: 3, image: 'v2' } });
    kept.takeOver();
    await world.pass();
    const whole = new Set(['reservations.snapshot', 'reservations.differing', 'mailbox.reporting']);
    assert.deepEqual(
      kept.calls().filter((call) => whole.has(call)),
      [],
    );
    for (let more = 0; more < 4; more += 1) await world.round();
    assert.equal(kept.controller.verdict()?.sync, 'Synced');
  });

  it('says so when an audit finds what it would not have looked at, and puts it right', async () => {
    const world = new World();
    for (let more = 0; more < 4; more += 1) await world.round();
    const [kept] = world.twins;
    // a commit that is never told of: as if it had been missed
    await kept.hide(() => kept.commit([{ op: 'release', replica: 'a-1', quarantineUntil: 0 }]));
    await kept.pass();
    assert.equal(
      kept.told.some((text) => text.startsWith('AuditDiffers')),
      false,
    );
    world.now += 700_000;
    for (const name of HOSTS) await kept.beat(name);
    assert.equal(await kept.pass(), '');
    assert.ok(
      kept.told.some((text) => text.startsWith('AuditDiffers') && text.includes('placements/a-1')),
      kept.told.join('\n'),
    );
    const state = (await kept.state(HOSTS)) as { placements: Record<string, unknown> };
    assert.ok(state.placements['a-1']);
  });
});
