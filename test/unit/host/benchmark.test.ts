import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { benchPatch, benchText, warningsOf } from '../../../cli/host-bench.ts';
import { hostCommand } from '../../../cli/verbs/host.ts';
import { measurePerformance, REFERENCE, type Performance } from '../../../providers/host/benchmark/benchmark.ts';
import type { Took } from '../../../providers/host/benchmark/work.ts';
import { work } from '../../../providers/host/benchmark/work.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import { SOUND, sourceFiles } from '../../support/manifests.ts';
import { speak } from '../../support/verb.ts';

const signal = AbortSignal.timeout(600_000);
const took = (times: number): Took => ({ integer: REFERENCE.integer * times, memory: REFERENCE.memory * times });

/** Measures with work that takes as long as it is told; each call of it takes a second. */
async function measured(on: (cpu: number | undefined) => Promise<readonly Took[]>, ms: number) {
  let now = 0;
  const asked: (number | undefined)[] = [];
  const found = await measurePerformance({
    ms,
    signal,
    now: () => now,
    workOn: (cpu) => {
      now += 1000;
      asked.push(cpu);
      return on(cpu);
    },
  });
  return { found, asked };
}

describe('what a core does', () => {
  it('is 1 on the reference machine, and half where all takes twice as long', async () => {
    assert.equal((await measured(() => Promise.resolve([took(1), took(1)]), 1000)).found.factor, 1);
    const { found } = await measured(() => Promise.resolve([took(2)]), 5000);
    assert.deepEqual([found.factor, found.integer, found.memory, found.spread], [0.5, 0.5, 0.5, 0]);
  });

  it('is the median: one run that something else disturbed changes nothing but the spread', async () => {
    const { found } = await measured(() => Promise.resolve([took(1), took(1), took(4)]), 1000);
    assert.equal(found.factor, 1);
    assert.ok(found.spread > 0.5, String(found.spread));
    assert.match(warningsOf(found, {}).join(), /runs differ by/);
  });

  it('weighs integer and memory work alike', async () => {
    const { found } = await measured(
      () => Promise.resolve([{ integer: REFERENCE.integer / 4, memory: REFERENCE.memory }]),
      1,
    );
    assert.deepEqual([found.factor, found.integer, found.memory], [2, 4, 1]);
  });

  it('is measured on one core after the other until the time is over', async () => {
    const { found, asked } = await measured(() => Promise.resolve([took(1)]), 20_000);
    assert.ok(asked.length >= 20 && asked.every((cpu) => cpu !== undefined), asked.join());
    assert.equal(found.runs, asked.length);
  });

  it('is measured without a core of its own where nothing can keep it there', async () => {
    const none = Object.assign(new Error('no taskset'), { code: 'ENOENT' });
    const { found } = await measured(
      (cpu) => (cpu === undefined ? Promise.resolve([took(1)]) : Promise.reject(none)),
      1,
    );
    assert.deepEqual([found.kept, found.factor], [false, 1]);
    assert.match(warningsOf(found, {}).join(), /no taskset/);
  });

  it('comes of work that is really done', () => {
    const [{ integer, memory } = { integer: 0, memory: 0 }] = work(1);
    assert.ok(integer > 0 && memory > 0);
  });
});

const FOUND: Performance = {
  factor: 1.25,
  integer: 1.3,
  memory: 1.2,
  spread: 0.02,
  runs: 12,
  cpus: { 0: 1.2, 1: 1.3 },
  kept: true,
};

describe('plumb host bench', () => {
  it('doubts a machine that saves power, and cores that differ', () => {
    assert.deepEqual(
      warningsOf(FOUND, { governors: ['performance'], bias: [0], preferences: ['balance_performance'] }),
      [],
    );
    assert.match(warningsOf(FOUND, { governors: ['powersave'] }).join(), /saves power \(governor powersave\)/);
    assert.match(
      warningsOf(FOUND, { preferences: ['balance_power'], bias: [15] }).join(),
      /preference balance_power, energy bias 15/,
    );
    assert.match(warningsOf({ ...FOUND, cpus: { 0: 1.2, 1: 0.6 } }, {}).join(), /cores differ, from 0\.6 to 1\.2/);
  });

  it('gives what makes the field of the Host document', () => {
    const host = benchPatch(FOUND, 'fresh');
    const { problems, hosts } = compile(sourceFiles({ ...SOUND, 'fresh.yaml': host }), 'r1');
    assert.deepEqual([problems, hosts.get('fresh')?.spec.performance], [[], 1.25]);
    const text = benchText(FOUND, { reference: 'such a one', warnings: ['w'], patch: host }, { color: false });
    assert.match(
      text,
      /^performance 1\.25\n {2}integer 1\.3, memory 1\.2: median of 12 runs on 2 cores, one at a time\n/,
    );
    assert.match(text, /\nwarning: w\n\n# made by .*\n(.*\n)*spec:\n {2}performance: 1\.25\n$/);
  });

  it('takes a second to a minute', async () => {
    for (const seconds of ['0', '61', 'x'])
      await assert.rejects(speak(hostCommand, '/tmp', 'bench', '--seconds', seconds), /whole seconds, 1 to 60/);
  });
});
