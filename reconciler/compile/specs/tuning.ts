import type { Tuning } from '../../../schemas/types.ts';
import type { HardwareSelector, TuningSpec } from '../../model/catalog.ts';
import { LIMITS } from '../../model/knobs.ts';
import { parseBytes } from '../../model/units.ts';
import { fileKnobs } from './knobs.ts';
import { defined, filled } from './say.ts';
import type { Say } from './say.ts';
import { selectorOf } from './selector.ts';

/** The dotted name of a kernel parameter: as sysctl(8) reads it, a name whose first separator is a slash has its dots and slashes swapped. */
function sysctlName(name: string): string {
  if (/[./]/.exec(name)?.[0] !== '/') return name;
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

/** The Tuning's knobs, limits among the sysctls. White space within a value is folded, as the kernel shows it; of a knob that is set twice the first counts. */
export function tuningSpec({ spec }: Tuning, say: Say): TuningSpec {
  const sysctls: Record<string, string> = {};
  for (const [written, value] of Object.entries(spec.sysctls ?? {})) {
    const name = sysctlName(written);
    const pointer = `/spec/sysctls/${written.replaceAll('/', '~1')}`;
    if (sysctls[name] !== undefined)
      say(pointer, 'TUNING_CONFLICT', `"${name}" is set twice in this Tuning`, 'keep one');
    sysctls[name] ??= valueOf(value);
  }
  for (const [limit, value] of Object.entries(spec.limits ?? {})) {
    const name = LIMITS[limit as keyof typeof LIMITS];
    if (sysctls[name] !== undefined && sysctls[name] !== String(value))
      say(
        `/spec/limits/${limit}`,
        'TUNING_CONFLICT',
        `"${name}" is set twice in this Tuning`,
        `sysctls sets it to ${sysctls[name]}`,
      );
    sysctls[name] ??= String(value);
  }
  const otherConfig = Object.entries(spec.ovs?.otherConfig ?? {});
  return {
    hosts: selectorOf(spec.hosts),
    priority: filled(spec.priority),
    ...defined<Pick<TuningSpec, 'zone' | 'hardware'>>({
      zone: spec.zone,
      hardware: spec.hardware && hardwareSelector(spec.hardware),
    }),
    sysctls,
    knobs: fileKnobs(spec, say),
    ovsOtherConfig: Object.fromEntries(otherConfig.map(([key, value]) => [key, String(value)])),
  };
}

function hardwareSelector({ minMemory, ...rest }: NonNullable<Tuning['spec']['hardware']>): HardwareSelector {
  return defined<HardwareSelector>({
    cpu: rest.cpu && defined<NonNullable<HardwareSelector['cpu']>>(rest.cpu),
    kernel: rest.kernel && defined<NonNullable<HardwareSelector['kernel']>>(rest.kernel),
    nic: rest.nic && defined<NonNullable<HardwareSelector['nic']>>(rest.nic),
    disk: rest.disk && defined<NonNullable<HardwareSelector['disk']>>(rest.disk),
    minMemory: minMemory === undefined ? undefined : parseBytes(minMemory),
  });
}

function valueOf(value: string | number): string {
  return String(value).trim().replace(/\s+/g, ' ');
}
