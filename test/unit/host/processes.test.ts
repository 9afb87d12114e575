import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createProcesses } from '../../../providers/host/rivals/processes.ts';
import { machineWith } from '../../support/knobs-rig.ts';

describe('programs are found by what the kernel calls them', () => {
  /** Steps: after so many seconds, what becomes of /proc, and the numbers that are told of `tuned` then. */
  type Step = readonly [seconds: number, change: (root: string) => void, told: readonly string[]];
  const start =
    (pid: string, name = 'tuned') =>
    (root: string): void => {
      fs.mkdirSync(join(root, pid), { recursive: true });
      fs.writeFileSync(join(root, pid, 'comm'), `${name}\n`);
    };
  const end =
    (pid: string) =>
    (root: string): void =>
      fs.rmSync(join(root, pid), { recursive: true });
  const nothing = (): void => undefined;
  const cases: readonly (readonly [string, readonly Step[]])[] = [
    ['those that run', [[0, nothing, ['7']]]],
    [
      'not one that has ended',
      [
        [0, nothing, ['7']],
        [60, end('7'), []],
      ],
    ],
    [
      'not one whose number another has',
      [
        [0, nothing, ['7']],
        [60, start('7', 'bash'), []],
      ],
    ],
    [
      'one that was started, within ten minutes',
      [
        [0, end('7'), []],
        [60, start('8'), []],
        [599, nothing, ['8']],
      ],
    ],
    [
      'one that was started anew, at the next look',
      [
        [0, nothing, ['7']],
        [
          60,
          (root) =>
            [end('7'), start('8')].forEach((step) => {
              step(root);
            }),
          ['8'],
        ],
      ],
    ],
    [
      'one that takes its time to start anew, for three minutes',
      [
        [0, nothing, ['7']],
        [60, end('7'), []],
        [120, start('8'), ['8']],
      ],
    ],
    [
      'one that comes after that, only with the next look at all',
      [
        [0, nothing, ['7']],
        [60, end('7'), []],
        [181, start('8'), []],
        [500, nothing, ['8']],
      ],
    ],
    ['both, where two run', [[0, start('12'), ['7', '12']]]],
  ];
  for (const [name, steps] of cases)
    it(name, () => {
      const root = machineWith({ '7/comm': 'tuned\n', '9/comm': 'bash\n', 'self/comm': 'tuned\n' });
      let now = 0;
      const processes = createProcesses(root, new Set(['tuned']), () => now);
      for (const [seconds, change, told] of steps) {
        now += seconds * 1000;
        change(root);
        assert.deepEqual(
          [...processes().of('tuned')].sort((a, b) => Number(a) - Number(b)),
          told,
        );
      }
      assert.deepEqual(processes().of('bash'), [], 'nobody asked for it');
    });
});
