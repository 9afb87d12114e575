import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ovs } from '../../providers/ovs/index.ts';
import { findDpdk, ownSwitch, SMALL, type OwnSwitch } from '../support/dpdk.ts';
import { rig, sh, until, wantConfig, type Rig } from '../support/ovs-rig.ts';

const program = findDpdk();
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : program === undefined &&
      'needs an Open vSwitch with DPDK: npm test unpacks openvswitch-switch-dpdk where apt has it';

describe('an Open vSwitch with DPDK', { skip }, () => {
  let own: OwnSwitch;
  let r: Rig;
  before(async () => {
    assert.ok(program);
    own = await ownSwitch(program);
    r = rig(ovs({ runDir: own.folder }));
  });
  after(() => own.close());

  const KEYS = ['dpdk-init', 'dpdk-extra', 'pmd-cpu-mask'];
  const extra = (memory: number) => wantConfig('dpdk-extra', `${SMALL} -m ${String(memory)}`);
  /** What is not as asked, by key: its state. Each is told with what to do. */
  const said = async (): Promise<readonly string[]> => {
    const seen = await r.provider.observe(
      r.ctx,
      KEYS.map((key) => `ovs-config/${key}` as const),
    );
    return seen.flatMap((item) => {
      assert.ok(item.known, JSON.stringify(item));
      return (item.limitations ?? []).map(({ state, why }) => {
        assert.match(why, /systemctl restart openvswitch/);
        return `${item.ref} ${state}`;
      });
    });
  };
  const becomes = async (...wanted: readonly string[]): Promise<void> => {
    await until(async () => (await said()).join() === wanted.join());
  };

  it('makes it ready at once, with what was set before', async () => {
    const wanted = [extra(64), wantConfig('pmd-cpu-mask', '1')];
    assert.equal((await r.converge(...wanted)).length, 2);
    assert.deepEqual(await said(), []);
    assert.equal(own.arguments(), '');
    await r.converge(wantConfig('dpdk-init', 'true'));
    await becomes();
    assert.match(own.arguments(), /^--no-huge .* -m 64 /);
    assert.deepEqual(await r.changes(...wanted, wantConfig('dpdk-init', 'true')), []);
  });

  it('runs with what it read then, until it is restarted', async () => {
    await r.converge(extra(96));
    assert.deepEqual(await said(), ['ovs-config/dpdk-extra NeedsRestart']);
    assert.match(own.arguments(), / -m 64 /);
    await r.converge(extra(64));
    assert.deepEqual(await said(), [], 'it is what it runs with');
    await r.converge(extra(96));
    await own.restart();
    await becomes();
    assert.match(own.arguments(), / -m 96 /);
  });

  it('has none any more after a restart without it', async () => {
    await r.converge(wantConfig('dpdk-init', 'false'));
    assert.deepEqual(await said(), ['ovs-config/dpdk-init NeedsRestart']);
    await own.restart();
    await becomes();
    await r.clear();
    const db = `--db=unix:${own.folder}/db.sock`;
    assert.equal(sh('ovs-vsctl', db, 'get', 'Open_vSwitch', '.', 'other_config').trim(), '{}');
  });
});
