import { onlineCpus } from './cpu.ts';
import type { Tree } from './tree.ts';

/** How the processors save power. Members that are absent are what this machine, or its firmware, does not let be set. */
export interface PowerFacts {
  /** Of frequency scaling: `intel_pstate`, `acpi-cpufreq`. */
  readonly driver?: string;
  /** In use, each once. */
  readonly governors?: readonly string[];
  readonly available?: readonly string[];
  readonly preferences?: readonly string[];
  /** 0 for performance to 15 for saving. */
  readonly bias?: readonly number[];
  /** Names of the states that an idle CPU may go to, the lightest first. */
  readonly idleStates?: readonly string[];
}

function each<T>(values: readonly (T | undefined)[]): readonly T[] | undefined {
  const all = [...new Set(values.filter((value) => value !== undefined))];
  return all.length === 0 ? undefined : all;
}

const CPU = 'devices/system/cpu';

/** How a machine saves power now. */
export function powerFacts(proc: Tree, sys: Tree): PowerFacts {
  const policies = sys.names(`${CPU}/cpufreq`).filter((name) => /^policy\d+$/.test(name));
  const ofPolicies = (what: string): readonly (string | undefined)[] =>
    policies.map((policy) => sys.text(`${CPU}/cpufreq/${policy}/${what}`));
  const cpus = onlineCpus(proc, sys);
  const idle = `${CPU}/cpu${String(cpus[0] ?? 0)}/cpuidle`;
  const members = {
    driver: each(ofPolicies('scaling_driver'))?.[0],
    governors: each(ofPolicies('scaling_governor')),
    available: ofPolicies('scaling_available_governors')[0]?.split(' '),
    preferences: each(ofPolicies('energy_performance_preference')),
    bias: each(cpus.map((cpu) => sys.number(`${CPU}/cpu${String(cpu)}/power/energy_perf_bias`))),
    idleStates: each(
      sys.names(idle).flatMap((state) => (/^state\d+$/.test(state) ? [sys.text(`${idle}/${state}/name`)] : [])),
    ),
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Words for it: `powersave (intel_pstate), preference balance_performance`. */
export function powerWords({ driver, governors, preferences, bias, idleStates }: PowerFacts): string {
  const words = [
    governors ? `governor ${governors.join(' and ')} (${driver ?? 'unknown driver'})` : 'no frequency scaling here',
    preferences && `preference ${preferences.join(' and ')}`,
    bias && `bias ${bias.join(' and ')}`,
    idleStates && `idle states ${idleStates.join(', ')}`,
  ];
  return words.filter(Boolean).join('; ');
}
