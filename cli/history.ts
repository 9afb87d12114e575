import { createHistory, type RevisionRow } from '../reconciler/record/history.ts';
import type { Io } from './io.ts';
import { journalOf } from './journal.ts';
import { command, outputOption, parse, wholeNumber } from './options.ts';
import { table, tint } from './table.ts';
import { viewOptions, type Looking } from './view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
  readonly last: string;
}

/** `plumb history`: the revisions, oldest first, with what was done for each. */
export async function historyCommand(argv: readonly string[], io: Io): Promise<number> {
  const example = 'plumb history\nplumb history --last 3 -o json';
  const cmd = command('history', 'Show the revisions and what each changed.', example, io)
    .addOption(outputOption('text', 'json'))
    .option('-n, --last <count>', 'how many revisions', '20');
  viewOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  const last = wholeNumber('--last', options.last, 1);
  const history = createHistory();
  for await (const entry of journalOf(options, io)({}, false, io.signal)) history.add(entry);
  const revisions = history.rows().slice(-last);
  if (options.output === 'json') io.out(`${JSON.stringify({ version: 1, revisions }, null, 2)}\n`);
  else
    io.out(
      revisions.length === 0
        ? 'nothing yet\n'
        : `${table(
            HEAD,
            revisions.map((row) => cells(row, io)),
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
