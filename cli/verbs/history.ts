import { changesOf, createHistory, type RevisionRow } from '../../reconciler/record/history.ts';
import type { Io } from '../io.ts';
import { soundJournalOf } from '../journal.ts';
import { command, outputOption, parse, refFrom, wholeNumber } from '../options.ts';
import { narrowed, table, tint } from '../table.ts';
import { viewOptions, type Looking } from '../view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
  readonly last: string;
}

/** `plumb history [REF]`: the revisions, oldest first, with what was done for each; of a ref, those that changed it. */
export async function historyCommand(argv: readonly string[], io: Io): Promise<number> {
  const example = 'plumb history\nplumb history app/web\nplumb history --last 3 -o json';
  const cmd = command(
    'history',
    'Show the revisions and what each changed: all, or those that changed a part.',
    example,
    io,
  )
    .argument('[ref]', 'only what was done to container/web-0, or to all of replica/web-0, app/web or host/h1')
    .addOption(outputOption('text', 'json'))
    .option('-n, --last <count>', 'how many revisions', '20');
  viewOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const [text] = parsed.args;
  const ref = text === undefined ? undefined : refFrom(text, 'container/web-0 or app/web');
  const last = wholeNumber('--last', options.last, 1);
  const history = createHistory(ref === undefined ? undefined : changesOf(ref));
  for await (const entry of soundJournalOf(options, io)({}, false, io.signal)) history.add(entry);
  const revisions = history.rows().slice(-last);
  if (options.output === 'json')
    io.out(`${JSON.stringify({ version: 1, ...(ref === undefined ? {} : { ref }), revisions }, null, 2)}\n`);
  else
    io.out(
      revisions.length === 0
        ? `${ref === undefined ? 'nothing yet' : `no revision changed ${ref}`}\n`
        : `${table(
            ...narrowed(
              HEAD,
              revisions.map((row) => cells(row, io)),
              LEAVES,
            ),
          )}\n`,
    );
  return 0;
}

const HEAD = [
  'REVISION',
  'RESULT',
  'SINCE (UTC)',
  'ADDED',
  'CHANGED',
  'REPLACED',
  'MOVED',
  'REMOVED',
  'REPAIRS',
  'FAILED',
  'AUTHOR',
];
/** What a narrow terminal does without, the first of them first. */
const LEAVES = ['MOVED', 'REPLACED', 'REPAIRS', 'AUTHOR', 'ADDED', 'CHANGED', 'REMOVED', 'SINCE (UTC)'];

const COLORS = {
  converged: 'green',
  failing: 'red',
  reverting: 'red',
  reverted: 'red',
  working: 'yellow',
  held: 'yellow',
  superseded: 'dim',
  unknown: 'dim',
} as const;

/** The result in words: who went back, and to what. */
function words({ result, back }: RevisionRow): string {
  const [first] = back;
  if (!first || (result !== 'reverted' && result !== 'reverting')) return result;
  const who = back.length === 1 ? first.app : `${String(back.length)} Apps`;
  const same = back.every(({ to }) => to === first.to);
  return `${who} ${result}${same && first.to !== undefined ? ` to ${first.to.slice(0, 7)}` : ''}`;
}

function cells(row: RevisionRow, io: Io): string[] {
  const { revision, author, from, counts, moved, repairs, failed, result } = row;
  const numbers = [counts.add, counts.change, counts.replace, moved, counts.destroy, repairs, failed].map(String);
  const since = new Date(from).toISOString().slice(0, 19).replace('T', ' ');
  return [revision.slice(0, 7), tint(io, COLORS[result], words(row)), since, ...numbers, author];
}
