import type { Limitation } from './change.ts';

/** What a person runs on a machine to set by hand what a Tuning asks of its processors, by key of the knob. */
const COMMANDS: Readonly<Record<string, (value: string) => string>> = {
  'cpu.governor': (value) => `cpupower frequency-set -g ${value}`,
  'cpu.energyBias': (value) => `cpupower set -b ${value}`,
  'cpu.energyPreference': (value) =>
    `echo ${value} | tee /sys/devices/system/cpu/cpufreq/policy*/energy_performance_preference`,
  // -D turns off the states that take so long to leave, or longer
  'cpu.maxIdleLatency': (value) => `cpupower idle-set -E; cpupower idle-set -D ${String(Number(value) + 1)}`,
};

/** Where a machine that has no such knob is told to save power or not. Where it has no idle states none is to be turned off. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'cpu.governor': 'modprobe acpi-cpufreq, or leave frequencies to the system in the firmware',
  'cpu.energyBias': 'set it in the firmware (power profile)',
  'cpu.energyPreference': 'set it in the firmware (power profile)',
};

/** admin-guide/pm/intel_pstate: "energy_performance_preference … cannot be set" while the governor is performance. */
const FIXED =
  'cpu.governor: powersave in the Tuning: with performance intel_pstate takes no preference but performance';

/**
 * What mends that a machine saves power other than its Tuning says: a command, or, where it has no such knob, where that is set. Undefined of what
 * no command sets either, and of all that is not about power.
 */
export function powerRemedy(
  { ref, state, why }: Pick<Limitation, 'ref' | 'state' | 'why'>,
  value: unknown,
): string | undefined {
  const key = ref.startsWith('knob/') ? ref.slice('knob/'.length) : '';
  if (state === 'Unsupported') {
    const elsewhere = ELSEWHERE[key];
    return elsewhere === undefined ? undefined : `${elsewhere}; of a virtual machine on its host`;
  }
  if (/\bEINVAL\b/.test(why)) return undefined;
  if (key === 'cpu.energyPreference' && /\bEBUSY\b/.test(why)) return FIXED;
  return COMMANDS[key]?.(String(value));
}
