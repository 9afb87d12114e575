import type { Claim, Limitation, Origin } from '../../reconciler/model/change.ts';
import { PROTOCOL } from '../../reconciler/model/protocol.ts';
import type { AppSpec } from '../../reconciler/model/catalog.ts';
import type { Assignment, Report } from '../../reconciler/model/replica.ts';
import { assignmentOf } from './assigned.ts';
import { reportOf } from './catalog.ts';

const probe = {
  check: { type: 'http', port: 80, path: '/' },
  period: 1,
  timeout: 1,
  failures: 1,
  successes: 1,
} as const;

/** An App with something of all that an App may say, as far as one may say all at once. */
const RICH: Required<AppSpec> = {
  ...{ image: 'i', command: ['c'], args: ['a'], env: { A: 'b' }, user: 'u', workdir: '/', replicas: 3, frozen: true },
  ...{ level: 2, zone: 'main', hosts: { matchLabels: { a: 'b' } }, spread: { switch: 1, rack: 1, host: 1 } },
  affinity: [{ app: 'db', within: 'rack', required: true }],
  antiAffinity: [{ app: 'db', within: 'host', required: false }],
  ...{ gang: 'g', network: 'net', egress: 1, ingress: 1, storage: { disk: 1, spindles: 1 }, platform: 'linux/amd64' },
  resources: {
    ...{ cpu: 100, pinned: true, shares: 102, quota: 200, burst: 10, idle: true, scheduling: 'batch', realtime: 1 },
    ...{ memory: 2 ** 26, reservation: 1, swap: 0, high: 1, swappiness: 1, oomGroup: true, oomScoreAdj: 1 },
    ...{ force: true, hugetlb2M: 1, hugetlb1G: 1, pids: 16, blockIoWeight: 10, escape: 'report' },
    blockIoLimits: { '*': { readBytes: 1, writeBytes: 1, readOps: 1, writeOps: 1 } },
  },
  ...{ reclaim: { above: '20%', window: 1, coolDown: 1 }, layer: 1, openFiles: 1 },
  ...{ ulimits: { core: { soft: 1, hard: 1 } }, sysctls: { 'net.a': '1' } },
  volumes: [
    { path: '/a', host: '/b', readOnly: true },
    { path: '/t', tmpfs: 1 },
  ],
  probes: { startup: probe, readiness: probe, liveness: { ...probe, check: { type: 'exec', command: ['x'] } } },
  ...{
    stop: { signal: 'SIGTERM', grace: 1 },
    restart: { backoff: 1, maxBackoff: 1, resetAfter: 1 },
    maxUnavailable: 1,
  },
  rollout: { minReady: 1, canary: { replicas: 1, pause: 'forever' }, progressDeadline: 1, autoRevert: true },
};

const origin: Origin = { revision: 'r', file: 'f', line: 1, column: 1 };

/** What a Network need not say. */
const WIRED = {
  ...{ gateway: '10.1.0.1', blockSize: 4, hosts: { matchLabels: { a: 'b' } }, uplink: 'eth1' },
  ...{
    pool: [['10.1.0.2', '10.1.0.9']] as const,
    egress: 1,
    ingress: 1,
    dns: { servers: ['10.0.0.1'], search: ['a'] },
  },
};

/** What a host kept, with something of all that an Assignment may say. */
function fullAssignment(host: string): Required<Assignment> {
  const base = assignmentOf(host, 1, 2, RICH);
  const networks = base.networks.map((network) => ({
    ...network,
    spec: { ...network.spec, ...WIRED },
    fields: { '/spec/vlan': origin },
  }));
  const [network] = networks;
  return {
    ...base,
    protocol: PROTOCOL,
    replicas: base.replicas.map((replica) => ({
      ...replica,
      fields: { '/spec/image': origin },
      plug: 'p',
      ...(network ? { holds: network } : {}),
      placement: { ...replica.placement, from: 'h2', yields: 'db-0' },
    })),
    networks,
    repairs: { zone: 'main', perHost: 1, perZone: 1 },
    slot: { zone: 'main', index: 0, of: 2, left: [{ zone: 'other', index: 0, of: 2 }] },
    keep: { apps: ['a'], owners: ['*'] },
  };
}

/** A Report with something of all that a Report may say. */
export function fullReport(host: string): Required<Report> {
  const { facts } = reportOf(host, { threadsPerCore: 2, disk: 1, spindles: 1, node0: 2 });
  const limitation: Required<Limitation> = {
    ...{ ref: 'sysctl/a', path: '/value', state: 'Refused', why: 'w', errno: 'EBUSY', want: '1', fix: 'f' },
  };
  const claim: Required<Claim> = { ref: 'sysctl/a', by: 'b', when: 'w', value: 'v', fix: 'f' };
  return {
    ...{ protocol: PROTOCOL, host, generation: 1, revision: 'r', at: 1, knobs: 1 },
    facts: { ...facts, addresses: ['192.168.0.1'], platform: 'linux/amd64' },
    replicas: [
      {
        ...{ id: 'web-0', phase: 'Ready', ready: true, restarts: 1, settlesAt: 1, unprobed: true, reason: 'R' },
        ...{ message: 'm', fingerprint: 'f', incarnation: 'i', form: 'o', image: 'sha256:1' },
      },
    ],
    observed: [
      ...['container/web-0', 'cgroup/web-0', 'sysctl/vm.swappiness', 'port/db-0'].map((ref) => ({
        ...{ known: true as const, ref: ref as 'a/b', owned: true, state: { memory: 1, value: '1' }, version: 'v' },
        ...{ limitations: [limitation], claims: [claim] },
      })),
      { known: false, ref: 'cgroup/web-1', why: 'w' },
    ],
    limitations: [limitation],
    conflicts: [claim],
    conditions: [{ type: 'Ready', status: false, reason: 'r', message: 'm', observedGeneration: 1 }],
    memory: { host: { counted: 1, used: 1, total: 2, reclaimed: { at: 1, freed: 1 } } },
    kept: fullAssignment(host),
  };
}

/** Those of its members whose own members are names that people chose. */
export const NAMED: ReadonlySet<string> = new Set([
  ...['env', 'matchLabels', 'fields', 'ulimits', 'sysctls', 'memory', 'blockIoLimits'],
]);
