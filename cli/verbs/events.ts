import type { Entry, EntryQuery } from '../../reconciler/model/journal.ts';
import { formatValue, symbolOf } from '../../reconciler/plan/render.ts';
import type { Io } from '../io.ts';
import { journalOf } from '../journal.ts';
import { command, outputOption, parse, refFrom, wholeNumber } from '../options.ts';
import { tint } from '../table.ts';
import { viewOptions, type Looking } from '../view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
  readonly follow?: boolean;
  readonly last: string;
  readonly host?: string;
}

/** `plumb events [REF]`: the journal, oldest first. */
export async function eventsCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'events',
    'Show what was done and what happened.',
    'plumb events --follow\nplumb events container/web-0',
    io,
  )
    .argument('[ref]', 'only events of this thing, as container/web-0')
    .addOption(outputOption('text', 'json'))
    .option('-f, --follow', 'go on showing events as they come')
    .option('-n, --last <count>', 'how many past events to show first', '50')
    .option('--host <name>', 'only what this host (or controller) of the fleet did');
  viewOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const [text] = parsed.args;
  const ref = text === undefined ? undefined : refFrom(text);
  const last = wholeNumber('--last', options.last, 0);
  const { host } = options;
  const query: EntryQuery = { last, ...(ref === undefined ? {} : { ref }), ...(host === undefined ? {} : { host }) };
  const journal = journalOf(options, io);
  for await (const entry of journal(query, options.follow === true, io.signal))
    io.out(options.output === 'json' ? `${JSON.stringify(entry)}\n` : renderEntry(entry, io));
  return 0;
}

/** The time in UTC; with its date when that is not today's. */
function timeOf(at: number, now: number): string {
  const [day = '', time = ''] = new Date(at).toISOString().split('T');
  return new Date(now).toISOString().startsWith(day) ? time : `${day} ${time}`;
}

/** One entry as one line (intents with their fields below); empty for what would only repeat. */
export function renderEntry(entry: Entry, io: Pick<Io, 'color'>, now: number = Date.now()): string {
  const time = tint(io, 'dim', timeOf(entry.at, now));
  switch (entry.type) {
    case 'intent': {
      const fields = entry.fields.map(
        ({ path, have, want }) => `${path.slice(1)} ${formatValue(path, have)} -> ${formatValue(path, want)}`,
      );
      const what = fields.length === 0 ? '' : `: ${fields.join(', ')}`;
      return `${time} ${symbolOf(entry).padStart(3)} ${entry.ref}${what}  ${tint(io, 'dim', `# ${entry.because} on ${entry.host}`)}\n`;
    }
    case 'outcome': {
      const good = entry.result === 'done';
      const mark = tint(io, good ? 'green' : 'red', good ? 'ok' : entry.result);
      const words = good ? (entry.did ?? '') : (entry.error ?? '');
      return `${time}  ${mark} ${entry.ref}${words === '' ? '' : `  ${words}`}\n`;
    }
    case 'event': {
      const color = { info: 'cyan', warn: 'yellow', error: 'red' } as const;
      return `${time}   ${tint(io, color[entry.level], entry.reason)} ${entry.message}\n`;
    }
  }
}
