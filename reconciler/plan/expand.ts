import type { Resources } from '../model/catalog.ts';
import type { Desired, Origin } from '../model/change.ts';
import { CORES } from '../model/cores.ts';
import { pinnedIn } from '../model/demand.ts';
import { valueOn } from '../model/knobs.ts';
import { HOST_MEMORY, RECLAIM_KEY, ruleOf, type MemorySpec } from '../model/memory.ts';
import { DPDK_INIT, isOfDpdk } from '../model/ovs-config.ts';
import { refOf, type Ref } from '../model/ref.ts';
import {
  macOf,
  type AssignedKnob,
  type AssignedNetwork,
  type AssignedReplica,
  type Assignment,
} from '../model/replica.ts';
import type {
  BridgeSpec,
  CgroupSpec,
  ContainerSpec,
  CoresSpec,
  ImageSpec,
  PortSpec,
  SandboxSpec,
} from '../model/resources.ts';
import { originsOf } from './provenance.ts';

/** A copy without the members that are undefined. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

function bridge(network: AssignedNetwork): Desired<BridgeSpec> {
  const { bridge: name, datapath, uplink } = network.spec;
  return {
    ref: refOf('bridge', name),
    spec: defined<BridgeSpec>({ name, datapath, uplink }),
    dependsOn: [],
    origin: network.origin,
    fields: originsOf('bridge', {}, network.fields),
  };
}

function sandbox(replica: AssignedReplica, network: AssignedNetwork): SandboxSpec {
  const { id, app, spec } = replica;
  return { replica: id, app, hostname: id, dns: network.spec.dns, sysctls: spec.sysctls };
}

function port(replica: AssignedReplica, network: AssignedNetwork): PortSpec {
  const { bridge: on, datapath, vlan, cidr, gateway, mtu, antiSpoofing } = network.spec;
  const { address } = replica.placement;
  return defined<PortSpec>({
    replica: replica.id,
    bridge: on,
    datapath,
    vlan,
    address,
    prefix: Number(cidr.split('/')[1]),
    gateway,
    mac: macOf(vlan, address),
    mtu,
    egress: replica.spec.egress ?? network.spec.egress,
    ingress: replica.spec.ingress ?? network.spec.ingress,
    antiSpoofing,
  });
}

function container({ id, app, spec }: AssignedReplica): ContainerSpec {
  const { image, command, args, env, user, workdir, layer, openFiles, ulimits, volumes, stop } = spec;
  return defined<ContainerSpec>({
    replica: id,
    app,
    image,
    command,
    args,
    env,
    user,
    workdir,
    layer,
    openFiles,
    ulimits,
    volumes,
    resources: limitsOf(spec),
    frozen: spec.frozen,
    stop,
  });
}

/** What a replica is held to, from its start on. */
function limitsOf({ level, resources }: AssignedReplica['spec']): Resources {
  return { oomScoreAdj: oomScoreOf(level), ...resources };
}

/** The cores that a replica has for itself. */
function claimOf({ spec: { resources }, placement }: AssignedReplica): CoresSpec['pinned'][string] | undefined {
  const own = resources.pinned && pinnedIn(placement.demand);
  const cores = resources.cpu / 1000;
  return own && { node: own.node, cores, ...(own.cores > cores ? { reserved: own.cores } : {}) };
}

/** Who has which part of the cores; undefined where all share them. */
function cores(replicas: readonly AssignedReplica[]): Desired<CoresSpec> | undefined {
  const pinned: Record<string, CoresSpec['pinned'][string]> = {};
  const shared: string[] = [];
  const fields: Record<string, Origin> = {};
  let origin: Origin | undefined;
  for (const replica of replicas) {
    const claim = claimOf(replica);
    if (!claim) {
      shared.push(replica.id);
      continue;
    }
    pinned[replica.id] = claim;
    const line = originsOf('cores', replica.fields, {})['/pinned'] ?? replica.origin;
    fields[`/${replica.id}`] = line;
    origin ??= line;
  }
  return origin && { ref: CORES, spec: { pinned, shared }, dependsOn: [], origin, fields };
}

/**
 * oom_score_adj of a level, 0 to 3: 0, 100, 200, 300. Where the memory of a machine runs out, what is less critical is ended first, unless
 * the other takes a tenth of it more. None goes below 0: the daemons of the machine are there, and must not go before a replica that leaks.
 */
function oomScoreOf(level: number): number {
  return 100 * level;
}

