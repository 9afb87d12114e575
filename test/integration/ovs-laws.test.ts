import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import fc from 'fast-check';
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

/** Values that change nothing of what runs here, also of keys that are read at the next start only. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  'max-idle': ['20000', '21000'],
  'bundle-idle-timeout': ['20'],
  'flow-limit': ['150000', '200000'],
  'stats-update-interval': ['6000'],
  'tx-flush-interval': ['0', '50'],
  'vlan-limit': ['1', '2'],
  'hw-offload': ['true', 'false'],
  'n-handler-threads': ['1', '2'],
  'n-revalidator-threads': ['1'],
  'mac-aging-time[bridge=br-walk]': ['600'],
  'mac-table-size[bridge=br-walk]': ['4096', '8192'],
};

it(
  'a random walk over other_config ends as wanted, by hands and new agents in between, and then as it began',
  { skip },
  async () => {
    sh('ovs-vsctl', '--may-exist', 'add-br', 'br-walk', '--', 'set', 'bridge', 'br-walk', 'datapath_type=netdev');
    const said = (): readonly string[] =>
      ['Open_vSwitch', 'Bridge'].map((table) => sh('ovs-vsctl', '--columns=external_ids,other_config', 'list', table));
    const some = fc
      .subarray(Object.entries(VALUES), { maxLength: 5 })
      .chain((keys) =>
        fc.tuple(...keys.map(([key, values]) => fc.constantFrom(...values).map((value) => [key, value] as const))),
      );
    // what this Open vSwitch has been given by others is not taken from it
    const mayTouch = sh('ovs-vsctl', '--if-exists', 'get', 'Open_vSwitch', '.', 'other_config:max-idle').trim() === '';
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(some, { minLength: 1, maxLength: 3 }), async (walk) => {
          const before = said();
          for (const each of walk) {
            const r = rig(ovs());
            const wanted = each.map(([key, value]) => wantConfig(key, value));
            const ctx = { ...r.ctx, wanted: wanted.map(({ ref }) => ref) };
            const changes = r.provider.diff(wanted, await r.provider.observe(ctx));
            for (const change of changes) await r.provider.apply(change, ctx);
            if (mayTouch) sh('ovs-vsctl', 'set', 'Open_vSwitch', '.', 'other_config:max-idle=12345');
            for (const change of r.provider.diff(wanted, await r.provider.observe(ctx)))
              await r.provider.apply(change, ctx);
            assert.deepEqual(r.provider.diff(wanted, await r.provider.observe(ctx)), []);
            if (mayTouch && !each.some(([key]) => key === 'max-idle'))
              sh('ovs-vsctl', 'remove', 'Open_vSwitch', '.', 'other_config', 'max-idle');
          }
          await rig(ovs()).clear();
          assert.deepEqual(said(), before);
        }),
        { numRuns: 6 },
      );
    } finally {
      ok('ovs-vsctl', '--if-exists', 'del-br', 'br-walk');
    }
  },
);
