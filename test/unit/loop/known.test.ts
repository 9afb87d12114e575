import assert from 'node:assert/strict';
import { it } from 'node:test';
import { knownOf } from '../../../reconciler/loop/control.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Placement } from '../../../reconciler/model/replica.ts';
import type { Snapshot } from '../../../reconciler/model/reservations.ts';
import type { Bulletin, Mailbox, Reservations } from '../../../reconciler/model/store.ts';
import { assignedTo, assignmentOf } from '../../support/assigned.ts';

const [replica] = assignedTo('h1', 1);
const home = replica?.placement ?? assert.fail();
const moved: Placement = { ...home, host: 'h2', epoch: 2 };
const at = (placement: Placement, cursor: number): Snapshot => ({
  ...{ cursor, hosts: new Map(), addresses: new Map() },
  placements: new Map([['web-0', placement]]),
});

/** What is known of a fleet in which web-0 moves from h1 to h2 while the mail is read. */
async function known(kept: boolean): Promise<{ readonly asked: readonly string[]; readonly snapshot: Snapshot }> {
  const asked: string[] = [];
  let hasMoved = false;
  const reservations: Pick<Reservations, 'snapshot' | 'since'> = {
    snapshot: () => {
      asked.push('reservations');
      return Promise.resolve(hasMoved ? at(moved, 2) : at(home, 1));
    },
    since: (cursor) => {
      assert.equal(cursor, 1);
      if (!kept) return Promise.reject(new PlumbError('CONFLICT', 'not kept any more'));
      return Promise.resolve([
        { cursor: 2, deltas: [{ type: 'placement', replica: 'web-0', placement: moved } as const] },
      ]);
    },
  };
  const mailbox: Pick<Mailbox, 'reporting' | 'reports' | 'assignments'> = {
    reporting: () => Promise.resolve(['h1', 'h2']),
    reports: () => Promise.resolve([]),
    assignments: () => {
      asked.push('mail');
      hasMoved = true;
      return Promise.resolve([assignmentOf('h2', 1, 1)]);
    },
  };
  const bulletin: Pick<Bulletin, 'read'> = {
    read: () => {
      asked.push('bulletin');
      return Promise.resolve(undefined);
    },
  };
  const { snapshot } = await knownOf({
    reservations: reservations as Reservations,
    mailbox: mailbox as Mailbox,
    bulletin: bulletin as Bulletin,
  });
  return { asked, snapshot };
}

it('what is known of placements is no older than what hosts were told, and what was last said of the whole no newer', async () => {
  const { asked, snapshot } = await known(true);
  assert.deepEqual(asked, ['bulletin', 'reservations', 'mail']);
  assert.deepEqual([snapshot.cursor, snapshot.placements.get('web-0')], [2, moved]);
});

it('placements are read anew where what was committed meanwhile is not kept any more', async () => {
  const { snapshot } = await known(false);
  assert.deepEqual([snapshot.cursor, snapshot.placements.get('web-0')], [2, moved]);
});
