import { difference, preview } from '../../reconciler/loop/controller/preview.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { counted } from '../../reconciler/model/words.ts';
import {
  isEmpty,
  planJson,
  renderMarkdown,
  renderText,
  type FleetPlan,
  type Paint,
  PLAIN,
} from '../../reconciler/plan/render.ts';
import { upOptions, type UpFlags } from '../flags.ts';
import type { StoreFlags } from '../fleet-store.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse } from '../options.ts';
import { questionOptions, withQuestion, type Question } from '../question.ts';
import { tint } from '../table.ts';

interface Options extends UpFlags, StoreFlags {
  readonly workTree?: boolean;
  readonly output: 'text' | 'json' | 'markdown';
  readonly all?: boolean;
}

/** `plumb plan [REV | REV..REV]`: 0 nothing to do, 2 changes, 1 error. */
export async function planCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'plan',
    'Show what a revision would do to the hosts as they are, or what the step from one revision to another adds. Nothing is changed.',
    'plumb plan\nplumb plan --work-tree\nplumb plan feature --repo /srv/fleet.git\nplumb plan main..feature -o markdown',
    io,
  )
    .argument(
      '[revision]',
      "a branch, tag or commit, or two of them as A..B (default: the repository's HEAD, or the folder as it is)",
    )
    .addOption(outputOption('text', 'json', 'markdown'))
    .option('-a, --all', 'every change, however many there are')
    .option('-w, --work-tree', 'the folder as it lies there, committed or not');
  questionOptions(cmd, upOptions);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const revisions = revisionsOf(parsed.args[0]);
  return withQuestion(options, io, (question) => planned(question, revisions, options, io));
}

async function planned(
  { catalogs, look }: Question,
  [from, to]: readonly [string | undefined, string | undefined],
  options: Options,
  io: Io,
): Promise<number> {
  const target = await catalogs.at(to);
  for (const { file, line, column, message } of target.problems.slice(0, 5))
    io.err(`${file}:${String(line)}:${String(column)}: ${message}\n`);
  if (target.problems.length > 0)
    io.err(
      `${counted(target.problems.length, 'problem')}; what they touch is left as it is (plumb validate shows all)\n`,
    );
  const world = await look(target);
  const aim = (catalog: Catalog): Promise<FleetPlan> =>
    preview({ catalog, ...world, allowDeletions: options.allowDeletions === true, now: Date.now() });
  const after = await aim(target);
  const plan = from === undefined ? after : difference(await aim(await catalogs.at(from)), after);
  io.out(show(plan, options, io));
  // what cannot be read or seen whole is nothing of which can be said that there is nothing to do
  const blind = target.problems.length > 0 || plan.unknown.some(({ unseen }) => unseen !== undefined);
  return isEmpty(plan) ? (blind ? 1 : 0) : 2;
}

function revisionsOf(text: string | undefined): readonly [string | undefined, string | undefined] {
  if (text === undefined) return [undefined, undefined];
  if (text.includes('...'))
    throw new PlumbError('USAGE', `${text} has three dots; a step takes two: ${text.replace('...', '..')}`);
  const parts = text.split('..');
  if (parts.length > 2 || parts.some((part) => part === ''))
    throw new PlumbError('USAGE', `${text} is neither REV nor REV..REV`);
  return parts.length === 2 ? [parts[0], parts[1]] : [undefined, text];
}

function show(plan: FleetPlan, { output, all }: Options, io: Io): string {
  if (output === 'json') return `${JSON.stringify(planJson(plan), null, 2)}\n`;
  return output === 'markdown' ? renderMarkdown(plan) : renderText(plan, paintOf(io), all);
}

/** Colours of a plan where the terminal takes them. */
function paintOf(io: Pick<Io, 'color'>): Paint {
  if (!io.color) return PLAIN;
  return {
    add: (text) => tint(io, 'green', text),
    change: (text) => tint(io, 'yellow', text),
    destroy: (text) => tint(io, 'red', text),
    dim: (text) => tint(io, 'dim', text),
    bold: (text) => tint(io, 'bold', text),
  };
}
