import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unheld, type Daemon } from '../../../providers/ovs/daemon.ts';
import { hadRead, readOriginal, writeOriginal } from '../../../providers/ovs/marks.ts';
import type { OvsConfigSeen } from '../../../providers/ovs/state.ts';

const NOW = '17@900';
const daemon = (more: Partial<Daemon> = {}): Daemon => ({
  start: NOW,
  initialized: false,
  withoutDpdk: false,
  ...more,
});
const ran = (value?: string, start = NOW) => ({ start, ...(value === undefined ? {} : { value }) });

describe('what ovs-vswitchd does not hold yet', () => {
  const cases: readonly (readonly [string, string, OvsConfigSeen, Daemon, string | undefined])[] = [
    ['a key that is taken at once', 'max-idle', { value: '1', ran: ran('2') }, daemon(), undefined],
    [
      'set since it started',
      'hw-offload',
      { value: 'true', ran: ran() },
      daemon(),
      'NeedsRestart ovs-vswitchd runs with false',
    ],
    ['set as it is where it is not set', 'hw-offload', { value: 'false', ran: ran() }, daemon(), undefined],
    ['set back to what it had read', 'hw-offload', { value: 'true', ran: ran('true') }, daemon(), undefined],
    ['set before it started', 'hw-offload', { value: 'true', ran: ran(undefined, '9@1') }, daemon(), undefined],
    ['set by somebody else', 'hw-offload', { value: 'true' }, daemon(), undefined],
    ['not set', 'hw-offload', { ran: ran('true') }, daemon(), undefined],
    ['set while none runs', 'hw-offload', { value: 'true', ran: ran() }, { withoutDpdk: false }, undefined],
    ['DPDK that is ready', 'dpdk-init', { value: 'true' }, daemon({ initialized: true }), undefined],
    ['DPDK that is not', 'dpdk-init', { value: 'try' }, daemon(), 'NeedsRestart DPDK is not ready'],
    [
      'DPDK that is to go',
      'dpdk-init',
      { value: 'false' },
      daemon({ initialized: true }),
      'NeedsRestart DPDK is in use',
    ],
    ['no DPDK, as asked', 'dpdk-init', { value: 'false' }, daemon({ withoutDpdk: true }), undefined],
    [
      'DPDK that it was built without',
      'dpdk-init',
      { value: 'true' },
      daemon({ withoutDpdk: true }),
      'Unsupported this Open vSwitch was built without DPDK',
    ],
    [
      'memory of DPDK that it was built without',
      'dpdk-socket-mem',
      { value: '1024' },
      daemon({ withoutDpdk: true }),
      'Unsupported',
    ],
    ['arguments of DPDK before it is made ready', 'dpdk-extra', { value: 'x', ran: ran() }, daemon(), undefined],
    [
      'arguments of DPDK after',
      'dpdk-extra',
      { value: 'x', ran: ran('y') },
      daemon({ initialized: true }),
      'NeedsRestart ovs-vswitchd runs with y',
    ],
    ['a key of a bridge', 'hw-offload[bridge=br0]', { value: 'true', ran: ran() }, daemon(), undefined],
  ];
  for (const [name, key, state, of, says] of cases)
    it(name, () => {
      const limitation = unheld(`ovs-config/${key}`, state, of);
      if (says === undefined || limitation === undefined) assert.equal(limitation, says);
      else {
        assert.ok(`${limitation.state} ${limitation.why}`.startsWith(says), limitation.why);
        assert.equal(limitation.want, state.value);
        if (limitation.state === 'NeedsRestart') assert.match(limitation.why, /systemctl restart openvswitch-switch/);
      }
    });

  it('is told by what the one that runs has read, also after a hand changed what we wrote', () => {
    const original = { fleet: 'f', value: 'false', wrote: 'true', ran: ran('false', 'earlier') };
    assert.deepEqual(hadRead(NOW, 'false', undefined), ran('false'), 'nobody wrote it before');
    assert.deepEqual(hadRead(NOW, undefined, undefined), ran());
    assert.deepEqual(hadRead('earlier', 'true', original), original.ran, 'it runs since before we wrote');
    assert.deepEqual(hadRead(NOW, 'false', original), ran('true'), 'it started with what we wrote');
    const again = { value: 'true', ran: hadRead(NOW, 'false', original) };
    assert.equal(unheld('ovs-config/hw-offload', again, daemon()), undefined);
  });

  it('is remembered beside the original', () => {
    const original = { fleet: 'f', value: '1', wrote: '2', ran: { start: NOW, value: '1' } };
    assert.deepEqual(readOriginal(writeOriginal(original)), original);
    assert.deepEqual(readOriginal('{"fleet":"f","wrote":"2","ran":{"value":"1"}}'), { fleet: 'f', wrote: '2' });
  });
});
