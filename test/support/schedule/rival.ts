import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import { catalogAt, HOSTS, revisionAt, type FleetGit } from './git.ts';
import type { Ground } from './store.ts';

/** Which of several schedulers it is. */
interface Which {
  readonly id: string;
  readonly at: number;
  readonly count: number;
}

/**
 * A scheduler that leads nothing looks at the store and decides where replicas of some of the Apps go; what it gives commits that. Of
 * several each has Apps of its own, so that they want the same room and the same addresses for different replicas.
 */
export async function rival(
  ground: Ground,
  git: FleetGit,
  now: number,
  { id, at, count }: Which,
): Promise<() => Promise<void>> {
  const store = await ground.open(`rival-${String(at)}`);
  const { reservations, mailbox } = store;
  const [snapshot, reports] = await Promise.all([reservations.snapshot(), mailbox.reports(HOSTS)]);
  const told = await Promise.all(HOSTS.map((host) => mailbox.assignment(host)));
  const assignments = told.filter((one) => one !== undefined);
  const all = catalogAt(git.head(), revisionAt(git.revisions.length - 1));
  const catalog = { ...all, apps: new Map([...all.apps].filter((_app, index) => index % count === at)) };
  const hosts = hostViews(catalog, reports, snapshot);
  const { proposals } = place({ catalog, snapshot, hosts, reports, assignments, now });
  const places = proposals.filter(({ op }) => op === 'place');
  return async () => {
    if (places.length > 0) await reservations.commit({ id: `${id}-${String(at)}`, now, proposals: places });
    await store.close();
  };
}
