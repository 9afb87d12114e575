/** Every problem of a repository has one of these codes for good. */
export const COMPILE_CODES = {
  // the files
  TOO_MANY_FILES: { title: 'More than 10,000 manifest files' },
  TOO_LARGE: { title: 'A file is larger than 1 MiB, or has too many documents or tokens' },
  UNREADABLE: { title: 'A manifest may not be read by this user' },
  SYMLINK: { title: 'A manifest is a symbolic link' },
  SUBMODULE: { title: 'A manifest path is a submodule' },
  NOT_UTF8: { title: 'A file is not UTF-8' },
  // YAML
  YAML_SYNTAX: { title: 'The YAML cannot be understood' },
  TAB_INDENT: { title: 'A tab is used to indent' },
  DUPLICATE_KEY: { title: 'A key stands twice in one mapping' },
  TOO_MANY_ALIASES: { title: 'More than 100 aliases are expanded, or they expand to too much' },
  TOO_DEEP: { title: 'Collections are nested deeper than 64' },
  // the document
  NOT_A_MANIFEST: { title: 'A document has no apiVersion of Plumbline' },
  UNKNOWN_VERSION: { title: 'The apiVersion is not known' },
  UNKNOWN_KIND: { title: 'The kind is not known' },
  UNKNOWN_FIELD: { title: 'A field does not exist' },
  MISSING_FIELD: { title: 'A required field is missing' },
  WRONG_TYPE: { title: 'A value has the wrong type' },
  BAD_VALUE: { title: 'A value is not allowed' },
  // one object
  MEMORY_TOO_SMALL: { title: 'A memory limit is below what a container runtime accepts' },
  RESERVATION_ABOVE_LIMIT: { title: 'A memory reservation is larger than the limit' },
  GATEWAY_OUTSIDE: { title: 'A gateway is not an address of its Network' },
  RANGE_OUTSIDE: { title: 'A range or exclusion is not inside its Network' },
  // the repository
  NO_FLEET: { title: 'There is no Fleet document' },
  MANY_FLEETS: { title: 'There is more than one Fleet document' },
  DUPLICATE_NAME: { title: 'Two objects of one kind have the same name' },
  DUPLICATE_MACHINE: { title: 'Two Hosts describe the same machine' },
  DANGLING_REFERENCE: { title: 'A reference names nothing that exists' },
  NONE_FITS: { title: 'No Zone or Network is what an App asks for' },
  MANY_FIT: { title: 'More than one Zone or Network is what an App asks for' },
  HOST_IN_TWO_ZONES: { title: 'A Host is selected by two Zones' },
  VLAN_CLASH: { title: 'Two Networks have the same VLAN on one bridge' },
  CIDR_CLASH: { title: 'The addresses of two Networks overlap on one host' },
  BRIDGE_CLASH: { title: 'Two Networks want one bridge with different datapaths or uplinks' },
  TOO_FEW_ADDRESSES: { title: 'Apps want more replicas than their Network has addresses' },
  APP_TOO_LARGE: { title: 'A replica is larger than any host that may run it' },
  LEVEL_NOT_IN_ZONE: { title: 'The Zone does not take Apps of that level' },
  VOLUME_NOT_ALLOWED: { title: 'A host volume is outside the paths that the Zone allows' },
  AFFINITY_CLASH: { title: 'Apps must be near to each other and cannot' },
  GANG_TOO_LARGE: { title: 'A gang has more than 1000 replicas' },
  UID_SHARED: { title: 'An App limits the processes of a uid that another App has as well' },
  TUNING_CONFLICT: { title: 'A knob is given two different values on one host' },
} as const;

export type CompileCode = keyof typeof COMPILE_CODES;
