import type { Tuning } from '../../schemas/types.ts';
import type { Resource, TuningSpec } from './catalog.ts';
import type { Origin } from './change.ts';
import { configPlace } from './ovs-config.ts';
import type { AssignedKnob } from './replica.ts';

/** Kernel names of a Tuning's limits. */
export const LIMITS = {
  pidMax: 'kernel.pid_max',
  threadsMax: 'kernel.threads-max',
  fileMax: 'fs.file-max',
  openFilesMax: 'fs.nr_open',
  aioMaxRequests: 'fs.aio-max-nr',
  inotifyWatches: 'fs.inotify.max_user_watches',
  inotifyInstances: 'fs.inotify.max_user_instances',
  mapCountMax: 'vm.max_map_count',
} as const;

/** Memory that the kernel keeps free, KiB; a Tuning may say a share of what there is. */
export const MIN_FREE = 'vm.min_free_kbytes';

/** What a knob is to say on a host that has so many bytes of memory; a share is as it is written where that is not known. */
export function valueOn({ kind, key, value }: Pick<AssignedKnob, 'kind' | 'key' | 'value'>, memory?: number): string {
  if (kind !== 'sysctl' || key !== MIN_FREE || !value.endsWith('%') || memory === undefined) return value;
  return String(Math.floor(((Number.parseFloat(value) / 100) * memory) / 1024));
}

type Limit = keyof NonNullable<Tuning['spec']['limits']>;

/** JSON pointers of the manifest that may set a kernel parameter, the likeliest first. */
function sysctlPointers(name: string): readonly string[] {
  const limit = (Object.keys(LIMITS) as Limit[]).find((key) => LIMITS[key] === name);
  const slashed = name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '~1'));
  return [
    `/spec/sysctls/${name.replaceAll('/', '~1')}`,
    ...(limit === undefined ? [] : [`/spec/limits/${limit}`]),
    ...(name === MIN_FREE ? ['/spec/memory/minFree'] : []),
    `/spec/sysctls/${slashed}`,
  ];
}

/** JSON pointer of the manifest that sets a key of other_config. */
function configPointer(name: string): string {
  const { key, bridge } = configPlace(name);
  return bridge === undefined ? `/spec/ovs/otherConfig/${key}` : `/spec/ovs/bridges/${bridge}/${key}`;
}

/** The knobs that a Tuning sets. */
export function knobsOf({ spec, fields, origin }: Resource<TuningSpec>): readonly AssignedKnob[] {
  const line = (pointers: readonly string[]): Origin =>
    pointers.map((pointer) => fields[pointer]).find((found) => found !== undefined) ?? origin;
  return [
    ...Object.entries(spec.sysctls).map(([key, value]): AssignedKnob => ({
      kind: 'sysctl',
      key,
      value,
      origin: line(sysctlPointers(key)),
    })),
    ...Object.entries(spec.ovsOtherConfig).map(([key, value]): AssignedKnob => ({
      kind: 'ovs-config',
      key,
      value,
      origin: line([configPointer(key)]),
    })),
    ...spec.knobs.map(({ key, value, pointer }): AssignedKnob => ({
      kind: 'knob',
      key,
      value,
      origin: line([pointer]),
    })),
  ];
}
