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

function homeOf({
  placement,
  hostEpoch,
  spread,
  beside,
}: Proposal & { readonly op: 'place' | 'move' }): readonly string[] {
  return [canonical(placement), canonical(hostEpoch), canonical({ ...spread, ...beside })];
}

function argumentsOf(proposal: Proposal): readonly string[] {
  switch (proposal.op) {
    case 'host':
      return ['host', proposal.record.host, canonical(proposal.record)];
    case 'forget-host':
      return ['forget-host', proposal.host];
    case 'place':
      return ['place', ...homeOf(proposal), proposal.block ?? ''];
    case 'move':
      return ['move', ...homeOf(proposal)];
    case 'gang':
      return ['gang', String(proposal.places.length), ...proposal.places.flatMap(argumentsOf)];
    case 'resize':
      return ['resize', proposal.replica, canonical(proposal.demand)];
    case 'release':
      return ['release', proposal.replica, canonical(proposal.quarantineUntil)];
    case 'yield':
      return [
        'yield',
        proposal.replica,
        canonical(proposal.epoch),
        proposal.to === undefined ? '' : canonical(proposal.to),
      ];
  }
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
    args: [incarnation, id, canonical(now), ...kept, keys.onCommit, ...lease.args, ...proposals.flatMap(argumentsOf)],
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
