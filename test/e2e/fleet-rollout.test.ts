import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, fleetBase, HOSTS, setFleetStage, type FleetStage } from '../support/fleet-stage.ts';
import { client, homes, web, webs, witness, type Web, type Witness } from '../support/fleet-web.ts';
import { NO_REDIS } from '../support/redis.ts';
import { NEEDS_ROOT } from '../support/stage.ts';
import { mostAway } from '../support/traffic.ts';

describe(
  'a rollout on three hosts under requests from another container of the VLAN',
  { skip: NEEDS_ROOT || NO_REDIS },
  () => {
    let stage: FleetStage;
    let see: Witness;
    before(async () => {
      stage = await setFleetStage('fleet-rollout', { ...fleetBase(), ...client, ...web(4) });
      see = witness(stage);
      await Promise.all([stage.controller('c1'), ...HOSTS.map((host) => stage.agent(host))]);
      await eventually('c1 leads', async () => (await leadsSince('c1', 0)) !== undefined);
      await stage.controller('c2');
      await stage.converged(120);
    });
    after(async () => {
      await stage.down();
    });

    /** When a controller began to lead, after that time. */
    async function leadsSince(name: string, at: number): Promise<number | undefined> {
      const leading = (await stage.journal(name)).filter(
        (entry) => entry.type === 'event' && entry.reason === 'Leading',
      );
      return leading.find((entry) => entry.at >= at)?.at;
    }

    const REPLACED = [0, 1, 2, 3].map((n) => `replace container/web-${String(n)}`);

    it('rolls an image through all hosts, one replica away at a time', async () => {
      const [before, asked, at] = [await stage.status(), await see.asking(), Date.now()];
      await sleep(1000);
      stage.commit(web(4, { image: '2' }));
      const after = await stage.converged(120);
      await sleep(1000);
      assert.deepEqual(homes(after), homes(before));
      await see.isSo(after, 2);
      assert.deepEqual(await see.changesSince(at), REPLACED);
      const requests = await asked();
      for (const { address = '' } of webs(after)) {
        const answers = requests.filter((one) => one.address === address).map(({ answer }) => answer);
        assert.deepEqual([answers[0], answers.at(-1)], ['plumbline 1', 'plumbline 2'], address);
        assert.ok(answers.includes(undefined), `${address} was never away`);
      }
      assert.equal(mostAway(requests), 1);
    });

    const BAD: readonly (readonly [string, Web])[] = [
      ['that is not to be had', { image: '9' }],
      ['in which nobody serves', { image: '1', command: 'exec sleep 3600' }],
    ];
    for (const [which, version] of BAD)
      it(`an image ${which} goes back by itself, and no request fails beyond maxUnavailable`, async () => {
        const more = '\n  rollout: { progressDeadline: 25s }';
        const [before, running, asked] = [await stage.status(), await see.containers(), await see.asking()];
        const revision = stage.commit(web(4, { ...version, more }));
        const back = await stage.until(
          'given up and back',
          ({ rollouts = [], revision: seen }) =>
            seen === revision && rollouts.some(({ app, stage: at }) => app === 'web' && at === 'reverted'),
          180,
        );
        assert.equal(back.health, 'Degraded');
        assert.match(back.messages.join(), /web: \w{7} \(.*\) was given up, no progress for 25s/);
        assert.deepEqual(homes(back), homes(before));
        await see.isSo(back, 2);
        const changed = running.filter((line) => / \/plumb-web-\d /.test(line));
        const kept = (await see.containers()).filter((line) => changed.includes(line));
        assert.ok(kept.length >= 3, `others were touched: ${kept.join()}`);
        await sleep(1000);
        const requests = await asked();
        for (const { address = '' } of webs(back)) {
          const answers = requests.filter((one) => one.address === address).map(({ answer }) => answer);
          assert.deepEqual([answers[0], answers.at(-1)], ['plumbline 2', 'plumbline 2'], address);
        }
        assert.ok(mostAway(requests) <= 1, 'more than maxUnavailable were away at once');
        stage.commit(web(4, { image: '2' }));
        assert.equal((await stage.converged(120)).rollouts, undefined);
      });

    it('a leader killed in the middle of a rollout is taken over, nothing is done twice', async (t) => {
      const [before, asked, at] = [await stage.status(), await see.asking(), Date.now()];
      stage.commit(web(4));
      await stage.until('under way', (now) => webs(now).some(({ image = '' }) => image.endsWith(':1')));
      const killed = Date.now();
      await stage.stop('c1', 'SIGKILL');
      assert.ok(
        webs(await stage.status()).some(({ image = '' }) => image.endsWith(':2')),
        'killed too late',
      );
      const after = await stage.converged(120);
      const took = ((await leadsSince('c2', killed)) ?? Infinity) - killed;
      t.diagnostic(`taken over after ${String(took)} ms`);
      assert.ok(took < 20_000, String(took));
      assert.deepEqual(homes(after), homes(before));
      await see.isSo(after, 1);
      assert.deepEqual(await see.changesSince(at), REPLACED);
      assert.equal(mostAway(await asked()), 1);
    });
  },
);
