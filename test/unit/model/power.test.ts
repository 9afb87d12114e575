import assert from 'node:assert/strict';
import { it } from 'node:test';
import { powerRemedy } from '../../../reconciler/model/power.ts';

for (const [key, value, state, why, remedy] of [
  ['cpu.governor', 'performance', 'Refused', 'policy0: EPERM', 'cpupower frequency-set -g performance'],
  ['cpu.governor', 'performance', 'Drifted', 'a fight', 'cpupower frequency-set -g performance'],
  ['cpu.energyBias', '0', 'Refused', 'cpu0: EACCES', 'cpupower set -b 0'],
  [
    'cpu.energyPreference',
    'performance',
    'Refused',
    'policy0: EACCES',
    'echo performance | tee /sys/devices/system/cpu/cpufreq/policy*/energy_performance_preference',
  ],
  ['cpu.maxIdleLatency', '10', 'Refused', 'EACCES', 'cpupower idle-set -E; cpupower idle-set -D 11'],
  // no command sets what the machine has not
  ['cpu.governor', 'turbo', 'Refused', 'policy0: EINVAL: it takes performance, powersave', undefined],
  [
    'cpu.energyPreference',
    'power',
    'Refused',
    'policy0: EBUSY',
    'cpu.governor: powersave in the Tuning: with performance intel_pstate takes no preference but performance',
  ],
  [
    'cpu.governor',
    'performance',
    'Unsupported',
    'this machine has nothing that it sets',
    'modprobe acpi-cpufreq, or leave frequencies to the system in the firmware; of a virtual machine on its host',
  ],
  ['cpu.maxIdleLatency', '10', 'Unsupported', 'this machine has nothing that it sets', undefined],
  ['cpu.workqueue', 'shared', 'Refused', 'EPERM', undefined],
  ['disk.solid.scheduler', 'none', 'Refused', 'EPERM', undefined],
] as const)
  it(`what mends ${key}: ${value} that is ${state}, ${why}`, () => {
    assert.equal(powerRemedy({ ref: `knob/${key}`, state, why }, value), remedy);
  });

it('is nothing of what is no knob', () => {
  assert.equal(powerRemedy({ ref: 'sysctl/cpu.governor', state: 'Refused', why: 'EPERM' }, 'performance'), undefined);
});
