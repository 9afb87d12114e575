import { statusCode, type Status, type StatusItem } from '../reconciler/loop/status.ts';
import { counted } from '../reconciler/model/words.ts';
import type { LocalView } from '../reconciler/loop/view.ts';
import type { Io } from './io.ts';
import { command, outputOption, parse } from './options.ts';
import { storeOptions } from './fleet-store.ts';
import { stateOptions } from './paths.ts';
import { table, tint } from './table.ts';
import { openView, type Looking } from './view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
  readonly watch?: boolean;
}

/** `plumb status`: 0 all Synced and Healthy, 1 error, 2 OutOfSync or Degraded. */
export async function statusCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'status',
    'Show whether everything is as Git says, and healthy.',
    'plumb status\nplumb status --watch',
    io,
  )
    .addOption(outputOption('text', 'json'))
    .option('-w, --watch', 'show it again whenever it changes, until interrupted');
  stateOptions(cmd);
  storeOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  const opened = await openView(options, io);
  try {
    return await watched(opened.view, options, io);
  } finally {
    await opened.close();
  }
}

/** Shows the status, once or again and again; gives the exit status of the last. */
async function watched(view: LocalView, options: Options, io: Io): Promise<number> {
  const show = (status: Status): string =>
    options.output === 'json' ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status, io);
  let status = await view.status();
  io.out(show(status));
  for (let last = show(status); options.watch === true && !io.signal.aborted;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    status = await view.status();
    const next = show(status);
    if (next !== last) io.out(io.isTTY ? `\u001b[H\u001b[2J${next}` : `\n${next}`);
    last = next;
  }
  return statusCode(status);
}

const GOOD = new Set(['Synced', 'Healthy']);
const BAD = new Set(['Degraded', 'OutOfSync', 'Missing']);

function row({ ref, host, sync, health, address, restarts, image, reason }: StatusItem, io: Io): string[] {
  const word = (text: string): string => tint(io, GOOD.has(text) ? 'green' : BAD.has(text) ? 'red' : 'yellow', text);
  return [
    ref.slice(ref.indexOf('/') + 1),
    host === '' ? '-' : host,
    address ?? '-',
    word(sync),
    word(health),
    restarts === undefined ? '-' : String(restarts),
    image ?? '-',
    reason,
  ];
}

/** The table has told that already, beside the replica that it is about. */
function inTable({ items }: Status, message: string): boolean {
  return items.some(({ reason }) => reason.includes(': ') && message.endsWith(reason.slice(reason.indexOf(': '))));
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${String(seconds)} s`;
  return seconds < 7200 ? `${String(Math.round(seconds / 60))} min` : `${String(Math.round(seconds / 3600))} h`;
}

/** The status as a person reads it: one line for the whole, a table of replicas, then what needs to be known. */
export function renderStatus(status: Status, io: Io): string {
  const { source } = status;
  const lines: string[] = [];
  const good = status.sync === 'Synced' && status.health === 'Healthy';
  const word = tint(io, good ? 'green' : 'yellow', `${status.sync}, ${status.health}`);
  lines.push(`${status.revision === '' ? 'no revision yet' : `revision ${status.revision.slice(0, 7)}`}  ${word}`);
  if (source?.error !== undefined)
    lines.push(
      `source ${source.url} ${source.ref}: last fetched ${age(Date.now() - source.fetchedAt)} ago: ${source.error}`,
    );
  lines.push(
    '',
    table(
      ['REPLICA', 'HOST', 'ADDRESS', 'SYNC', 'HEALTH', 'RESTARTS', 'IMAGE', 'STATE'],
      status.items.map((item) => row(item, io)),
    ),
  );
  if (status.items.length === 0) lines.push('(no replicas)');
  if (status.problems > 0)
    lines.push('', `${counted(status.problems, 'problem')} in the manifests: plumb validate tells more`);
  for (const { ref, path, state, why } of status.limitations) lines.push(`${state}: ${ref} ${path}: ${why}`);
  lines.push(
    ...status.held.map((what) => `held: ${what}`),
    ...status.messages.filter((text) => !inTable(status, text)),
  );
  return `${lines.join('\n')}\n`;
}
