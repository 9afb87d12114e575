import { ovsdbClient } from './client.ts';

/** What an Open vSwitch is. */
export interface OvsFacts {
  readonly version?: string;
  /** Whether DPDK is ready; absent where it was built without. */
  readonly dpdk?: boolean;
  /** Datapaths that it has: netdev, system. */
  readonly datapaths: readonly string[];
}

function texts(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && Array.isArray(value[1]) ? value[1].filter((one) => typeof one === 'string') : [];
}

/** What the Open vSwitch of a run directory says of itself. Throws OVS_UNAVAILABLE, TIMEOUT. */
export async function ovsFacts(signal: AbortSignal, runDir = '/run/openvswitch'): Promise<OvsFacts> {
  const client = ovsdbClient({ socket: `${runDir}/db.sock`, timeout: 5000, keepalive: 5000 });
  const [result] = await client.transact([{ op: 'select', table: 'Open_vSwitch', where: [] }], signal);
  const row = result?.rows?.[0] ?? {};
  const [version] = texts(row['ovs_version']);
  const built = row['dpdk_version'] !== 'none' && typeof row['dpdk_initialized'] === 'boolean';
  return {
    ...(version === undefined ? {} : { version }),
    ...(built ? { dpdk: row['dpdk_initialized'] === true } : {}),
    datapaths: [...texts(row['datapath_types'])].sort(),
  };
}
