import type { Placement } from '../model/replica.ts';
import { waitsFor } from '../model/handover.ts';
import type { HostWords } from '../model/handover.ts';
import type { Draining } from '../model/notice.ts';
import { drainedIn } from './hosts.ts';
import type { Run, Unplaceable } from './run.ts';
import { byReplica } from './order.ts';
import { turnText } from './turn-text.ts';

/** What is said first of a replica that will go by itself. */
export const WAITS_FOR_TURN = 'waits for its turn';

/** What of a run keeps a replica on a host that is drained. */
function why(
  { survey }: Run,
  { replica, app }: Placement,
  refused: ReadonlyMap<string, string>,
  ids: Readonly<Record<'kept' | 'going', ReadonlySet<string>>>,
  turnOf: (app: string) => string,
): string {
  if (ids.kept.has(replica)) return 'errors in the repository forbid to touch it';
  if (ids.going.has(replica)) return 'Git no longer asks for it; it goes when nothing of it runs';
  const reason = survey.stuck.get(replica) ?? refused.get(replica);
  if (reason !== undefined) return reason;
  return `${WAITS_FOR_TURN}: ${turnOf(app)}`;
}

/** How far each host is that is drained, after what the run proposes. */
export function drainsOf(run: Run, unplaceable: readonly Unplaceable[], words: HostWords): readonly Draining[] {
  const { book, input, survey } = run;
  const drained = drainedIn(input.catalog);
  if (drained.size === 0) return [];
  const refused = new Map(unplaceable.map(({ replica, message }) => [replica, message]));
  const set = (list: readonly Placement[]): ReadonlySet<string> => new Set(list.map(({ replica }) => replica));
  const fates = { kept: set(survey.kept), going: set(survey.leaving) };
  // all that is on a drained host, or comes from one, is being looked at
  const placed = survey.apps.flatMap((app) => survey.witness.whereabouts.placed(app).values());
  const wishes = [...survey.wanted.values()].flat();
  const ids = new Set([...wishes, ...placed, ...survey.kept, ...survey.leaving].map(({ replica }) => replica));
  const turns = new Map<string, string>();
  const turnOf = (name: string): string => {
    const app = input.catalog.apps.get(name);
    const text = turns.get(name) ?? (app ? turnText(run, app) : `App ${name} cannot be read`);
    turns.set(name, text);
    return text;
  };
  const all = [...ids].flatMap((replica) => book.placements.get(replica) ?? []).sort(byReplica);
  return [...drained].sort().map((host) => ({
    host,
    staying: all
      .filter((placement) => placement.host === host)
      .map((placement) => ({ replica: placement.replica, why: why(run, placement, refused, fates, turnOf) })),
    leaving: leavingFrom(host, all, book.placements, words),
    ...(words.reports.has(host) ? {} : { unheard: true }),
  }));
}

/** Who waits for a host to let go, and what it says it runs though nobody placed it there: a store that was emptied does not know all at first. */
function leavingFrom(
  host: string,
  looked: readonly Placement[],
  placements: ReadonlyMap<string, Placement>,
  words: HostWords,
): readonly string[] {
  const waiting = looked.filter((placement) => placement.from === host && waitsFor(placement, words) === host);
  const running = (words.reports.get(host)?.replicas ?? []).filter(
    ({ phase }) => phase !== 'Placed' && phase !== 'Gone',
  );
  const strange = running.filter(({ id }) => placements.get(id)?.host !== host);
  return [...new Set([...waiting.map(({ replica }) => replica), ...strange.map(({ id }) => id)])];
}
