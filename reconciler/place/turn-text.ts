import type { AppSpec, Resource } from '../model/catalog.ts';
import { waitsFor } from '../model/handover.ts';
import { NO_TROUBLE, replicaId } from '../model/replica.ts';
import { saidOf } from '../model/whereabouts.ts';
import type { Run } from './run.ts';
import { fullText } from './victims.ts';

/** One that is away, what is told of it, and whether that may last. */
interface Away {
  readonly text: string;
  readonly lasts: boolean;
}

function awayIn({ survey, book, preempting }: Run, replica: string): Away | undefined {
  const home = book.placements.get(replica);
  const away = (why: string, lasts: boolean): Away => ({ text: `${replica} (${why})`, lasts });
  if (!home) return away('no place', true);
  if (!survey.health(replica, home).away) {
    const goes = survey.wanted.get(home.app)?.some((wish) => wish.replica === replica && wish.from && !wish.moves);
    return goes === true || preempting.turned.has(replica) ? away('it moves first', false) : undefined;
  }
  const from = waitsFor(home, survey.witness);
  const lost = [home.host, from].find((host) => host !== undefined && survey.lost.has(host));
  if (lost !== undefined) return away(`${lost} is lost`, true);
  if (from !== undefined) return away(`on its way from ${from}`, false);
  if (home.yields !== undefined) return away(`makes room for ${home.yields}`, false);
  const { reason } = saidOf(survey.witness.whereabouts, home.host, replica) ?? {};
  if (reason !== undefined && !NO_TROUBLE.has(reason)) return away(`${reason} on ${home.host}`, true);
  return { text: replica, lasts: false };
}

/** What keeps a replica of an App from its turn to move: which others are away, and what to do about those that may stay so. */
export function turnText(run: Run, { name, spec }: Resource<AppSpec>): string {
  const full = run.disruption.why(spec.zone);
  if (full !== undefined) return `${full}: plumb status zone/${spec.zone} shows which`;
  const ids = Array.from({ length: spec.replicas }, (_, ordinal) => replicaId(name, ordinal));
  const away = ids.flatMap((id) => awayIn(run, id) ?? []).sort((a, b) => Number(b.lasts) - Number(a.lasts));
  const names = away.map(({ text }) => text);
  const next = away.some(({ lasts }) => lasts) ? ': mend that, or let more be away (spec.maxUnavailable)' : '';
  return `${fullText(name, spec.maxUnavailable, names)}${next}`;
}
