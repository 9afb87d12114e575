import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStops } from '../../../providers/containers/stops.ts';
import type { DockerEvent } from '../../../providers/containers/wire.ts';
import { LABELS } from '../../../reconciler/model/resources.ts';

const event = (action: string, attributes: Readonly<Record<string, string>> = {}): DockerEvent => ({
  type: 'container',
  action,
  id: 'c1',
  attributes,
  time: 1,
  at: 1000,
});
const kill = (signal: number, stop?: string): DockerEvent =>
  event('kill', { signal: String(signal), ...(stop === undefined ? {} : { [LABELS.stop]: stop }) });

describe('a container that somebody has told to end', () => {
  const cases: readonly { readonly name: string; readonly heard: readonly DockerEvent[]; readonly stops: boolean }[] = [
    { name: 'SIGTERM where it says nothing else', heard: [kill(15)], stops: true },
    { name: 'its own signal', heard: [kill(2, 'SIGINT 3000')], stops: true },
    { name: 'a signal of real time', heard: [kill(37, 'SIGRTMIN+3 3000')], stops: true },
    { name: 'the signal that nothing withstands', heard: [kill(9, 'SIGINT 3000')], stops: true },
    { name: 'SIGTERM where it ends by another', heard: [kill(15, 'SIGINT 3000')], stops: false },
    { name: 'a signal that ends nothing', heard: [kill(1)], stops: false },
    { name: 'nothing', heard: [event('unpause'), event('update')], stops: false },
    { name: 'and it has ended', heard: [kill(15), event('die')], stops: false },
    { name: 'and it was started again', heard: [kill(15), event('start')], stops: false },
    { name: 'and it is gone', heard: [kill(15), event('destroy')], stops: false },
    { name: 'and goes on by that', heard: [kill(15), event('unpause')], stops: true },
  ];
  for (const { name, heard, stops } of cases)
    it(`by ${name}`, () => {
      const one = createStops(() => 0);
      for (const each of heard) one.note(each);
      assert.deepEqual([one.has('c1'), one.has('c2')], [stops, false]);
    });

  it('is one for as long as it may take to end', () => {
    let now = 0;
    const one = createStops(() => now);
    one.note(kill(15, 'SIGTERM 3000'));
    now = 7_999;
    assert.equal(one.has('c1'), true);
    now = 8_000;
    assert.equal(one.has('c1'), false);
  });
});
