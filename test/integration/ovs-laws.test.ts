import { after } from 'node:test';
import { ovs } from '../../providers/ovs/index.ts';
import { conforms } from '../conformance/provider.ts';
import { ok, rig, sh, wantBridge, wantConfig, wantPort } from '../support/ovs-rig.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const bridge = wantBridge({ name: 'br-laws', datapath: 'netdev' });
const on = { bridge: 'br-laws' };

after(() => {
  if (skip === false) ok('ovs-vsctl', '--if-exists', 'del-br', 'br-stranger');
});

conforms(
  'ovs',
  async () => {
    const r = rig(ovs());
    for (const replica of ['l-0', 'l-1']) await r.sandbox(replica);
    sh(
      'ovs-vsctl',
      '--may-exist',
      'add-br',
      'br-stranger',
      '--',
      'set',
      'bridge',
      'br-stranger',
      'datapath_type=netdev',
    );
    return {
      provider: r.provider,
      ctx: r.ctx,
      states: [
        [],
        [bridge, wantPort('l-0', '10.9.1.1', on), wantConfig('max-idle', '20000'), wantConfig('hw-offload', 'true')],
        [
          bridge,
          wantPort('l-0', '10.9.1.1', { ...on, vlan: 7, antiSpoofing: true, ingress: 50e6, egress: 50e6, mtu: 1400 }),
          wantPort('l-1', '10.9.1.2', { ...on, gateway: '10.9.1.254' }),
          wantConfig('max-idle', '21000'),
          wantConfig('bundle-idle-timeout', '20'),
          wantConfig('mac-table-size[bridge=br-stranger]', '4096'),
        ],
        [bridge, wantPort('l-1', '10.9.1.3', on)],
      ],
      strangers: ['bridge/br-stranger'],
      snapshot: () =>
        Promise.resolve(
          ['Bridge', 'Port', 'QoS', 'Open_vSwitch'].map((table) =>
            sh('ovs-vsctl', '--columns=external_ids,other_config', 'list', table),
          ),
        ),
      close: () => r.clear(),
    };
  },
  { skip },
);
