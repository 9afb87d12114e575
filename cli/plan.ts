import { difference, preview } from '../reconciler/loop/preview.ts';
import { identify } from '../reconciler/loop/identify.ts';
import type { Known } from '../reconciler/loop/view.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import type { Observed } from '../reconciler/model/change.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { createWorld, observeInto } from '../reconciler/observe/observe.ts';
import {
  isEmpty,
  planJson,
  renderMarkdown,
  renderText,
  type FleetPlan,
  type Paint,
  PLAIN,
} from '../reconciler/plan/render.ts';
import { runtimeOf, upOptions, type UpFlags } from './compose.ts';
import type { Io } from './io.ts';
import { remoteView } from './local.ts';
import { command, outputOption, parse } from './options.ts';
import { pathsOf, stateOptions } from './paths.ts';
import { openCatalogs } from './catalogs.ts';
import { factsOf } from './runtime.ts';
import { storedKnown } from './stored.ts';
import { tint } from './table.ts';

interface Options extends UpFlags {
  readonly output: 'text' | 'json' | 'markdown';
}

/** `plumb plan [REV | REV..REV]`: 0 nothing to do, 2 changes, 1 error. */
export async function planCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'plan',
    'Show what a revision would do to the hosts as they are, or what the step from one revision to another adds. Nothing is changed.',
    'plumb plan\nplumb plan feature --repo /srv/fleet.git\nplumb plan main..feature -o markdown',
    io,
  )
    .argument(
      '[revision]',
      "a branch, tag or commit, or two of them as A..B (default: the repository's HEAD, or the folder as it is)",
    )
    .addOption(outputOption('text', 'json', 'markdown'));
  upOptions(cmd);
  stateOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const [from, to] = revisionsOf(parsed.args[0]);
  const { state } = pathsOf(options, io);
  const catalogs = await openCatalogs(options, state, io);
  const target = await catalogs.at(to);
  for (const { file, line, column, message } of target.problems.slice(0, 5))
    io.err(`${file}:${String(line)}:${String(column)}: ${message}\n`);
  if (target.problems.length > 0)
    io.err(`${String(target.problems.length)} problems; what they touch is left as it is (plumb validate shows all)\n`);
  const look = await lookAround(options, target, state, io);
  const planned = (catalog: Catalog): FleetPlan =>
    preview({ catalog, ...look, allowDeletions: options.allowDeletions === true, now: Date.now() });
  const after = planned(target);
  const plan = from === undefined ? after : difference(planned(await catalogs.at(from)), after);
  io.out(show(plan, options.output, io));
  return isEmpty(plan) ? 0 : 2;
}

function revisionsOf(text: string | undefined): readonly [string | undefined, string | undefined] {
  if (text === undefined) return [undefined, undefined];
  const parts = text.split('..');
  if (parts.length > 2 || parts.some((part) => part === ''))
    throw new PlumbError('USAGE', `${text} is neither REV nor REV..REV`);
  return parts.length === 2 ? [parts[0], parts[1]] : [undefined, text];
}

function show(plan: FleetPlan, output: Options['output'], io: Io): string {
  if (output === 'json') return `${JSON.stringify(planJson(plan), null, 2)}\n`;
  return output === 'markdown' ? renderMarkdown(plan) : renderText(plan, paintOf(io));
}

/** Colours of a plan where the terminal takes them. */
export function paintOf(io: Pick<Io, 'color'>): Paint {
  if (!io.color) return PLAIN;
  return {
    add: (text) => tint(io, 'green', text),
    change: (text) => tint(io, 'yellow', text),
    destroy: (text) => tint(io, 'red', text),
    dim: (text) => tint(io, 'dim', text),
    bold: (text) => tint(io, 'bold', text),
  };
}

interface Look {
  readonly known: Known;
  readonly observed: ReadonlyMap<string, readonly Observed[]>;
  readonly differs: ReturnType<typeof runtimeOf>['providers'];
}

/** What is there: told by a running `up`; else what the state directory remembers, and a live look at this machine. */
async function lookAround(options: Options, catalog: Catalog, state: string, io: Io): Promise<Look> {
  const facts = await factsOf(options.simulated === true);
  const running = await knownOfRunning(options, io);
  const known = running ?? (await storedKnown(state));
  const observed = new Map<string, readonly Observed[]>(known.reports.map((report) => [report.host, report.observed]));
  const host = identify(
    catalog,
    facts,
    options.host ?? known.reports.find(({ facts: { machineId } }) => machineId === facts.machineId)?.host,
  );
  const runtime = runtimeOf(options, catalog, host, state);
  try {
    if (running) return { known, observed, differs: runtime.providers };
    const world = createWorld();
    const signal = AbortSignal.any([io.signal, AbortSignal.timeout(30_000)]);
    const context = { signal, fleet: catalog.fleet.name, world, wanted: wantedKnobs(catalog) };
    const blind = await observeInto(world, runtime.providers, context, []);
    const silent = [...blind.entries()][0];
    if (silent) throw new PlumbError('TIMEOUT', `${silent[0]}: ${silent[1]}; a plan needs to see the host`);
    observed.set(host.name, world.all());
    const report: Report = {
      host: host.name,
      generation: 0,
      revision: '',
      at: Date.now(),
      facts: { ...facts, capacity: { ...facts.capacity, ...host.spec.capacity } },
      replicas: [],
      observed: world.all(),
      limitations: [],
      conditions: [],
    };
    const reports = [...known.reports.filter((other) => other.host !== host.name), report];
    return { known: { ...known, reports }, observed, differs: runtime.providers };
  } finally {
    runtime.close();
  }
}

/** The knobs that any Tuning names: they are looked at although nobody owns them yet. */
function wantedKnobs({ tunings }: Catalog): readonly `${string}/${string}`[] {
  return [...tunings.values()].flatMap(({ spec }) => [
    ...Object.keys(spec.sysctls).map((key) => `sysctl/${key}` as const),
    ...Object.keys(spec.ovsOtherConfig).map((key) => `ovs-config/${key}` as const),
  ]);
}

async function knownOfRunning(options: Options, io: Io): Promise<Known | undefined> {
  try {
    return await remoteView(pathsOf(options, io).socket).known();
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  }
}
