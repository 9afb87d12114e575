import type { App } from '../../../schemas/types.ts';
import type { BlockIoLimit, Resources, Storage } from '../../model/catalog.ts';
import { parseBytes, parseCpu } from '../../model/units.ts';
import { defined, filled } from './say.ts';
import type { Say } from './say.ts';

/** Docker refuses less. */
const LEAST_MEMORY = 6 * 1024 * 1024;

type Manifest = App['spec'];
type Cpu = NonNullable<NonNullable<Manifest['resources']>['cpu']>;
type BlockIo = NonNullable<NonNullable<Manifest['resources']>['blockIoLimits']>;
type Memory = NonNullable<NonNullable<Manifest['resources']>['memory']>;

const optional = <T>(value: T | undefined, parse: (value: T) => number): number | undefined =>
  value === undefined ? undefined : parse(value);

/** What a replica is held to, in plain units. */
export function resourcesOf({ resources }: Manifest, say: Say): Resources {
  const { cpu, memory, pids, blockIoWeight, blockIoLimits, escape } = filled(resources);
  return {
    ...cpuOf(filled(cpu), say),
    ...memoryOf(filled(memory), say),
    pids: filled(pids),
    ...(escape === 'return' ? { escape } : {}),
    ...defined<Pick<Resources, 'blockIoWeight' | 'blockIoLimits'>>({
      blockIoWeight,
      blockIoLimits: blockIoOf(blockIoLimits, say),
    }),
  };
}

function blockIoOf(limits: BlockIo | undefined, say: Say): Resources['blockIoLimits'] {
  if (limits === undefined) return undefined;
  const entries = Object.entries(limits).map(([device, { readBytes, writeBytes, readOps, writeOps }]) => {
    const bytes = (key: 'readBytes' | 'writeBytes', value: string | number | undefined): number | undefined => {
      const parsed = optional(value, parseBytes);
      if (parsed === 0)
        say(`/spec/resources/blockIoLimits/${device}/${key}`, 'BAD_VALUE', `${key} cannot be 0`, 'at least 1');
      return parsed;
    };
    const limit = { readBytes: bytes('readBytes', readBytes), writeBytes: bytes('writeBytes', writeBytes) };
    return [device, defined<BlockIoLimit>({ ...limit, readOps, writeOps })] as const;
  });
  return Object.fromEntries(entries);
}

type Scheduling = Pick<Resources, 'scheduling' | 'realtime'>;
type CpuPart = Pick<Resources, 'cpu' | 'pinned' | 'shares' | 'quota' | 'burst' | 'idle'> & Scheduling;

/** The class of an App's threads. What runs before all others may only do so on cores of its own. */
function schedulingOf({ scheduling, pinned }: Cpu, say: Say): Scheduling {
  if (!scheduling) return {};
  const at = '/spec/resources/cpu/scheduling';
  const { class: name, priority, realtime } = scheduling;
  if (name !== 'rr' && name !== 'fifo') {
    for (const [key, value] of Object.entries({ priority, realtime }))
      if (value !== undefined)
        say(`${at}/${key}`, 'BAD_VALUE', `class ${name} has no ${key}`, `leave it out; only rr and fifo have one`);
    return name === 'other' ? {} : { scheduling: name };
  }
  if (pinned !== true)
    say(
      `${at}/class`,
      'BAD_VALUE',
      `threads of ${name} run before all others, for as long as they like`,
      'give it cores of its own with spec.resources.cpu.pinned: true, or take batch or other',
    );
  const share = realtime === undefined ? 500 : parseCpu(realtime);
  if (share < 1 || share > 950)
    say(`${at}/realtime`, 'BAD_VALUE', `realtime of ${String(realtime)} is no part of a CPU`, 'from 1m to 950m');
  return { scheduling: `${name} ${String(priority ?? 1)}`, realtime: share };
}

function cpuOf(cpu: Cpu, say: Say): CpuPart {
  const at = '/spec/resources/cpu';
  const cores = parseCpu(filled(cpu.cores));
  const quota = optional(cpu.quota, parseCpu);
  const burst = optional(cpu.burst, parseCpu);
  const pinned = cpu.pinned === true;
  const idle = cpu.idle === true;
  if (cores < 1) say(`${at}/cores`, 'BAD_VALUE', 'spec.resources.cpu.cores cannot be 0', 'at least 1m');
  // the kernel's smallest quota is 1 ms in a period of 100 ms
  if (quota !== undefined && quota < 10)
    say(`${at}/quota`, 'BAD_VALUE', 'spec.resources.cpu.quota is too small', 'at least 10m; leave it out for no limit');
  if (burst !== undefined && (quota === undefined || burst > quota))
    say(
      `${at}/burst`,
      'BAD_VALUE',
      quota === undefined
        ? 'spec.resources.cpu.burst does nothing without spec.resources.cpu.quota'
        : `a burst of ${String(cpu.burst)} is more than the quota of ${String(cpu.quota)}`,
      'at most spec.resources.cpu.quota',
    );
  if (idle && cpu.shares !== undefined)
    say(`${at}/shares`, 'BAD_VALUE', 'what is idle has no shares', 'leave spec.resources.cpu.shares or idle out');
  if (pinned && cores % 1000 !== 0)
    say(
      `${at}/cores`,
      'BAD_VALUE',
      `${String(cpu.cores)} are no whole cores, and pinned ones are`,
      'a whole number of spec.resources.cpu.cores, as 2; or leave spec.resources.cpu.pinned out',
    );
  if (pinned && quota !== undefined)
    say(
      `${at}/quota`,
      'BAD_VALUE',
      'pinned cores have no quota: nobody else may use what it would leave',
      'leave spec.resources.cpu.quota or spec.resources.cpu.pinned out',
    );
  return {
    cpu: cores,
    ...(pinned ? { pinned } : {}),
    shares: cpu.shares ?? Math.min(262_144, Math.max(2, Math.round((cores * 1024) / 1000))),
    ...defined<Pick<Resources, 'quota' | 'burst'>>({ quota, burst }),
    ...(idle ? { idle } : {}),
    ...schedulingOf(cpu, say),
  };
}

