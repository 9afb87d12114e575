import type { AppSpec, NetworkSpec } from './catalog.ts';
import { fingerprint } from './fingerprint.ts';

const plugs = new WeakMap<NetworkSpec, string>();

/** Names how a Network plugs its replicas in: a fingerprint of all of it that reaches them, but for the rates, which stand in their specs. */
export function plugOf(network: NetworkSpec): string {
  const before = plugs.get(network);
  if (before !== undefined) return before;
  const { bridge, datapath, vlan, cidr, gateway, mtu, antiSpoofing, dns } = network;
  const made = fingerprint([bridge, datapath, vlan, cidr, gateway, mtu, antiSpoofing, dns]);
  plugs.set(network, made);
  return made;
}

/** What of a replica can change in place. */
export interface Form {
  readonly spec: AppSpec;
  readonly plug?: string;
}

const forms = new WeakMap<AppSpec, Map<string | undefined, string>>();

/** Names what a replica is held to while it runs: a fingerprint of its limits, rates, probes and of how it is plugged in. */
export function formOf({ spec, plug }: Form): string {
  const known = forms.get(spec) ?? new Map<string | undefined, string>();
  forms.set(spec, known);
  const before = known.get(plug);
  if (before !== undefined) return before;
  const { resources, egress, ingress, probes } = spec;
  const made = fingerprint([resources, egress, ingress, probes, plug]);
  known.set(plug, made);
  return made;
}
