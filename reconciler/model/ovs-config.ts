/** Where a key of other_config is: of one bridge, else of all Open vSwitch. */
export interface ConfigPlace {
  readonly key: string;
  readonly bridge?: string;
}

/** The place that a name says: `max-idle`, `mac-table-size[bridge=br-int]`. */
export function configPlace(name: string): ConfigPlace {
  const [, key, bridge] = /^([^[]*)\[bridge=(.*)\]$/.exec(name) ?? [];
  return key === undefined || bridge === undefined ? { key: name } : { key, bridge };
}

/** The key of Open_vSwitch that has DPDK made ready, at once where it was not before: what DPDK reads has to be there by then. */
export const DPDK_INIT = 'dpdk-init';

/** Whether nothing but DPDK reads a key of Open_vSwitch, when it is made ready. */
export function isOfDpdk(key: string): boolean {
  return key !== DPDK_INIT && /^(dpdk-|per-port-memory$|shared-mempool-config$|vhost-)/.test(key);
}

/** The name of a place. */
export function configName({ key, bridge }: ConfigPlace): string {
  return bridge === undefined ? key : `${key}[bridge=${bridge}]`;
}