type Huge = Pick<Resources, 'hugetlb2M' | 'hugetlb1G'>;
type MemoryOption = 'reservation' | 'high' | 'swappiness' | 'oomScoreAdj';
type MemoryPart = Pick<Resources, 'memory' | 'swap' | 'oomGroup' | 'force' | MemoryOption> & Huge;

function memoryOf(memory: Memory, say: Say): MemoryPart {
  const at = '/spec/resources/memory';
  const limit = parseBytes(filled(memory.limit));
  const reservation = optional(memory.reservation, parseBytes);
  if (limit < LEAST_MEMORY)
    say(`${at}/limit`, 'MEMORY_TOO_SMALL', `a memory limit of ${String(memory.limit)} is too small`, 'at least 6Mi');
  if (reservation !== undefined && reservation > limit) {
    const message = `the reservation ${String(memory.reservation)} is larger than the limit ${String(memory.limit)}`;
    say(`${at}/reservation`, 'RESERVATION_ABOVE_LIMIT', message, 'at most the limit');
  }
  if (reservation !== undefined && reservation < LEAST_MEMORY) {
    const message = `a memory reservation of ${String(memory.reservation)} is too small`;
    say(`${at}/reservation`, 'MEMORY_TOO_SMALL', message, 'at least 6Mi');
  }
  const high = optional(memory.high, parseBytes);
  if (high !== undefined && (high > limit || high < LEAST_MEMORY)) {
    const message = `memory.high of ${String(memory.high)} is ${high > limit ? 'more than the limit' : 'too small'}`;
    say(`${at}/high`, 'BAD_VALUE', message, 'at least 6Mi, at most spec.resources.memory.limit');
  }
  return {
    memory: limit,
    swap: parseBytes(filled(memory.swap)),
    ...defined<Pick<Resources, MemoryOption>>({
      reservation,
      high,
      swappiness: memory.swappiness,
      oomScoreAdj: memory.oomScoreAdj,
    }),
    ...(memory.oomGroup === true ? { oomGroup: true } : {}),
    ...(memory.force === true ? { force: true } : {}),
    ...hugeOf(memory.hugepages, say),
  };
}

function hugeOf(pages: Memory['hugepages'], say: Say): Huge {
  const bytes = (size: '2Mi' | '1Gi'): number | undefined => {
    const most = optional(pages?.[size], parseBytes);
    if (most !== undefined && most % parseBytes(size) !== 0) {
      const message = `${String(pages?.[size])} are no whole pages of ${size}`;
      say(`/spec/resources/memory/hugepages/${size}`, 'BAD_VALUE', message, `a multiple of ${size}, or 0`);
    }
    return most;
  };
  return defined<Huge>({ hugetlb2M: bytes('2Mi'), hugetlb1G: bytes('1Gi') });
}

/** What a replica takes of the disks, in plain units; undefined: nothing that is said. */
export function storageOf({ resources }: Manifest, say: Say): Storage | undefined {
  const disk = resources?.disk;
  if (disk === undefined) return undefined;
  const size = disk.size === undefined ? undefined : parseBytes(disk.size);
  const spindles = disk.spindles === undefined ? undefined : parseCpu(disk.spindles);
  if (size === 0) say('/spec/resources/disk/size', 'BAD_VALUE', 'spec.resources.disk.size cannot be 0', 'at least 1');
  if (spindles !== undefined && spindles < 1)
    say('/spec/resources/disk/spindles', 'BAD_VALUE', 'spec.resources.disk.spindles cannot be 0', 'at least 1m');
  return size === undefined && spindles === undefined ? undefined : defined<Storage>({ disk: size, spindles });
}

/** Less than this no storage driver takes, bytes. */
const LEAST_LAYER = 2 ** 20;

/** Bytes that a replica may write into the layer of its container; undefined: as many as there are. */
export function layerOf({ resources }: Manifest, say: Say): number | undefined {
  const layer = optional(resources?.disk?.layer, parseBytes);
  if (layer !== undefined && layer < LEAST_LAYER)
    say(
      '/spec/resources/disk/layer',
      'BAD_VALUE',
      `a layer of ${String(resources?.disk?.layer)} is too small`,
      'at least 1Mi',
    );
  return layer;
}
