import type { Draining } from '../model/notice.ts';
import { appOf } from '../model/replica.ts';
import { drainsOf } from './drain.ts';
import { preemptionsOf } from './place.ts';
import { wordsOf } from './witness.ts';
import type { PlaceInput } from './input.ts';
import { startRun } from './run.ts';
import { turnsLeft } from './seat.ts';
import { trial } from './trial.ts';
import { turnText } from './turn-text.ts';

/** Where a drain of a host would lead. */
export interface Foreseen extends Pick<Draining, 'staying' | 'leaving' | 'unheard'> {
  readonly moves: readonly { readonly replica: string; readonly to: string }[];
  /** Apps whose replicas wait for their turn now: as many are away as may be. */
  readonly waits: readonly { readonly app: string; readonly why: string }[];
  /** Less critical ones that make room for those that move: where they go themselves, if they find a place. */
  readonly displaced: readonly { readonly replica: string; readonly by: string; readonly to?: string }[];
}

/** The Apps of some replicas that serve and of which none may be taken away now, and why. */
function waitsIn(input: PlaceInput, replicas: ReadonlySet<string>): Foreseen['waits'] {
  const run = startRun(input);
  const wishes = [...run.survey.wanted.values()].flat();
  const serving = wishes.filter(({ replica, moves }) => moves === 'in turn' && replicas.has(replica));
  const apps = new Set(serving.map(({ replica }) => appOf(replica)));
  return [...apps].flatMap((name) => {
    const app = input.catalog.apps.get(name);
    return app && turnsLeft(run, app) === 0 ? [{ app: name, why: turnText(run, app) }] : [];
  });
}

/** What would become of a host that is drained: all turns taken, by a dry run of `place`. */
export function foreseeDrain(input: PlaceInput, host: string): Foreseen {
  const { catalog, snapshot } = input;
  const before = catalog.hosts.get(host);
  if (!before) return { moves: [], waits: [], staying: [], leaving: [], displaced: [] };
  const drained = { ...before, spec: { ...before.spec, drain: true } };
  const next: PlaceInput = {
    ...input,
    catalog: { ...catalog, hosts: new Map([...catalog.hosts, [host, drained]]) },
    hosts: input.hosts.map((view) =>
      view.record.host === host ? { ...view, record: { ...view.record, state: 'closed' } } : view,
    ),
  };
  const { run, unplaceable } = trial(next, { within: catalog });
  const moves = [...snapshot.placements.values()].flatMap(({ replica, host: from }) => {
    const to = run.book.placements.get(replica)?.host;
    return from === host && to !== undefined && to !== host ? [{ replica, to }] : [];
  });
  const mine = drainsOf(run, unplaceable, wordsOf(input)).find((one) => one.host === host);
  const moved = new Set(moves.map(({ replica }) => replica));
  const displaced = preemptionsOf(run).flatMap(({ replica, by }) => {
    const to = run.book.placements.get(replica)?.host;
    return moved.has(by) ? [{ replica, by, ...(to === undefined ? {} : { to }) }] : [];
  });
  const { staying = [], leaving = [], unheard } = mine ?? {};
  const gone = leaving.filter((replica) => !moved.has(replica));
  return { moves, waits: waitsIn(next, moved), staying, leaving: gone, displaced, ...(unheard ? { unheard } : {}) };
}
