import type { Tree } from './tree.ts';

export interface NicFacts {
  readonly name: string;
  readonly driver: string;
  /** Number of its maker, as PCI has it: `0x15b3`. */
  readonly vendor?: string;
  /** Number of the model, as PCI has it: `0x1015`. */
  readonly model?: string;
  /** Megabits a second; absent while it has no link. */
  readonly speed?: number;
  readonly mtu: number;
  readonly rxQueues: number;
  readonly txQueues: number;
  /** NUMA node that it hangs on. */
  readonly node?: number;
}

export interface DiskFacts {
  readonly name: string;
  readonly model?: string;
  readonly bytes: number;
  readonly rotational: boolean;
  /** The one in use. */
  readonly scheduler?: string;
  readonly readAhead?: number;
  readonly queueDepth?: number;
}

/** The word in brackets of a choice as the kernel shows it (`none [mq-deadline]`); the whole where nothing is in brackets. */
export function chosen(text: string): string {
  return /\[([^\]]+)\]/.exec(text)?.[1] ?? text;
}

function some<T extends object>(members: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Whose a card is, all of it from memory of the kernel. */
export function identityOf(sys: Tree, name: string): Pick<NicFacts, 'driver' | 'vendor' | 'model'> {
  const at = `class/net/${name}/device`;
  return {
    driver: sys.target(`${at}/driver`) ?? 'unknown',
    ...some<Pick<NicFacts, 'vendor' | 'model'>>({ vendor: sys.text(`${at}/vendor`), model: sys.text(`${at}/device`) }),
  };
}

function nic(sys: Tree, name: string): NicFacts {
  const at = `class/net/${name}`;
  const queues = sys.names(`${at}/queues`);
  const count = (kind: string): number => queues.filter((queue) => queue.startsWith(kind)).length;
  const positive = (value: number | undefined, least: number): number | undefined =>
    value !== undefined && value >= least ? value : undefined;
  return {
    name,
    ...identityOf(sys, name),
    mtu: sys.number(`${at}/mtu`) ?? 0,
    rxQueues: count('rx-'),
    txQueues: count('tx-'),
    ...some<Pick<NicFacts, 'speed' | 'node'>>({
      speed: positive(sys.number(`${at}/speed`), 1),
      node: positive(sys.number(`${at}/device/numa_node`), 0),
    }),
  };
}

/** Names of network cards that are devices of their own: no bridges, veths or other things that only software is. */
export function nicNames(sys: Tree): readonly string[] {
  return sys.names('class/net').filter((name) => sys.has(`class/net/${name}/device`));
}

/** What there is to be known of these cards. To read the speed asks the driver, and of some the firmware. */
export function nicsOf(sys: Tree): readonly NicFacts[] {
  return nicNames(sys).map((name) => nic(sys, name));
}

function disk(sys: Tree, name: string): DiskFacts {
  const at = `block/${name}`;
  const scheduler = sys.text(`${at}/queue/scheduler`);
  return {
    name,
    bytes: (sys.number(`${at}/size`) ?? 0) * 512,
    rotational: sys.number(`${at}/queue/rotational`) === 1,
    ...some<Pick<DiskFacts, 'model' | 'scheduler' | 'readAhead' | 'queueDepth'>>({
      model: sys.text(`${at}/device/model`),
      scheduler: scheduler === undefined ? undefined : chosen(scheduler),
      readAhead: kibibytes(sys.number(`${at}/queue/read_ahead_kb`)),
      queueDepth: sys.number(`${at}/queue/nr_requests`),
    }),
  };
}

function kibibytes(count: number | undefined): number | undefined {
  return count === undefined ? undefined : count * 1024;
}

/** Names of disks that are devices of their own and of some size: no partitions, memory, loops or combinations of others, nothing removable. */
export function diskNames(sys: Tree): readonly string[] {
  const own = (name: string): boolean =>
    sys.has(`block/${name}/device`) &&
    (sys.number(`block/${name}/size`) ?? 0) > 0 &&
    sys.number(`block/${name}/removable`) !== 1;
  return sys.names('block').filter(own);
}

/** What there is to be known of these disks. */
export function disksOf(sys: Tree): readonly DiskFacts[] {
  return diskNames(sys).map((name) => disk(sys, name));
}
