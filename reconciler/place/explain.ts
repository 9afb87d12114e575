import type { AppSpec, Resource } from '../model/catalog.ts';
import { sharingText } from '../model/cores.ts';
import { ordinalOf } from '../model/replica.ts';
import type { Removal } from './filters.ts';
import { compareScores, scoreOf } from './choose.ts';
import type { Score } from './choose.ts';
import { obstacle } from './fit.ts';
import { seat } from './group.ts';
import type { Group } from './group.ts';
import { finishRun, turnsOf } from './place.ts';
import { groupIn, startRun } from './run.ts';
import type { Run } from './run.ts';
import { hasTurn, settleApp } from './seat.ts';
import { WAITS_FOR_TURN } from './drain.ts';
import { asMover } from './gang.ts';
import { keepsClaim } from './marks.ts';
import { foundOf } from './misses.ts';
import { preempt } from './preempt.ts';
import { preemptedText } from './make-room.ts';
import { noAddress, nowhere, removalsNow, removalText } from './reasons.ts';
import type { PlaceInput } from './input.ts';
import { hostName } from './table.ts';
import { turnText } from './turn-text.ts';

/** A host that can take the replica. Of the scores less is better; they are compared from left to right, then by name. */
export interface Candidate {
  readonly host: string;
  readonly score: Score;
}

/** Why a replica is where it is, or where it would go, or why nowhere. */
export interface Explanation {
  readonly replica: string;
  readonly app: string;
  /** Where it is placed now. */
  readonly host?: string;
  readonly address?: string;
  /** Where it would be placed if it were placed now. */
  readonly best?: string;
  readonly removals: readonly Removal[];
  /** The hosts that no filter removed, best first. */
  readonly candidates: readonly Candidate[];
  readonly message: string;
}

function candidates(run: Run, group: Group): readonly Candidate[] {
  const { table } = run;
  const list: Candidate[] = [];
  for (const row of group.rows) {
    if (obstacle(table, group, row) !== undefined) continue;
    list.push({ host: hostName(table, row), score: scoreOf(table, group, row) });
  }
  return list.sort((a, b) => compareScores(a.score, b.score) || (a.host < b.host ? -1 : 1));
}

function summary(
  replica: string,
  app: AppSpec,
  group: Group,
  host: string | undefined,
  best: string,
  removals: readonly Removal[],
  left: number,
  drained: boolean,
): string {
  const removed = removals.map((removal) => removalText(app, removal, group)).join(', ');
  const choice = `${String(left)} ${left === 1 ? 'host is' : 'hosts are'} left${removed === '' ? '' : ` (${removed})`}`;
  if (host === undefined) return `${replica} goes to ${best}: ${choice}, and it scores best`;
  if (drained)
    return `${replica} is on ${host}, which is drained: when its turn comes it moves to ${best} with its address: ${choice}`;
  if (host === best) return `${replica} is on ${host}: ${choice}, and it still scores best`;
  return `${replica} is on ${host} and stays there: placements are sticky. Placed now it would go to ${best}: ${choice}`;
}

/** Explains within a run that has seated all that comes before. */
function explainIn(run: Run, app: Resource<AppSpec>, replica: string): Explanation {
  const { table, book, input } = run;
  const wishes = run.survey.wanted.get(app.name) ?? [];
  const before = wishes.filter((wish) => ordinalOf(wish.replica) < ordinalOf(replica));
  for (const turns = settleApp(run, app, before); turns.next().done !== true;);
  const group = groupIn(run, app);
  const placement = book.placements.get(replica);
  const drained = placement !== undefined && input.catalog.hosts.get(placement.host)?.spec.drain === true;
  const row = placement && table.rows.get(placement.host);
  if (placement && row !== undefined) seat(table, group, row, placement.demand, -1);
  const fixed = run.candidates(app.spec);
  const found = foundOf(input.catalog, table, group, app, fixed);
  const removals = removalsNow(table, group, found.misses, fixed.removals);
  const list = candidates(run, group);
  const best = list[0]?.host;
  const pool = run.pool(app.spec.network, app.spec.zone);
  const dry = !placement && best !== undefined && pool !== undefined && pool.next() === undefined;
  const gives =
    placement?.yields === undefined ? '' : `${replica} gives its place to ${placement.yields}, which finds no other. `;
  const shares = placement && sharingText(placement, book.hosts.get(placement.host)?.threadsPerCore);
  const note = shares === undefined ? '' : `. It ${shares}`;
  const own = wishes.find((wish) => wish.replica === replica && wish.moves);
  const base = {
    replica,
    app: app.name,
    ...(placement ? { host: placement.host, address: placement.address } : {}),
    removals,
    candidates: list,
  };
  if (best === undefined) {
    const why = nowhere(input.catalog, table, group, app, fixed, found);
    if (!placement) return { ...base, ...preemptedText(why, preempt(run, app, { replica })) };
    if (row !== undefined) seat(table, group, row, placement.demand, 1);
    const may = own && (hasTurn(run, app, own) || keepsClaim(run, app, replica));
    const made = may ? preempt(run, asMover(app), own) : undefined;
    const turn = own && !may ? `, and ${WAITS_FOR_TURN}: ${turnText(run, app)}` : '';
    const text = made?.waits ?? staying(preemptedText(why, made ?? {}).message, placement.host, drained, turn);
    return { ...base, message: `${gives}${text}${note}` };
  }
  if (dry) return { ...base, message: noAddress(input.catalog, app.spec.network, pool.count(), table).message };
  const turn = own && !hasTurn(run, app, own) ? `. It ${WAITS_FOR_TURN}: ${turnText(run, app)}` : '';
  return {
    ...base,
    best,
    message: `${gives}${summary(replica, app.spec, group, placement?.host, best, removals, list.length, drained)}${turn}${note}`,
  };
}

function staying(text: string, host: string, drained: boolean, turn: string): string {
  return `It stays on ${host}${drained ? ', which is drained' : ''}${turn}. Placed now: ${text}`;
}

/** What becomes of a replica whose gang finds no place; nothing where it finds one. */
function togetherIn(input: PlaceInput, replica: string): { readonly message?: string } {
  const why = finishRun(startRun(input)).find((one) => one.replica === replica);
  return why ? { message: why.message } : {};
}

/** Tells which filter removed how many hosts for a replica, how the rest score, and what was chosen. Undefined: not wanted by any App. */
export function explain(input: PlaceInput, replica: string): Explanation | undefined {
  const cut = replica.lastIndexOf('-');
  const app = input.catalog.apps.get(replica.slice(0, cut));
  const ordinal = ordinalOf(replica);
  if (cut < 1 || !app || !Number.isInteger(ordinal) || ordinal >= app.spec.replicas) return undefined;
  for (const turn of turnsOf(startRun(input)))
    if (turn.app.name === app.name) {
      const found = explainIn(turn.run, app, replica);
      return app.spec.gang === undefined || found.host !== undefined
        ? found
        : { ...found, ...togetherIn(input, replica) };
    }
  return undefined;
}
