import type { Because, Change, Desired, FieldDiff, Known, Verb } from '../../reconciler/model/change.ts';
import { fingerprint } from '../../reconciler/model/fingerprint.ts';
import { diffByRef, diffFields, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf } from '../../reconciler/model/ref.ts';
import type { BridgeSpec, OvsConfigSpec, PortSpec } from '../../reconciler/model/resources.ts';
import type { BridgeSeen, OvsConfigSeen, PortSeen } from './state.ts';

export type OvsSpec = BridgeSpec | PortSpec | OvsConfigSpec;
export type OvsState = BridgeSeen | PortSeen | OvsConfigSeen;
type Wanted<Spec> = Desired<Spec> | undefined;
type Had<State> = Known<State> | undefined;

export const PROVIDER = 'ovs';

/** Fields of a port that are put right in place. */
const IN_PLACE = [
  'vlan',
  'address',
  'prefix',
  'gateway',
  'mac',
  'mtu',
  'egress',
  'ingress',
  'antiSpoofing',
] as const satisfies readonly (keyof PortSpec)[];

function change<Spec>(
  verb: Verb,
  because: Because,
  want: Wanted<Spec>,
  have: Had<unknown>,
  fields: readonly FieldDiff[],
): Change<Spec> | undefined {
  const ref = want?.ref ?? have?.ref;
  if (ref === undefined) return undefined;
  return {
    ref,
    provider: PROVIDER,
    verb,
    ...(want === undefined ? {} : { want: want.spec }),
    ...(have === undefined ? {} : { have: have.state }),
    fields,
    disruption: 'none',
    because,
    ...(have?.version === undefined ? {} : { guard: have.version }),
  };
}

/** The fields of a port that can be put right in place, where they differ. */
export function portFields(want: PortSpec, have: PortSeen): readonly FieldDiff[] {
  return diffFields(IN_PLACE, want, have);
}

/** The fields of a bridge that differ. An uplink that somebody else plugged in already is fine. */
export function bridgeFields(want: BridgeSpec, have: BridgeSeen): readonly FieldDiff[] {
  const fields = diffFields(['datapath'], want, have);
  const wanted = want.uplink === undefined || have.foreign.includes(want.uplink) ? [] : [want.uplink];
  if (JSON.stringify(wanted) === JSON.stringify(have.uplinks)) return fields;
  return [...fields, { path: '/uplink', have: have.uplinks.join() || undefined, want: want.uplink }];
}

/** A port on the wrong bridge, or one that cannot carry traffic, is made anew; all else is put right in place. */
function diffPort(want: Wanted<PortSpec>, have: Had<PortSeen>): Change<PortSpec> | undefined {
  if (!want) return have?.owned === true ? change<PortSpec>('delete', 'removed', want, have, []) : undefined;
  if (!have) return change('create', 'new', want, have, []);
  const { state } = have;
  const because = state.fingerprint === fingerprint(want.spec) ? 'drift' : 'spec changed';
  if (state.broken !== undefined)
    return change('replace', 'drift', want, have, [{ path: '/broken', have: state.broken, want: undefined }]);
  const moved = diffFields(['bridge'], want.spec, state);
  if (moved.length > 0) return change('replace', because, want, have, moved);
  const limited = new Set(have.limitations?.map((limitation) => limitation.path));
  const fields = portFields(want.spec, state).filter((field) => !limited.has(field.path));
  return fields.length === 0 ? undefined : change('update', because, want, have, fields);
}

/** A bridge goes only when we made it and nobody uses it; of one that the site made, only an uplink of ours is taken back. */
function diffBridge(want: Wanted<BridgeSpec>, have: Had<BridgeSeen>): Change<BridgeSpec> | undefined {
  if (!want) {
    if (have?.owned !== true) return undefined;
    if (have.state.made && have.state.foreign.length > 0) return undefined;
    return change<BridgeSpec>('delete', 'removed', want, have, []);
  }
  if (!have) return change('create', 'new', want, have, []);
  const fields = bridgeFields(want.spec, have.state);
  return fields.length === 0 ? undefined : change('update', 'drift', want, have, fields);
}

/** A key that leaves Git gets its original back. */
function diffConfig(want: Wanted<OvsConfigSpec>, have: Had<OvsConfigSeen>): Change<OvsConfigSpec> | undefined {
  if (!want) return have?.owned === true ? change<OvsConfigSpec>('delete', 'removed', want, have, []) : undefined;
  const { value } = want.spec;
  if (have?.state.absent === true || have?.state.value === value) return undefined;
  const fields = [{ path: '/value', have: have?.state.value, want: value }];
  if (!have) return change('create', 'new', want, have, fields);
  const because = !have.owned ? 'new' : have.state.wrote === value ? 'drift' : 'spec changed';
  return change('update', because, want, have, fields);
}

/** The rule of each kind. */
export const diffOvs: Provider<OvsSpec, OvsState>['diff'] = diffByRef<OvsSpec, OvsState>((want, have) => {
  const ref = want?.ref ?? have?.ref ?? 'port/';
  switch (kindOf(ref)) {
    case 'port':
      return diffPort(want as Wanted<PortSpec>, have as Had<PortSeen>);
    case 'bridge':
      return diffBridge(want as Wanted<BridgeSpec>, have as Had<BridgeSeen>);
    default:
      return diffConfig(want as Wanted<OvsConfigSpec>, have as Had<OvsConfigSeen>);
  }
});
