import { asPlumbError, PlumbError } from '../../reconciler/model/errors.ts';
import { explain, type Explanation } from '../../reconciler/place/explain.ts';
import { nearest } from '../../reconciler/compile/suggest.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { appOf } from '../../reconciler/model/replica.ts';
import type { Report } from '../../reconciler/model/replica.ts';
import type { UpFlags } from '../flags.ts';
import type { StoreFlags } from '../fleet-store.ts';
import type { Io } from '../io.ts';
import { explainKnobs, knobsText, standingsOf, standingWords, unreadTunings } from '../explain-knob.ts';
import { command, outputOption, parse } from '../options.ts';
import { questionOptions, viewsOf, withQuestion, type Question } from '../question.ts';
import { chosenFor, chosenLines } from '../explain-choice.ts';
import { heldWords, isThrough, linedLines, lineupIn, lineupOf, lineupText } from '../explain-app.ts';
import { conflictWords } from './status.ts';
import { table, tint } from '../table.ts';

interface Options extends UpFlags, StoreFlags {
  readonly output: 'text' | 'json';
}

/**
 * `plumb explain REPLICA`: why it is where it is, or why nowhere; 0 when it has or would get a host, 2 when not. `plumb explain app/NAME`: how far
 * a change of it is, and what each replica waits for; 0 when all serve as Git says, 2 when not. `plumb explain host/NAME [KNOB]`: which Tuning
 * says what a knob is to be; 0 when one does, 2 when none.
 */
export async function explainCommand(argv: readonly string[], io: Io): Promise<number> {
  const description =
    'Explain why a replica is on its host, or why on none: hosts removed by each filter, scores of the rest. Of an App: how far its change is, and what each replica waits for. Of a host: which Tuning sets a knob, and why.';
  const cmd = command(
    'explain',
    description,
    'plumb explain web-3\nplumb explain web-3 --repo /srv/fleet.git\nplumb explain app/web\nplumb explain host/h1\nplumb explain host/h1 vm.swappiness',
    io,
  )
    .argument('<what>', 'a replica, as web-3, an App, as app/web, or a host, as host/h1')
    .argument('[knob]', 'of a host, as vm.swappiness; without it all that Tunings set there')
    .addOption(outputOption('text', 'json'));
  questionOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const [what = '', knob] = parsed.args;
  if (what.startsWith('host/'))
    return withQuestion(options, io, (question) =>
      explainHost(question, { name: what.slice('host/'.length), knob }, options, io),
    );
  if (knob !== undefined) throw new PlumbError('USAGE', `a knob is a host's: plumb explain host/NAME ${knob}`);
  return withQuestion(options, io, (question) => explainPlaced(question, what, options, io));
}

async function explainPlaced({ catalogs, look }: Question, what: string, options: Options, io: Io): Promise<number> {
  const catalog = await catalogs.at(undefined);
  if (what.startsWith('app/')) return explainApp(options, what.slice('app/'.length), { catalog, look }, io);
  const replica = replicaIn(what, catalog);
  const { known } = await look(catalog);
  const now = Date.now();
  const found = explain({ catalog, hosts: viewsOf(catalog, known), now, ...known }, replica);
  if (!found) {
    const none = `no App in Git has a replica ${replica}${otherwise(catalog, replica)}`;
    throw new PlumbError('USAGE', heldWords(catalog, appOf(replica)) ?? none);
  }
  const app = catalog.apps.get(found.app);
  const line = lineupOf(catalog, known, found.app, now);
  const lines = line ? linedLines(line, replica) : [];
  const change =
    line && lines.length > 0
      ? { change: { ...line, replicas: line.replicas.filter((one) => one.replica === replica) } }
      : {};
  io.out(
    options.output === 'json'
      ? `${JSON.stringify({ version: 1, ...found, ...chosenFor(app), ...change }, null, 2)}\n`
      : text(found, [...chosenLines(app), ...lines], io),
  );
  return found.best === undefined && found.host === undefined ? 2 : 0;
}

async function explainApp(
  options: Options,
  name: string,
  { catalog, look }: Pick<Question, 'look'> & { readonly catalog: Catalog },
  io: Io,
): Promise<number> {
  const { known } = await look(catalog);
  const found = lineupIn(catalog, known, name, Date.now());
  const app = catalog.apps.get(name);
  io.out(
    options.output === 'json'
      ? `${JSON.stringify({ version: 1, ...found, ...chosenFor(app) }, null, 2)}\n`
      : lineupText(found, chosenLines(app), io),
  );
  return isThrough(found) ? 0 : 2;
}

/** Kinds of what belongs to a replica, by whose name it may be asked about. */
const OF_REPLICA = new Set(['replica', 'placement', 'container', 'sandbox', 'port', 'cgroup']);

