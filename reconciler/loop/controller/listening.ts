import type { LostHost } from '../../model/notice.ts';
import type { Store } from '../../model/store.ts';
import { createHearing, HEARTBEAT } from '../hearing.ts';
import type { Telling } from './telling.ts';

/** Listens for the hosts of a fleet, and tells who is lost or back. */
export interface Listening {
  /** Listens for these hosts, or again for those of before; gives whether another host is lost or back. */
  listen(hosts?: readonly string[]): Promise<boolean>;
  /** Whether it is time to listen again. */
  isDue(): boolean;
  /** Another has led by now: what that one knew of lost hosts is taken over with the next look. */
  takeOver(): void;
  /** The store may have lost what it had: no lease that is missing says that a host is lost, for a while. */
  anew(): void;
  readonly lost: () => readonly LostHost[];
}

/** Has heard nobody yet: whom the last leader took for lost is lost until he is heard of. */
export function createListening(
  { leases, bulletin }: Pick<Store, 'leases' | 'bulletin'>,
  clock: () => number,
  telling: Pick<Telling, 'hosts'>,
): Listening {
  const hearing = createHearing(leases, clock);
  let expected: readonly string[] = [];
  let adopted = false;
  let heardAt = -Infinity;
  const names = (): readonly string[] => hearing.lost().map(({ host }) => host);
  return {
    listen: async (hosts = expected) => {
      expected = hosts;
      if (!adopted) hearing.adopt((await bulletin.read())?.lost ?? []);
      adopted = true;
      // who left the fleet is not heard of again
      const asked = new Set(expected);
      const before = names().filter((host) => asked.has(host));
      const changed = await hearing.listen(expected);
      heardAt = clock();
      await telling.hosts(before, names());
      return changed;
    },
    takeOver: () => {
      adopted = false;
      heardAt = -Infinity;
    },
    anew: () => {
      hearing.anew();
    },
    isDue: () => clock() - heardAt >= HEARTBEAT,
    lost: () => hearing.lost(),
  };
}
