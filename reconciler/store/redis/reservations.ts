import { canonical } from '../../model/fingerprint.ts';
import type { CommitReply, CommitRequest, ConflictReason, Proposal, Verdict } from '../../model/reservations.ts';
import type { Hold, Reservations } from '../../model/store.ts';
import { isOver } from '../bell.ts';
import type { ScriptCall } from './calls.ts';
import { readCommits } from './commitlog.ts';
import type { LoggedCommit, Position } from './commitlog.ts';
import { compareWith } from './comparing.ts';
import type { Context } from './context.ts';
import { readSnapshot } from './snapshot.ts';
import { underOf, writtenBy } from './under.ts';

/** Snapshots whose stamps are remembered for those who follow from them. */
const REMEMBERED = 64;

type Placing = Proposal & { readonly op: 'place' | 'move' };

const textOf = (name: string | undefined): string => (name === undefined ? '' : canonical(name));

/** What a placing has in common with those behind it, most often all of its App. */
function commonOf({ placement, spread, beside }: Placing): readonly string[] {
  const { app, zone, network, demand, epoch, from, yields } = placement;
  const limits = canonical({ ...spread, ...beside });
  return ['app', app, zone, network, canonical(demand), canonical(epoch), textOf(from), textOf(yields), limits];
}

/** Whether that is the same for two of them, as far as is seen without looking into it. */
function isLike(a: Placing, b: Placing): boolean {
  const [one, other] = [a.placement, b.placement];
  return (
    one.app === other.app &&
    one.demand === other.demand &&
    a.spread === b.spread &&
    a.beside === b.beside &&
    one.epoch === other.epoch &&
    one.from === other.from &&
    one.yields === other.yields &&
    one.network === other.network &&
    one.zone === other.zone
  );
}

/** The words of a placing, behind one that has something in common with it. */
function placingOf(proposal: Placing, last: Placing | undefined): readonly string[] {
  const { replica, host, address } = proposal.placement;
  const words = [proposal.op, replica, host, canonical(proposal.hostEpoch), address];
  if (proposal.op === 'place') words.push(proposal.block ?? '');
  return last && isLike(last, proposal) ? words : [...commonOf(proposal), ...words];
}

function othersOf(proposal: Exclude<Proposal, Placing | { readonly op: 'gang' }>): readonly string[] {
  switch (proposal.op) {
    case 'host':
      return ['host', proposal.record.host, canonical(proposal.record)];
    case 'forget-host':
      return ['forget-host', proposal.host];
    case 'resize':
      return ['resize', proposal.replica, canonical(proposal.demand)];
    case 'release':
      return ['release', proposal.replica, canonical(proposal.quarantineUntil)];
    case 'yield':
      return ['yield', proposal.replica, canonical(proposal.epoch), textOf(proposal.to)];
  }
}

/** Proposals in the words of `commit.lua`. */
function wordsOf(proposals: readonly Proposal[]): readonly string[] {
  const words: string[] = [];
  let last: Placing | undefined;
  const tell = (proposal: Proposal): void => {
    if (proposal.op === 'gang') {
      words.push('gang', String(proposal.places.length));
      proposal.places.forEach(tell);
    } else if (proposal.op === 'place' || proposal.op === 'move') {
      words.push(...placingOf(proposal, last));
      last = proposal;
    } else words.push(...othersOf(proposal));
  };
  proposals.forEach(tell);
  return words;
}

type ScriptVerdict = 1 | { readonly reason: ConflictReason; readonly current?: unknown };

function replyOf(json: string): CommitReply {
  const { cursor, verdicts } = JSON.parse(json) as { cursor: number; verdicts: readonly ScriptVerdict[] };
  const told = verdicts.map((verdict): Verdict =>
    verdict === 1 ? { accepted: true } : { accepted: false, ...verdict },
  );
  return { verdicts: told, cursor };
}

/** A commit as it is sent: the script, the keys that it touches, the request in words. */
export function commitCommand(
  { keys, keep, scripts, incarnation }: Pick<Context, 'keys' | 'keep' | 'scripts' | 'incarnation'>,
  { id, now, proposals }: CommitRequest,
  under?: Hold,
): ScriptCall {
  const { cursor, hosts, placements, addresses, loads, counts, replies, replied, log } = keys;
  const lease = underOf({ keys }, under);
  const kept = [keep.replies, keep.replyAge, keep.commits];
  return {
    script: scripts.commit,
    keys: [keys.incarnation, cursor, hosts, placements, addresses, loads, counts, replies, replied, log, ...lease.keys],
    args: [incarnation, id, canonical(now), ...kept, keys.onCommit, ...lease.args, ...wordsOf(proposals)],
  };
}

/** Reservations on Redis: the script `commit.lua` says what a commit does, in one round trip. */
export function createReservations(context: Context): Reservations {
  const { calls, ears, keys, shown } = context;
  const stamps = new Map<number, string>();

  function remember(at: number, stamp: string | undefined): void {
    stamps.delete(at);
    if (stamp !== undefined) stamps.set(at, stamp);
    for (const old of stamps.keys()) if (stamps.size > REMEMBERED) stamps.delete(old);
  }

  return {
    commit: async (request, under) => {
      const [reply] = await calls.write(commitCommand(context, request, under));
      return replyOf(String(writtenBy(reply, under, shown)));
    },
    snapshot: async () => {
      const { stamp, ...snapshot } = await readSnapshot(context);
      remember(snapshot.cursor, stamp);
      return snapshot;
    },
    differing: (kept) => compareWith(context, kept),
    since: async (from) => {
      const all: LoggedCommit[] = [];
      for (let at: Position = { cursor: from, stamp: stamps.get(from) }; ;) {
        const commits = await readCommits(context, at);
        all.push(...commits);
        at = commits.at(-1) ?? at;
        if (commits.length > 0) continue;
        if (all.length > 0) remember(at.cursor, at.stamp);
        return all;
      }
    },
    async *follow(from, signal) {
      const ear = ears.on(keys.onCommit);
      for (let at = { cursor: from, stamp: stamps.get(from) }; !isOver(signal);) {
        const rung = ear.next(signal);
        ear.check();
        const commits = await readCommits(context, at);
        for (const { cursor, stamp, deltas } of commits) {
          if (isOver(signal)) return;
          at = { cursor, stamp };
          yield { cursor, deltas };
        }
        if (commits.length === 0) await rung;
      }
    },
  };
}
