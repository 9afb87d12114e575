import { describe, it } from 'node:test';
import { embeddedGround } from '../support/schedule/store.ts';
import { randomSchedules } from '../support/schedule/run.ts';

describe('a fleet on the embedded store', () => {
  it('keeps all laws in any schedule, and comes to what Git asks once faults stop', () =>
    randomSchedules(embeddedGround(), 10));
});