function replicaRefs(replica: AssignedReplica, network: AssignedNetwork): Desired[] {
  const { id, origin } = replica;
  const of = (kind: string): Ref => refOf(kind, id);
  const one = (kind: string, spec: unknown, dependsOn: readonly Ref[], startsAfter?: readonly Ref[]): Desired => ({
    ref: of(kind),
    spec,
    dependsOn,
    ...(startsAfter ? { startsAfter } : {}),
    origin,
    // few ask, and there are four things of each replica
    get fields() {
      return originsOf(kind, replica.fields, network.fields);
    },
  });
  const { frozen } = replica.spec;
  const cgroup = defined<CgroupSpec>({ replica: id, escape: 'report', ...limitsOf(replica.spec), frozen });
  const image = refOf('image', replica.spec.image);
  const own = claimOf(replica) ? [CORES] : [];
  return [
    one('sandbox', sandbox(replica, network), []),
    // its address is asked for while the sandbox is made, and it is wired when that is done
    one('port', port(replica, network), [refOf('bridge', network.spec.bridge), of('sandbox')], [of('sandbox')]),
    // made while its port is wired, started when that is done
    one('container', container(replica), [image, ...own, of('sandbox'), of('port')], [of('port')]),
    // none runs before all others but on cores of its own
    one('cgroup', cgroup, [of('container'), ...(cgroup.realtime === undefined ? [] : own)]),
  ];
}

/** What of the memory of the host and of its replicas is given back, and when. */
function reclaims({ replicas, tuning, slot }: Assignment): readonly Desired<MemorySpec>[] {
  const when = slot ? { slot: { index: slot.index, of: slot.of } } : {};
  const asking = replicas.flatMap((replica) => (replica.spec.reclaim ? [{ replica, rule: replica.spec.reclaim }] : []));
  const first = asking.map(({ replica }) => replica.id);
  const ofHost = tuning.flatMap(({ key, value, origin }): readonly Desired<MemorySpec>[] => {
    const rule = key === RECLAIM_KEY ? ruleOf(value) : undefined;
    if (!rule) return [];
    return [
      { ref: HOST_MEMORY, spec: { ...rule, ...when, first }, dependsOn: [], origin, fields: { '/above': origin } },
    ];
  });
  const own = asking.map(({ replica: { id, origin, fields }, rule }): Desired<MemorySpec> => ({
    ref: refOf('memory', id),
    spec: { ...rule, ...when },
    dependsOn: [refOf('container', id)],
    origin,
    fields: originsOf('memory', fields, {}),
  }));
  return [...ofHost, ...own];
}

/** What Tunings set. What has DPDK made ready comes after all that DPDK reads then. */
function knobs({ tuning }: Assignment, memory: number | undefined): readonly Desired[] {
  const asked = tuning.filter(({ key }) => key !== RECLAIM_KEY);
  const isConfig = ({ kind }: AssignedKnob): boolean => kind === 'ovs-config';
  const ofDpdk = asked.filter((knob) => isConfig(knob) && isOfDpdk(knob.key)).map(({ kind, key }) => refOf(kind, key));
  return asked.map((knob) => ({
    ref: refOf(knob.kind, knob.key),
    spec: { key: knob.key, value: valueOn(knob, memory) },
    dependsOn: isConfig(knob) && knob.key === DPDK_INIT ? ofDpdk : [],
    origin: knob.origin,
    fields: { '/value': knob.origin },
  }));
}

/**
 * All things of one host that an Assignment asks for, each with what it depends on and the lines that say so. Things
 * that several replicas share (a bridge, an image) stand there once. Shares of memory are those of a host that has so many bytes; where
 * that is not known they stay as they are written.
 */
export function expand(assignment: Assignment, memory?: number): readonly Desired[] {
  const all = new Map<Ref, Desired>();
  const add = (item: Desired): void => {
    if (!all.has(item.ref)) all.set(item.ref, item);
  };
  const networks = new Map(assignment.networks.map((network) => [network.name, network]));
  reclaims(assignment).forEach(add);
  knobs(assignment, memory).forEach(add);
  for (const network of assignment.networks) add(bridge(network));
  const who = cores(assignment.replicas);
  if (who) add(who);
  for (const replica of assignment.replicas) {
    const network = replica.holds ?? networks.get(replica.placement.network);
    if (!network) continue;
    if (replica.holds) add(bridge(replica.holds));
    const reference = replica.spec.image;
    const image: ImageSpec = { reference };
    add({
      ref: refOf('image', reference),
      spec: image,
      dependsOn: [],
      origin: replica.fields['/spec/image'] ?? replica.origin,
    });
    replicaRefs(replica, network).forEach(add);
  }
  return [...all.values()];
}
