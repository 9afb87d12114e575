import type { Tuning } from '../../../schemas/types.ts';
import type { HardwareSelector, TuningSpec } from '../../model/catalog.ts';
import { LIMITS, MIN_FREE } from '../../model/knobs.ts';
import { parseBytes } from '../../model/units.ts';
import { fileKnobs } from './knobs.ts';
import { ovsConfig } from './ovs.ts';
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
  setMinFree(sysctls, spec.memory?.minFree, say);
  return {
    hosts: selectorOf(spec.hosts),
    priority: filled(spec.priority),
    ...defined<Pick<TuningSpec, 'zone' | 'hardware'>>({
      zone: spec.zone,
      hardware: spec.hardware && hardwareSelector(spec.hardware),
    }),
    sysctls,
    knobs: fileKnobs(spec, say),
    ovsOtherConfig: ovsConfig(spec.ovs ?? {}, say),
  };
}

/** More of the memory than this is not kept free: what is, nobody can use. */
const MOST_FREE = 5;

/** A share of memory that is kept free stands for a kernel parameter, whose value each host works out. */
function setMinFree(sysctls: Record<string, string>, share: string | undefined, say: Say): void {
  const pointer = share === undefined ? `/spec/sysctls/${MIN_FREE}` : '/spec/memory/minFree';
  if (share !== undefined && sysctls[MIN_FREE] !== undefined && sysctls[MIN_FREE] !== share)
    say(
      pointer,
      'TUNING_CONFLICT',
      `"${MIN_FREE}" is set twice in this Tuning`,
      `sysctls sets it to ${sysctls[MIN_FREE]}`,
    );
  if (share !== undefined) sysctls[MIN_FREE] ??= share;
  const value = sysctls[MIN_FREE] ?? '';
  if (!value.endsWith('%')) return;
  const percent = Number(value.slice(0, -1));
  if (!(percent > 0 && percent <= MOST_FREE))
    say(
      pointer,
      'BAD_VALUE',
      `${value} of the memory cannot be kept free: nobody could use it`,
      `more than 0% and at most ${String(MOST_FREE)}%, as 1% or 0.5%`,
    );
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
