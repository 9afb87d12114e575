import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desired, Known } from '../../../reconciler/model/change.ts';
import { fingerprint } from '../../../reconciler/model/fingerprint.ts';
import type { BridgeSpec, OvsConfigSpec, PortSpec } from '../../../reconciler/model/resources.ts';
import { diffOvs, type OvsSpec, type OvsState } from '../../../providers/ovs/diff.ts';
import type { BridgeSeen, OvsConfigSeen, PortSeen } from '../../../providers/ovs/state.ts';

const origin = { revision: 'r', file: 'f.yaml', line: 1, column: 1 };

function want(ref: Desired['ref'], spec: OvsSpec): Desired<OvsSpec> {
  return { ref, spec, dependsOn: [], origin };
}
function have(ref: Desired['ref'], state: OvsState, more: Partial<Known<OvsState>> = {}) {
  return { known: true, ref, state, owned: true, version: 'v1', ...more } as Known<OvsState>;
}
/** `verb because /path /path` of the one change, or nothing. */
function told(desired: Desired<OvsSpec> | undefined, observed: Known<OvsState> | undefined): string {
  const changes = diffOvs(desired ? [desired] : [], observed ? [observed] : []);
  return changes
    .map(({ verb, because, fields }) => [`${verb}, ${because}`, ...fields.map((field) => field.path)].join(' '))
    .join('; ');
}

const port: PortSpec = {
  replica: 'web-0',
  bridge: 'br-int',
  datapath: 'netdev',
  vlan: 100,
  address: '10.1.0.5',
  prefix: 24,
  mac: '02:64:0a:01:00:05',
  mtu: 1500,
  antiSpoofing: false,
};
const { replica: _replica, ...same } = port;
const seen: PortSeen = { ...same, device: 'pl1', sandbox: 's1', fingerprint: fingerprint(port) };

describe('the difference of a port', () => {
  const cases: readonly [string, Partial<PortSpec>, Partial<PortSeen> | undefined, string][] = [
    ['not there', {}, undefined, 'create, new'],
    ['as wanted', {}, {}, ''],
    ['tag changed by hand', {}, { vlan: 999 }, 'update, drift /vlan'],
    ['made a trunk by hand', {}, { vlan: undefined as never }, 'update, drift /vlan'],
    ['another VLAN in Git', { vlan: 200 }, {}, 'update, spec changed /vlan'],
    ['rates', { egress: 5, ingress: 6 }, {}, 'update, spec changed /egress /ingress'],
    ['a QoS of somebody', {}, { ingress: 0 }, 'update, drift /ingress'],
    [
      'flows lost',
      { antiSpoofing: true },
      { fingerprint: fingerprint({ ...port, antiSpoofing: true }) },
      'update, drift /antiSpoofing',
    ],
    ['address lost', {}, { address: undefined as never, prefix: undefined as never }, 'update, drift /address /prefix'],
    ['a route too many', {}, { gateway: '0.0.0.0' }, 'update, drift /gateway'],
    ['on another bridge', {}, { bridge: 'br-x' }, 'replace, drift /bridge'],
    ['another bridge in Git', { bridge: 'br-x' }, {}, 'replace, spec changed /bridge'],
    ['broken', {}, { broken: 'vanished', vlan: 3 }, 'replace, drift /broken'],
    ["the bridge's datapath is the bridge's affair", { datapath: 'system' }, {}, ''],
  ];
  for (const [name, spec, state, change] of cases)
    it(name, () => {
      const observed = state === undefined ? undefined : have('port/web-0', { ...seen, ...state });
      assert.equal(told(want('port/web-0', { ...port, ...spec }), observed), change);
    });

  it('leaves fields alone that the machine cannot hold', () => {
    const limitation = { ref: 'port/web-0', path: '/ingress', state: 'Unsupported', why: 'no htb' } as const;
    const observed = have('port/web-0', seen, { limitations: [limitation] });
    assert.equal(told(want('port/web-0', { ...port, ingress: 5 }), observed), '');
  });

  it('deletes only what is ours', () => {
    assert.equal(told(undefined, have('port/web-0', seen)), 'delete, removed');
    assert.equal(told(undefined, have('port/web-0', { ...seen, broken: 'vanished' })), 'delete, removed');
    assert.equal(told(undefined, have('port/web-0', seen, { owned: false })), '');
  });

  it('carries the observed version as guard', () => {
    const [change] = diffOvs([want('port/web-0', { ...port, vlan: 1 })], [have('port/web-0', seen)]);
    assert.equal(change?.guard, 'v1');
    assert.equal(change.disruption, 'none');
  });
});

describe('the difference of a bridge', () => {
  const ours: BridgeSeen = { datapath: 'netdev', uplinks: [], made: true, foreign: [], sandboxes: 0 };
  const spec: BridgeSpec = { name: 'br-int', datapath: 'netdev' };
  const cases: readonly [string, BridgeSpec | undefined, BridgeSeen | undefined, boolean, string][] = [
    ['not there', spec, undefined, true, 'create, new'],
    ['as wanted', spec, ours, true, ''],
    ["the site's, as wanted", spec, { ...ours, made: false, foreign: ['up0'] }, false, ''],
    ['another datapath', spec, { ...ours, datapath: 'system' }, true, 'update, drift /datapath'],
    ['an uplink to plug in', { ...spec, uplink: 'eth1' }, ours, true, 'update, drift /uplink'],
    ['an uplink that the site plugged in', { ...spec, uplink: 'up0' }, { ...ours, foreign: ['up0'] }, true, ''],
    ['an uplink to take out', spec, { ...ours, uplinks: ['eth1'] }, true, 'update, drift /uplink'],
    ['ours and no longer wanted', undefined, ours, true, 'delete, removed'],
    ['ours, but a stranger uses it', undefined, { ...ours, foreign: ['tap0'] }, true, ''],
    ["the site's", undefined, { ...ours, made: false }, false, ''],
    [
      "the site's, with our uplink",
      undefined,
      { ...ours, made: false, foreign: ['x'], uplinks: ['eth1'] },
      true,
      'delete, removed',
    ],
  ];
  for (const [name, wanted, state, owned, change] of cases)
    it(name, () => {
      const observed = state && have('bridge/br-int', state, { owned });
      assert.equal(told(wanted && want('bridge/br-int', wanted), observed), change);
    });
});

describe('the difference of a key of other_config', () => {
  const spec: OvsConfigSpec = { key: 'max-idle', value: '30000' };
  const cases: readonly [string, OvsConfigSpec | undefined, OvsConfigSeen | undefined, boolean, string][] = [
    ['not set', spec, undefined, false, 'create, new /value'],
    ["the site's value", spec, { value: '1' }, false, 'update, new /value'],
    ['as wanted', spec, { value: '30000', wrote: '30000' }, true, ''],
    ['changed by hand', spec, { value: '1', wrote: '30000' }, true, 'update, drift /value'],
    ['removed by hand', spec, { wrote: '30000' }, true, 'update, drift /value'],
    ['changed in Git', spec, { value: '2', wrote: '2' }, true, 'update, spec changed /value'],
    ['no longer wanted', undefined, { value: '2', wrote: '2' }, true, 'delete, removed'],
    ['never ours', undefined, { value: '2' }, false, ''],
    ['of a bridge that is not there', spec, { absent: true }, false, ''],
  ];
  for (const [name, wanted, state, owned, change] of cases)
    it(name, () => {
      const observed = state && have('ovs-config/max-idle', state, { owned });
      assert.equal(told(wanted && want('ovs-config/max-idle', wanted), observed), change);
    });
});
