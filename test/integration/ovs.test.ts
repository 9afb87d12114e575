import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ovs } from '../../providers/ovs/index.ts';
import { rig, wantBridge, wantPort, type Rig } from '../support/ovs-rig.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const bridge = wantBridge({ name: 'br-test', datapath: 'netdev' });

describe('ports', { skip }, () => {
  let r: Rig;
  before(async () => {
    r = rig(ovs());
    for (const replica of ['a-0', 'a-1', 'b-0']) await r.sandbox(replica);
    await r.converge(bridge);
  });
  after(() => r.clear());

  it('two ports of one VLAN reach each other, another VLAN is isolated', async () => {
    const wanted = [
      wantPort('a-0', '10.9.0.1'),
      wantPort('a-1', '10.9.0.2'),
      wantPort('b-0', '10.9.0.3', { vlan: 200 }),
    ];
    assert.equal((await r.converge(...wanted)).length, 3);
    assert.ok(r.pings('a-0', '10.9.0.2'));
    assert.ok(!r.pings('a-0', '10.9.0.3'));
    assert.deepEqual(await r.changes(bridge, ...wanted), []);
  });
});
