import type {
  AppSpec,
  BlockIoLimit,
  Companion,
  Probes,
  ProbeSpec,
  Resources,
  RolloutSpec,
  Selector,
  Storage,
  Volume,
} from './catalog.ts';
import type { Origin } from './change.ts';
import { eachDimension } from './demand.ts';
import type { Demand } from './demand.ts';
import type { ReclaimRule } from './memory.ts';
import type { AssignedKnob, AssignedNetwork, AssignedReplica, Assignment, Placement, ZoneSlot } from './replica.ts';
import { amount, either, flag, listOf, mapOf, maybe, number, object, positive, text, whole } from './shape.ts';
import type { Shape } from './shape.ts';

/** So much of each dimension that this version knows. */
export const demand: Shape = object<Demand>({
  ...eachDimension(() => maybe(amount)),
  ...{ cpu: amount, memory: amount, pids: amount },
});

const origin = object<Origin>({ revision: text, file: text, line: number, column: number });
const selector = object<Selector>({ matchLabels: mapOf(text) });
const companions = maybe(listOf(object<Companion>({ app: text, within: text, required: flag })));

const probe = maybe(
  object<ProbeSpec>({
    check: object<Pick<ProbeSpec['check'], 'type'>>({ type: text }),
    ...{ period: number, timeout: number, failures: number, successes: number },
  }),
);

const blockIo = object<BlockIoLimit>({
  ...{ readBytes: maybe(number), writeBytes: maybe(number) },
  ...{ readOps: maybe(number), writeOps: maybe(number) },
});

const resources = object<Resources>({
  ...{ cpu: amount, pinned: maybe(flag), shares: number, quota: maybe(number), burst: maybe(number) },
  ...{ idle: maybe(flag), scheduling: maybe(text), realtime: maybe(number) },
  ...{ memory: amount, reservation: maybe(number), swap: number, high: maybe(number), swappiness: maybe(number) },
  ...{ oomGroup: maybe(flag), oomScoreAdj: maybe(number), force: maybe(flag) },
  ...{ hugetlb2M: maybe(number), hugetlb1G: maybe(number), pids: amount },
  ...{ blockIoWeight: maybe(number), escape: maybe(text), blockIoLimits: maybe(mapOf(blockIo)) },
});

const rollout = object<RolloutSpec>({
  minReady: number,
  canary: maybe(object<NonNullable<RolloutSpec['canary']>>({ replicas: number, pause: either(number, text) })),
  progressDeadline: maybe(number),
  autoRevert: flag,
});

/** What is one thing or another is looked at no closer: a newer version may know a third. */
const appSpec = object<AppSpec>({
  ...{ image: text, command: maybe(listOf(text)), args: maybe(listOf(text)), env: mapOf(text) },
  ...{ user: maybe(text), workdir: maybe(text), replicas: whole, frozen: maybe(flag), level: number, zone: text },
  hosts: selector,
  spread: object<AppSpec['spread']>({ switch: maybe(number), rack: maybe(number), host: maybe(number) }),
  ...{ affinity: companions, antiAffinity: companions, gang: maybe(text), network: text },
  ...{ egress: maybe(number), ingress: maybe(number), resources },
  storage: maybe(object<Storage>({ disk: maybe(amount), spindles: maybe(amount) })),
  reclaim: maybe(object<ReclaimRule>({ above: either(number, text), window: number, coolDown: number })),
  ...{ platform: maybe(text), layer: maybe(number), openFiles: maybe(number) },
  ulimits: mapOf(object<AppSpec['ulimits'][string]>({ soft: number, hard: number })),
  sysctls: mapOf(text),
  volumes: listOf(object<Pick<Volume, 'path'>>({ path: text })),
  probes: object<Probes>({ startup: probe, readiness: probe, liveness: probe }),
  stop: object<AppSpec['stop']>({ signal: text, grace: number }),
  restart: object<AppSpec['restart']>({ backoff: number, maxBackoff: number, resetAfter: number }),
  ...{ maxUnavailable: number, rollout: maybe(rollout) },
});

const networkSpec = object<AssignedNetwork['spec']>({
  ...{ vlan: number, cidr: text, gateway: maybe(text), pool: listOf(listOf(text)), quarantine: number },
  ...{ blockSize: maybe(number), hosts: selector, bridge: text, datapath: text, uplink: maybe(text), mtu: number },
  ...{ antiSpoofing: flag, egress: maybe(number), ingress: maybe(number) },
  dns: object<AssignedNetwork['spec']['dns']>({ servers: listOf(text), search: listOf(text) }),
});

const placement = object<Placement>({
  ...{ replica: text, app: text, zone: text, host: text, network: text, address: text },
  ...{ demand, epoch: whole, from: maybe(text), yields: maybe(text) },
});

const network = object<AssignedNetwork>({ name: text, spec: networkSpec, origin, fields: mapOf(origin) });

const replica = object<AssignedReplica>({
  ...{ id: text, app: text, owner: text, spec: appSpec, placement },
  ...{ origin, fields: mapOf(origin), plug: maybe(text), holds: maybe(network) },
});

const slotMembers = { zone: text, index: whole, of: positive };
const slot = object<NonNullable<Assignment['slot']>>({
  ...slotMembers,
  left: maybe(listOf(object<ZoneSlot>(slotMembers))),
});

const assignment = object<Assignment>({
  ...{ protocol: maybe(whole), host: text, fleet: text, generation: whole, revision: text, author: text },
  ...{ resync: number, replicas: listOf(replica), networks: listOf(network) },
  tuning: listOf(object<AssignedKnob>({ kind: text, key: text, value: text, origin })),
  repairs: maybe(object<NonNullable<Assignment['repairs']>>({ zone: text, perHost: number, perZone: number })),
  slot: maybe(slot),
  keep: object<Assignment['keep']>({ apps: listOf(text), owners: listOf(text) }),
});

/** An Assignment that a host has kept: of that host, and of each replica its own placement there. */
export function keptBy(host: string): Shape {
  return (value) => {
    const wrong = assignment(value);
    if (wrong !== undefined) return wrong;
    const kept = value as Assignment;
    if (kept.host !== host) return '/host';
    const at = kept.replicas.findIndex(({ id, placement: its }) => its.host !== host || its.replica !== id);
    return at < 0 ? undefined : `/replicas/${String(at)}/placement`;
  };
}
