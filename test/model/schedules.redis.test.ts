import { describe, it } from 'node:test';
import { NO_REDIS } from '../support/redis.ts';
import { redisGround } from '../support/schedule/store.ts';
import { randomSchedules } from '../support/schedule/run.ts';

describe('a fleet on Redis', { skip: NO_REDIS }, () => {
  it('keeps all laws in any schedule, and comes to what Git asks once faults stop', () =>
    randomSchedules(redisGround, 5));
});
