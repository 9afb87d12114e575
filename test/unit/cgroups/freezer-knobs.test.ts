import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FREEZER_KNOBS, isFreezer, standsStill } from '../../../providers/cgroups/freezer.ts';
import { PAUSED, type Raw, type Wanted } from '../../../providers/cgroups/knob.ts';
import { limits } from '../../support/cgroup-tree.ts';

const { replica: _replica, ...usual } = limits('web-0');
const [v1, v2] = FREEZER_KNOBS;

/** What the kernel says, what Docker says, and what is wanted; whether that is right, and what is written where it is not. */
const cases: readonly {
  readonly file: string;
  readonly text: string;
  readonly paused: boolean;
  readonly frozen: boolean;
  readonly still: boolean;
  readonly accepts: boolean;
}[] = [
  // Docker's word is as wanted: the kernel is to be so as well
  { file: 'freezer.state', text: 'THAWED', paused: false, frozen: false, still: false, accepts: true },
  { file: 'freezer.state', text: 'FROZEN', paused: false, frozen: false, still: true, accepts: false },
  { file: 'freezer.state', text: 'FREEZING', paused: false, frozen: false, still: true, accepts: false },
  { file: 'freezer.state', text: 'FROZEN', paused: true, frozen: true, still: true, accepts: true },
  { file: 'freezer.state', text: 'FREEZING', paused: true, frozen: true, still: true, accepts: true },
  { file: 'freezer.state', text: 'THAWED', paused: true, frozen: true, still: false, accepts: false },
  { file: 'cgroup.freeze', text: '0', paused: false, frozen: false, still: false, accepts: true },
  { file: 'cgroup.freeze', text: '1', paused: false, frozen: false, still: true, accepts: false },
  { file: 'cgroup.freeze', text: '1', paused: true, frozen: true, still: true, accepts: true },
  { file: 'cgroup.freeze', text: '0', paused: true, frozen: true, still: false, accepts: false },
  // it is not: that comes first, whatever the kernel says
  { file: 'freezer.state', text: 'FROZEN', paused: true, frozen: false, still: true, accepts: true },
  { file: 'freezer.state', text: 'THAWED', paused: false, frozen: true, still: false, accepts: true },
  { file: 'cgroup.freeze', text: '1', paused: true, frozen: false, still: true, accepts: true },
  { file: 'cgroup.freeze', text: '0', paused: false, frozen: true, still: false, accepts: true },
];

describe('the knobs of the freezer', () => {
  for (const { file, text, paused, frozen, still, accepts } of cases)
    it(`${file} ${text}${paused ? ', paused by Docker,' : ''} where it is to ${frozen ? 'stand still' : 'go on'}`, () => {
      const knob = file === 'freezer.state' ? v1 : v2;
      const raw: Raw = { [file]: text, ...(paused ? { [PAUSED]: '' } : {}) };
      const want: Wanted = { ...usual, ...(frozen ? { frozen } : {}) };
      assert.equal(knob?.decode(raw), still ? true : undefined);
      assert.equal(knob?.accepts(want, raw), accepts);
    });

  it('say what is written to which file', () => {
    const written = FREEZER_KNOBS.flatMap((knob) =>
      [true, false].map((frozen) => knob.encode({ ...usual, ...(frozen ? { frozen } : {}) }, {}, 'quadratic')),
    );
    assert.deepEqual(written, [
      [{ file: 'freezer.state', value: 'FROZEN' }],
      [{ file: 'freezer.state', value: 'THAWED' }],
      [{ file: 'cgroup.freeze', value: '1' }],
      [{ file: 'cgroup.freeze', value: '0' }],
    ]);
    assert.deepEqual(['freezer.state', 'cgroup.freeze', 'cgroup.events', 'cpu.weight'].map(isFreezer), [
      true,
      true,
      false,
      false,
    ]);
  });

  it('tell of v1 whether nothing in it can die, which v2 does not keep from it', () => {
    const states = ['THAWED', 'FREEZING', 'FROZEN'].map((text) => standsStill({ 'freezer.state': text }));
    assert.deepEqual(states, [false, true, true]);
    assert.deepEqual([standsStill({ 'cgroup.freeze': '1' }), standsStill({}), standsStill()], [false, false, false]);
  });
});
