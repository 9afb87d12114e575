import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { choicesOf } from '../../../providers/host/knobs/choices.ts';
import { treeAt } from '../../../providers/host/inventory/tree.ts';
import { machineWith } from '../../support/knobs-rig.ts';

describe('what a file of sysfs takes', () => {
  const POLICY = 'devices/system/cpu/cpufreq/policy0';
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, string, string | undefined])[] = [
    [
      'is told by the one beside it',
      {
        [`${POLICY}/scaling_available_governors`]: 'performance powersave \n',
        [`${POLICY}/scaling_governor`]: 'powersave\n',
      },
      `${POLICY}/scaling_governor`,
      'performance, powersave',
    ],
    [
      'of preferences as well',
      { [`${POLICY}/energy_performance_available_preferences`]: 'default performance\n' },
      `${POLICY}/energy_performance_preference`,
      'default, performance',
    ],
    [
      'by itself, where one is in brackets',
      { 'block/sda/queue/scheduler': '[none] mq-deadline\n' },
      'block/sda/queue/scheduler',
      'none, mq-deadline',
    ],
    ['not by a number', { 'block/sda/queue/nr_requests': '64\n' }, 'block/sda/queue/nr_requests', undefined],
    [
      'not where the other is missing',
      { [`${POLICY}/scaling_governor`]: 'powersave\n' },
      `${POLICY}/scaling_governor`,
      undefined,
    ],
  ];
  for (const [name, files, path, takes] of cases)
    it(name, () => {
      assert.equal(choicesOf(treeAt(machineWith(files)), path), takes);
    });
});
