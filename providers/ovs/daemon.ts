import fs from 'node:fs';
import { join } from 'node:path';
import type { Limitation } from '../../reconciler/model/change.ts';
import { configPlace, DPDK_INIT, isOfDpdk } from '../../reconciler/model/ovs-config.ts';
import { nameOf, type Ref } from '../../reconciler/model/ref.ts';
import type { OvsdbClient } from './client.ts';
import type { OvsConfigSeen } from './state.ts';

/** The ovs-vswitchd that runs. */
export interface Daemon {
  /** Another one for each start; absent where none is known to run. */
  readonly start?: string;
  /** Whether DPDK is ready. Absent where Open vSwitch does not tell. */
  readonly initialized?: boolean;
  /** It was built without DPDK. */
  readonly withoutDpdk: boolean;
}

/** Keys that are read when it starts, and what it takes where they are not set (ovs-vswitchd.conf.db(5): "requires restarting the daemon"). */
const AT_START: Readonly<Record<string, string | undefined>> = {
  'dpdk-alloc-mem': undefined,
  'dpdk-extra': undefined,
  'dpdk-hugepage-dir': undefined,
  'dpdk-init': 'false',
  'dpdk-lcore-mask': undefined,
  'dpdk-max-memzones': undefined,
  'dpdk-socket-limit': undefined,
  'dpdk-socket-mem': undefined,
  'hw-offload': 'false',
  'n-offload-threads': '1',
  'offload-rebalance': 'false',
  'per-port-memory': 'false',
  'shared-mempool-config': undefined,
  'userspace-tso-enable': 'false',
  'vhost-iommu-support': 'false',
  'vhost-postcopy-support': 'false',
  'vhost-sock-dir': undefined,
};

/** Whether ovs-vswitchd reads a key only when it starts. */
export function isReadAtStart(key: string): boolean {
  return Object.hasOwn(AT_START, key);
}

/** Which process it is: its number, and when it began in ticks since the boot. */
function startOf(runDir: string, procRoot: string): string | undefined {
  try {
    const pid = fs.readFileSync(join(runDir, 'ovs-vswitchd.pid'), 'utf8').trim();
    const stat = fs.readFileSync(join(procRoot, pid, 'stat'), 'utf8');
    const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return began === undefined ? undefined : `${pid}@${began}`;
  } catch {
    return undefined;
  }
}

/** Asks which ovs-vswitchd runs, and what it says of DPDK. Throws OVS_UNAVAILABLE, TIMEOUT. */
export type AskDaemon = (signal: AbortSignal) => Promise<Daemon>;

/** By its pid file below `runDir`, and the columns of the Open_vSwitch row that versions before 2.10 have not. */
export function systemDaemon(client: OvsdbClient, runDir: string, procRoot: string): AskDaemon {
  return async (signal) => {
    const [result] = await client.transact([{ op: 'select', table: 'Open_vSwitch', where: [] }], signal);
    const { dpdk_initialized: initialized, dpdk_version: version } = result?.rows?.[0] ?? {};
    const start = startOf(runDir, procRoot);
    return {
      ...(start === undefined ? {} : { start }),
      ...(typeof initialized === 'boolean' ? { initialized } : {}),
      withoutDpdk: version === 'none',
    };
  };
}

const RESTART = 'systemctl restart openvswitch-switch (openvswitch on Red Hat), which interrupts its traffic';

/** What ovs-vswitchd does not hold yet of a value, or never will; undefined where it does, or where nobody can say. */
export function unheld(ref: Ref, { value, ran }: OvsConfigSeen, daemon: Daemon): Limitation | undefined {
  const { key, bridge } = configPlace(nameOf(ref));
  if (bridge !== undefined || value === undefined || !isReadAtStart(key)) return undefined;
  const said = (state: Limitation['state'], why: string): Limitation => ({
    ref,
    path: '/value',
    state,
    why,
    want: value,
  });
  const needsDpdk = isOfDpdk(key) || (/^(dpdk-init|userspace-tso-enable)$/.test(key) && value !== 'false');
  if (daemon.withoutDpdk && needsDpdk)
    return said('Unsupported', 'this Open vSwitch was built without DPDK: apt-get install openvswitch-switch-dpdk');
  if (key === DPDK_INIT && daemon.initialized !== undefined) {
    const wanted = value !== 'false';
    if (wanted === daemon.initialized) return undefined;
    const now = daemon.initialized ? 'DPDK is in use' : 'DPDK is not ready, ovs-vswitchd.log says why';
    return said('NeedsRestart', `${now}: ${RESTART}`);
  }
  // it is read once DPDK is made ready
  if (isOfDpdk(key) && daemon.initialized === false) return undefined;
  if (ran === undefined || daemon.start === undefined || ran.start !== daemon.start) return undefined;
  const before = ran.value ?? AT_START[key];
  if (before === value) return undefined;
  return said('NeedsRestart', `ovs-vswitchd runs with ${before ?? 'none'} since its start: ${RESTART}`);
}
