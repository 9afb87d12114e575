import { isEmptied } from '../../model/notice.ts';
import type { Draining } from '../../model/notice.ts';
import { refOf } from '../../model/ref.ts';
import type { Placement } from '../../model/replica.ts';
import { counted } from '../../model/words.ts';
import { WAITS_FOR_TURN } from '../../place/drain.ts';
import type { Told } from './telling.ts';

/** What became of drains from one pass to the next, as events: each once, whoever leads by then. */
export function drainEvents(
  before: readonly Draining[],
  after: readonly Draining[],
  placements: ReadonlyMap<string, Placement>,
): readonly Told[] {
  const known = new Map(before.map((drain) => [drain.host, drain]));
  const now = new Set(after.map(({ host }) => host));
  const undone = before.filter(({ host }) => !now.has(host));
  return [
    ...after.flatMap((drain) => hostEvents(known.get(drain.host), drain, placements)),
    ...undone.map((drain) => undoneEvent(drain)),
  ];
}

function leftOn({ staying, leaving }: Draining): readonly string[] {
  return [...staying.map(({ replica }) => replica), ...leaving];
}

function hostEvents(
  last: Draining | undefined,
  drain: Draining,
  placements: ReadonlyMap<string, Placement>,
): readonly Told[] {
  const { host } = drain;
  const ref = refOf('host', host);
  const left = leftOn(drain);
  const begun = `${host} is drained: ${counted(left.length, 'replica')} to go`;
  const started: Told = { level: 'info', reason: 'DrainStarted', ref, message: begun };
  const done: Told = { level: 'info', reason: 'DrainDone', ref, message: `${host} is drained: nothing is left on it` };
  const emptied = isEmptied(drain) && (last === undefined || !isEmptied(last));
  return [
    ...(last || left.length === 0 ? [] : [started]),
    ...(last ? leftOn(last) : []).filter((id) => !left.includes(id)).flatMap((id) => movedEvent(id, host, placements)),
    ...blockedEvents(last, drain),
    ...(emptied ? [done] : []),
  ];
}

/** One that Git no longer asks for has moved nowhere. */
function movedEvent(replica: string, from: string, placements: ReadonlyMap<string, Placement>): readonly Told[] {
  const home = placements.get(replica);
  if (!home || home.host === from) return [];
  const message = `${replica} moved from ${from}, which is drained, to ${home.host} with its address ${home.address}`;
  return [{ level: 'info', reason: 'ReplicaMoved', ref: refOf('replica', replica), message }];
}

function blockedEvents(last: Draining | undefined, { host, staying }: Draining): readonly Told[] {
  const told = new Map(last?.staying.map(({ replica, why }) => [replica, why]));
  return staying
    .filter(({ replica, why }) => !why.startsWith(WAITS_FOR_TURN) && told.get(replica) !== why)
    .map(({ replica, why }) => ({
      level: 'warn',
      reason: 'DrainBlocked',
      ref: refOf('replica', replica),
      message: `${replica} stays on ${host}, which is drained: ${why}`,
    }));
}

function undoneEvent(drain: Draining): Told {
  const { host } = drain;
  const left = leftOn(drain).length;
  const message = `Git no longer drains ${host}; ${left === 0 ? 'nothing was left on it' : `${counted(left, 'replica')} had not gone`}`;
  return { level: 'info', reason: 'DrainUndone', ref: refOf('host', host), message };
}