function replicaIn(what: string, { hosts }: Catalog): string {
  if (what.includes('/') && !OF_REPLICA.has(what.slice(0, what.indexOf('/'))))
    throw new PlumbError('USAGE', `${what} is nothing to explain: write a replica, as web-0, app/NAME or host/NAME`);
  const replica = what.slice(what.indexOf('/') + 1);
  if (hosts.has(replica)) throw new PlumbError('USAGE', `${replica} is a host: write host/${replica}`);
  return replica;
}

async function explainHost(
  { catalogs, reports }: Question,
  { name, knob }: { readonly name: string; readonly knob: string | undefined },
  options: Options,
  io: Io,
): Promise<number> {
  const catalog = await catalogs.at(undefined);
  const found = explainKnobs(catalog, name, knob);
  const unread = unreadTunings(catalog);
  const own = await reports([name]).catch((error: unknown) => unasked(error, io));
  const asked = new Set<string>(found.map(({ knob: ref }) => ref));
  const conflicts = own.flatMap((report) => (report.conflicts ?? []).filter(({ ref }) => asked.has(ref)));
  const standing = own.flatMap((report) => standingsOf(report, found));
  if (options.output === 'json')
    io.out(`${JSON.stringify({ version: 1, host: name, knobs: found, standing, conflicts, unread }, null, 2)}\n`);
  else {
    // of all knobs only those that are not as they are to be
    const told = standing.filter(({ state }) => knob !== undefined || state !== undefined);
    const notes = [
      ...told.map((one) => (knob === undefined ? `${one.knob}: ` : '') + standingWords(name, one)),
      ...conflicts.map((claim) => `conflict: ${conflictWords(claim)}`),
      ...unread,
    ];
    io.out(`${knobsText(found, knob !== undefined, io)}${notes.map((line) => `${line}\n`).join('')}`);
  }
  return found.every(({ value }) => value === undefined) ? 2 : 0;
}

/** What a knob is to be, Git says: only who else sets it has to be asked for, where something runs. */
function unasked(error: unknown, io: Io): readonly Report[] {
  const { code, message } = asPlumbError(error);
  if (code !== 'NOT_RUNNING')
    io.err(`whether something else sets it is not known, as what runs cannot be asked: ${message}\n`);
  return [];
}

/** What was meant instead of a replica that no App has. */
function otherwise({ apps }: Catalog, replica: string): string {
  const all = [...apps.values()].map(({ name, spec: { replicas } }) => ({ name, replicas }));
  const wanted = all.filter(({ replicas }) => replicas > 0);
  if (wanted.length === 0) return '; there are none';
  const app = apps.get(replica);
  if (app && app.spec.replicas > 0)
    return `, but ${rangeOf(app.name, app.spec.replicas)}; plumb explain app/${app.name} tells of the App`;
  const cut = replica.lastIndexOf('-');
  const own = wanted.some(({ name }) => name === replica.slice(0, cut));
  const near = own
    ? undefined
    : nearest(
        replica,
        wanted.flatMap(({ name, replicas }) => firstOf(name, replicas)),
      );
  if (near !== undefined) return `; did you mean ${near}?`;
  const ranges = wanted.map(({ name, replicas }) => rangeOf(name, replicas));
  return `; there are ${ranges.slice(0, 5).join(', ')}${ranges.length > 5 ? ', …' : ''}`;
}

/** `web-0…4` */
function rangeOf(app: string, replicas: number): string {
  return replicas === 1 ? `${app}-0` : `${app}-0…${String(replicas - 1)}`;
}

/** Replicas of an App, the first hundred: enough to find the one that was meant. */
function firstOf(name: string, replicas: number): readonly string[] {
  return Array.from({ length: Math.min(replicas, 100) }, (_, ordinal) => `${name}-${String(ordinal)}`);
}

/** The scores as columns, in the order in which they are compared. */
function scores(candidates: Explanation['candidates']): string {
  const number = (value: number): string => String(Math.round(value * 1000) / 1000);
  const wishes = candidates.some(({ score }) => score.affinity > 0);
  const rows = candidates.map(({ host, score: { affinity, ...score } }) => [
    host,
    ...[...(wishes ? [affinity] : []), score.switch, score.rack, score.host, score.fill].map(number),
  ]);
  return table(['CANDIDATE', ...(wishes ? ['AFFINITY'] : []), 'SWITCH', 'RACK', 'HOST', 'FILL'], rows);
}

function text({ message, removals, candidates, address }: Explanation, about: readonly string[], io: Io): string {
  const lines = [`${tint(io, 'bold', message)}${address === undefined ? '' : `; its address is ${address}`}`, ...about];
  if (removals.length > 0) {
    const rows = removals.map(({ filter, removed, example }) => [filter, String(removed), example ?? '']);
    lines.push('', table(['FILTER', 'HOSTS REMOVED', 'AS'], rows));
  }
  if (candidates.length > 0) {
    lines.push('', 'Loads, less is better; compared from left to right:', scores(candidates.slice(0, 10)));
  }
  return `${lines.join('\n')}\n`;
}
