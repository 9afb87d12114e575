import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { sharingText } from '../model/cores.ts';
import { outdatedIn } from '../model/pool.ts';
import { ordinalOf } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
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
  leaves: Leaves | undefined,
): string {
  const removed = removals.map((removal) => removalText(app, removal, group)).join(', ');
  const choice = `${String(left)} ${left === 1 ? 'host is' : 'hosts are'} left${removed === '' ? '' : ` (${removed})`}`;
  if (host === undefined) return `${replica} goes to ${best}: ${choice}, and it scores best`;
  if (leaves?.keepsAddress)
    return `${replica} is on ${host}, ${leaves.why}: when its turn comes it moves to ${best} with its address: ${choice}`;
  if (leaves) {
    const goes = host === best ? 'it gets another address there' : `it goes to ${best} and gets another address`;
    return `${replica} is on ${host}, ${leaves.why}: when its turn comes ${goes}: ${choice}`;
  }
  if (host === best) return `${replica} is on ${host}: ${choice}, and it still scores best`;
  return `${replica} is on ${host} and stays there: placements are sticky. Placed now it would go to ${best}: ${choice}`;
}

/** Why a replica is to leave its place, and whether it takes its address along. */
interface Leaves {
  readonly why: string;
  readonly keepsAddress: boolean;
}

function leavesIn(catalog: Catalog, { spec }: Resource<AppSpec>, placement: Placement): Leaves | undefined {
  const { host, zone, network, address } = placement;
  if (!outdatedIn(catalog, spec)(placement))
    return catalog.hosts.get(host)?.spec.drain === true ? { why: 'which is drained', keepsAddress: true } : undefined;
  const because = (why: string): Leaves => ({ why, keepsAddress: false });
  if (zone !== spec.zone) return because(`in zone ${zone}, and Git asks for zone ${spec.zone}`);
  if (network !== spec.network) return because(`in Network ${network}, and Git asks for Network ${spec.network}`);
  return because(`and Network ${network} no longer gives out ${address}`);
}

/** Explains within a run that has seated all that comes before. */
function explainIn(run: Run, app: Resource<AppSpec>, replica: string): Explanation {
  const { table, book, input } = run;
  const wishes = run.survey.wanted.get(app.name) ?? [];
  const before = wishes.filter((wish) => ordinalOf(wish.replica) < ordinalOf(replica));
  for (const turns = settleApp(run, app, before); turns.next().done !== true;);
  const group = groupIn(run, app);
  const placement = book.placements.get(replica);
  const leaves = placement && leavesIn(input.catalog, app, placement);
  const row = placement && table.rows.get(placement.host);
  if (placement && row !== undefined) seat(table, group, row, placement.demand, -1);
  const fixed = run.candidates(app.spec);
  const found = foundOf(input.catalog, table, group, app, fixed);
  const removals = removalsNow(table, group, found.misses, fixed.removals);
  const list = candidates(run, group);
  const best = list[0]?.host;
  const pool = run.pool(app.spec.network, app.spec.zone);
  const isReaddressed = leaves?.keepsAddress === false;
  const dry = (!placement || isReaddressed) && best !== undefined && pool !== undefined && pool.next() === undefined;
  const gives =
    placement?.yields === undefined ? '' : `${replica} gives its place to ${placement.yields}, which finds no other. `;
  const shares = placement && sharingText(placement, book.hosts.get(placement.host)?.threadsPerCore);
  const note = shares === undefined ? '' : `. It ${shares}`;
  const wish = wishes.find((one) => one.replica === replica);
  const own = wish?.moves ? wish : undefined;
  const base = {
    replica,
    app: app.name,
    ...(placement ? { host: placement.host, address: placement.address } : {}),
    removals,
    candidates: list,
  };
  const waits = own ? !hasTurn(run, app, own) : !wish && isReaddressed;
  const turn = waits ? `${WAITS_FOR_TURN}: ${turnText(run, app)}` : undefined;
  if (best === undefined) {
    const why = nowhere(input.catalog, table, group, app, fixed, found);
    if (!placement) return { ...base, ...preemptedText(why, preempt(run, app, { replica })) };
    if (row !== undefined) seat(table, group, row, placement.demand, 1);
    const may = own && (!waits || keepsClaim(run, app, replica));
    const made = may ? preempt(run, asMover(app), own) : undefined;
    const next = may ? undefined : turn;
    const text = made?.waits ?? staying(preemptedText(why, made ?? {}).message, placement.host, leaves, next);
    return { ...base, message: `${gives}${text}${note}` };
  }
  if (dry) {
    const why = noAddress(input.catalog, app.spec.network, pool.count(), table).message;
    return { ...base, message: placement ? `${gives}${staying(why, placement.host, leaves, turn)}${note}` : why };
  }
  // one that gets another address stays on its host if it can
  const there = isReaddressed ? list.find(({ host }) => host === placement?.host)?.host : undefined;
  const to = summary(replica, app.spec, group, placement?.host, there ?? best, removals, list.length, leaves);
  return { ...base, best, message: `${gives}${to}${turn === undefined ? '' : `. It ${turn}`}${note}` };
}

function staying(text: string, host: string, leaves: Leaves | undefined, turn: string | undefined): string {
  const why = leaves ? `, ${leaves.why}` : '';
  return `It stays on ${host}${why}${turn === undefined ? '' : `, and ${turn}`}. Placed now: ${text}`;
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
