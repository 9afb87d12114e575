import type { Catalog } from '../../model/catalog.ts';
import { fateOf } from '../../model/fate.ts';
import type { Notice, Preemption } from '../../model/notice.ts';
import { refOf } from '../../model/ref.ts';
import { appOf } from '../../model/replica.ts';
import type { Placement } from '../../model/replica.ts';
import type { Unplaceable } from '../../place/run.ts';
import type { Told } from './telling.ts';

type Placements = ReadonlyMap<string, Placement>;

/** How far one is: the host is to stop it, the other one has its place, or it keeps its place after all. */
function stageOf({ replica, host, by }: Preemption, placements: Placements): 'begun' | 'done' | 'withdrawn' {
  const now = placements.get(replica);
  if (now?.host === host) return now.yields === by ? 'begun' : 'withdrawn';
  return placements.get(by)?.host === host ? 'done' : 'withdrawn';
}

const keyOf = ({ replica, host, by }: Preemption): string => `${replica} ${host} ${by}`;

/** Those of before and those of a pass, each once. */
function together(before: readonly Preemption[], made: readonly Preemption[]): readonly Preemption[] {
  return [...new Map([...made, ...before].map((one) => [keyOf(one), one])).values()];
}

const isWanted = ({ replica }: Preemption, catalog: Catalog): boolean =>
  fateOf({ replica, app: appOf(replica) }, catalog, new Map()) === 'wanted';

/** What is to be told from now on, once a pass has been committed: who is being stopped, and who has found no other place yet. */
export function preemptionsAfter(
  before: readonly Preemption[],
  made: readonly Preemption[],
  placements: Placements,
  catalog: Catalog,
): readonly Preemption[] {
  return together(before, made)
    .flatMap(({ done: _done, ...one }): readonly Preemption[] => {
      const stage = stageOf(one, placements);
      if (stage === 'begun') return [one];
      const waits = stage === 'done' && isWanted(one, catalog) && !placements.has(one.replica);
      return waits ? [{ ...one, done: true }] : [];
    })
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** `db-0 (level 0)`. */
function named(replica: string, { apps }: Catalog): string {
  const level = apps.get(appOf(replica))?.spec.level;
  return level === undefined ? replica : `${replica} (level ${String(level)})`;
}

/** One in words: who gives a place to whom, and where it goes. */
export function preemptionText(one: Preemption, placements: Placements, catalog: Catalog): string {
  const { replica, host, by } = one;
  const home = placements.get(replica);
  const ends = { begun: 'is stopped first', withdrawn: 'keeps it', done: 'waits for another' };
  const stage = stageOf(one, placements);
  const end = home && stage === 'done' ? `moves to ${home.host} with its address ${home.address}` : ends[stage];
  return `${named(replica, catalog)} gives its place on ${host} to ${named(by, catalog)} and ${end}`;
}

/** What became of them from one pass to the next, as events: each once, whoever leads by then. */
export function preemptionEvents(
  before: readonly Preemption[],
  made: readonly Preemption[],
  placements: Placements,
  catalog: Catalog,
): readonly Told[] {
  const known = new Map(before.map((one) => [keyOf(one), one.done ? 'done' : 'begun']));
  return together(before, made).flatMap((one): readonly Told[] => {
    const stage = stageOf(one, placements);
    const last = known.get(keyOf(one));
    if (stage === last || last === 'done' || !isWanted(one, catalog)) return [];
    const { replica, host, by } = one;
    const ref = refOf('replica', replica);
    if (stage === 'begun') {
      const message = `${named(replica, catalog)} is stopped on ${host}: ${named(by, catalog)} finds no other place`;
      return [{ level: 'warn', reason: 'Preempting', ref, message }];
    }
    if (stage === 'done')
      return [{ level: 'warn', reason: 'Preempted', ref, message: preemptionText(one, placements, catalog) }];
    const message = `${named(replica, catalog)} keeps its place on ${host}: ${by} needs it no more`;
    return placements.get(replica)?.host === host
      ? [{ level: 'info', reason: 'PreemptionWithdrawn', ref, message }]
      : [];
  });
}

/** Why a replica has no place, and who has the one that it had. */
export function withTaker<T extends { readonly replica: string; readonly message: string }>(
  homeless: T,
  preemptions: readonly Preemption[],
  catalog: Catalog,
): T {
  const { replica, message } = homeless;
  const taken = preemptions.find((one) => one.replica === replica && one.done);
  if (!taken) return homeless;
  return { ...homeless, message: `${message}. Its place on ${taken.host} went to ${named(taken.by, catalog)}` };
}

/** What found no place, for the Notice. */
export function homelessIn(
  unplaceable: readonly Unplaceable[],
  preemptions: readonly Preemption[],
  catalog: Catalog,
): Notice['unplaceable'] {
  return unplaceable.map(({ replica, app, message }) => {
    const zone = catalog.apps.get(app)?.spec.zone ?? '';
    return withTaker({ replica, message, zone }, preemptions, catalog);
  });
}

/** Apps that are looked at, and those that make room for them: a pass comes to them by that. */
export function withVictims(apps: ReadonlySet<string>, preemptions: readonly Preemption[]): ReadonlySet<string> {
  const victims = preemptions.filter(({ by }) => apps.has(appOf(by))).map(({ replica }) => appOf(replica));
  return new Set([...apps, ...victims]);
}
