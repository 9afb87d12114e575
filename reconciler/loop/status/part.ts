import { isEmptied } from '../../model/notice.ts';
import { nameOf } from '../../model/ref.ts';
import type { Stage } from '../../model/release.ts';
import { appOf } from '../../model/replica.ts';
import type { HostStatus, Status, StatusItem } from './status.ts';
import { worst } from './verdict.ts';

/** What a part of a status is about: an App, or hosts, which may be all of a Zone. */
type Part = { readonly app: string } | { readonly hosts: readonly HostStatus[]; readonly zone?: string };

/** A rollout that was given up. */
const GIVEN_UP: ReadonlySet<Stage> = new Set<Stage>(['stopped', 'reverting', 'reverted']);

const WORDS = /[a-z0-9-]+/g;

const zonesIn = (hosts: readonly HostStatus[]): readonly string[] => hosts.map(({ zone }) => zone);

/** A status of some items only, with what it says of their hosts and Apps. */
export function narrowed(status: Status, items: readonly StatusItem[], part: Part): Status {
  const apps = new Set(items.map(({ ref }) => appOf(nameOf(ref))));
  const hosts =
    'hosts' in part ? part.hosts : status.hosts.filter(({ host }) => items.some((item) => item.host === host));
  const names = new Set([...hosts.map(({ host }) => host), ...apps, ...('zone' in part ? [part.zone] : [])]);
  const about = (text: string): boolean =>
    (text.match(WORDS) ?? []).some((word) => names.has(word) || apps.has(appOf(word)));
  const on = new Set(hosts.map(({ host }) => host));
  const rollouts = status.rollouts?.filter(({ app }) => apps.has(app)) ?? [];
  const conflicts = status.conflicts?.filter(({ host, ref }) =>
    'app' in part ? apps.has(appOf(nameOf(ref))) : on.has(host),
  );
  const behind = status.behind?.filter(({ app }) => apps.has(app)) ?? [];
  const { rollouts: _all, conflicts: _others, behind: _more, ...rest } = status;
  const own = {
    held: status.held.filter((text) => about(text) || zonesIn(hosts).some((zone) => text.match(WORDS)?.includes(zone))),
    draining: 'app' in part ? [] : status.draining.filter(({ host }) => on.has(host)),
    limitations: status.limitations.filter(({ host, ref }) =>
      'app' in part ? apps.has(appOf(nameOf(ref))) : on.has(host),
    ),
  };
  // an App's own replicas say how it does; of a part of the fleet its hosts count as well
  const ill = 'app' in part ? [] : part.hosts.filter(({ lost, stalled }) => lost ?? stalled);
  const drained = own.draining.every(isEmptied);
  // what fails on a host is not as Git says, nor is anything known to be that while Git cannot be followed
  const waits = rollouts.length + behind.length + own.held.length + ill.length > 0;
  const busy = 'hosts' in part && part.hosts.some((host) => host.busy);
  const pending = waits || busy || !drained || status.failing !== undefined;
  const unsynced = items.some(({ sync }) => sync !== 'Synced') || pending;
  const silent = status.silence !== undefined;
  const unknown = silent || items.some(({ sync }) => sync === 'Unknown') || ill.some(({ lost }) => lost);
  const failed = silent || ill.length > 0 || rollouts.some(({ stage }) => GIVEN_UP.has(stage));
  return {
    ...rest,
    ...own,
    sync: unknown ? 'Unknown' : unsynced ? 'OutOfSync' : 'Synced',
    health: failed ? 'Degraded' : worst(items),
    items,
    hosts,
    messages: status.messages.filter(about),
    ...(rollouts.length > 0 ? { rollouts } : {}),
    ...(behind.length > 0 ? { behind } : {}),
    ...(conflicts === undefined || conflicts.length === 0 ? {} : { conflicts }),
  };
}
