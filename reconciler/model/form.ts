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

const forms = new WeakMap<Form, string>();

/** Names what a replica is held to while it runs: a fingerprint of its limits, rates, probes and of how it is plugged in. */
export function formOf(form: Form): string {
  const before = forms.get(form);
  if (before !== undefined) return before;
  const { resources, egress, ingress, probes } = form.spec;
  const made = fingerprint([resources, egress, ingress, probes, form.plug]);
  forms.set(form, made);
  return made;
}
