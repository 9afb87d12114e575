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

/** The name of a place. */
export function configName({ key, bridge }: ConfigPlace): string {
  return bridge === undefined ? key : `${key}[bridge=${bridge}]`;
}
