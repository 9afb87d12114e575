import { nearest } from '../reconciler/compile/suggest.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { counted } from '../reconciler/model/words.ts';
import type { Known } from '../reconciler/loop/status/view.ts';
import { lineup, type Lined, type Lineup } from '../reconciler/plan/lineup.ts';
import type { Io } from './io.ts';
import { lostOf } from './look.ts';
import { cut, narrowed, table, tint } from './table.ts';

/** How far the change of an App is, as things are known; undefined where Git has no such App. */
export function lineupOf(catalog: Catalog, known: Known, app: string, now: number): Lineup | undefined {
  const { snapshot, assignments, reports, rollouts = [] } = known;
  const previous = new Map(assignments.map((assignment) => [assignment.host, assignment]));
  const { placements } = snapshot;
  return lineup({ catalog, placements, previous, reports, lost: lostOf(known), records: rollouts, now }, app);
}

/** Of an App that Git has, and that cannot be understood: what to do. */
export function heldWords({ heldObjects }: Catalog, app: string): string | undefined {
  return heldObjects.has(`App/${app}`) ? `App ${app} has errors in Git: plumb validate shows them` : undefined;
}

/** The same of one that has to be there. Throws USAGE. */
export function lineupIn(catalog: Catalog, known: Known, app: string, now: number): Lineup {
  const found = lineupOf(catalog, known, app, now);
  if (found) return found;
  const near = nearest(app, [...catalog.apps.keys()]);
  const hint = near === undefined ? '' : `; did you mean app/${near}?`;
  throw new PlumbError('USAGE', heldWords(catalog, app) ?? `no App ${app} in Git${hint}`);
}

/** Whether all of an App is as Git says, and serves. */
export function isThrough({ stage, replicas }: Lineup): boolean {
  return stage === undefined && replicas.every(({ waits }) => waits === undefined);
}

/** Of what is said of a replica, so many columns. */
const SAID = 100;
/** More do not fit on a screen. */
const SCREEN = 50;

function brief(text: string): string {
  return cut(text.replace(/\s+/g, ' '), SAID);
}

/** How far a change is, as a person reads it, with what else there is to say of the App: those that wait first. */
export function lineupText(found: Lineup, about: readonly string[], io: Io): string {
  const { replicas, steps } = found;
  const waiting = replicas.filter(({ waits }) => waits !== undefined);
  const all = [...waiting, ...replicas.filter(({ waits }) => waits === undefined)];
  const rows = all
    .slice(0, SCREEN)
    .map((one) => [
      one.replica,
      one.host ?? '-',
      one.image ?? '-',
      one.differs.length === 0 ? '-' : one.differs.join(', '),
      one.step === undefined ? '-' : `${String(one.step)} of ${String(steps)}`,
      brief(one.waits ?? '-'),
    ]);
  const head = ['REPLICA', 'HOST', 'IMAGE', 'NOT AS GIT SAYS', 'STEP', 'WAITS BECAUSE'];
  const lines = [tint(io, 'bold', found.message), ...about, ...dueLines(found)];
  if (rows.length > 0) lines.push('', table(...narrowed(head, rows, ['IMAGE', 'STEP', 'HOST'])));
  if (all.length > SCREEN) lines.push(`… and ${String(all.length - SCREEN)} more: -o json has all`);
  return `${lines.join('\n')}\n`;
}

/** What is said of one of them, where there is something to say. */
export function linedLines(found: Lineup, replica: string): readonly string[] {
  const own = found.replicas.find((one) => one.replica === replica);
  if (own?.host === undefined || (own.waits === undefined && found.stage === undefined)) return [];
  return [`${replica} ${standing(own, found.steps)}`, found.message, ...dueLines(found)];
}

function standing({ differs, waits = '', step }: Lined, steps: number): string {
  if (differs.length === 0)
    return waits === '' ? 'is as Git says, and serves' : `was told what Git says: ${brief(waits)}`;
  const when = step === undefined ? '' : `, step ${String(step)} of the ${counted(steps, 'step')} to come`;
  return `is not yet as Git says (${differs.join(', ')})${when}: ${brief(waits)}`;
}

function dueLines({ stage, until }: Lineup): readonly string[] {
  if (until === undefined || stage === 'paused') return [];
  return [`it is given up at ${new Date(until).toISOString()} unless something gets on before`];
}
