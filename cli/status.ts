import { statusCode, type Status, type StatusItem } from '../reconciler/loop/status.ts';
import { counted } from '../reconciler/model/words.ts';
import type { LocalView } from '../reconciler/loop/view.ts';
import type { Io } from './io.ts';
import { command, outputOption, parse } from './options.ts';
import { table, tint } from './table.ts';
import { scoped, type Scoped } from './status-scope.ts';
import { viewOptions, withView, type Looking } from './view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
  readonly watch?: boolean;
  readonly all?: boolean;
}

/** `plumb status`: 0 all Synced and Healthy, 1 error, 2 OutOfSync or Degraded. */
export async function statusCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'status',
    'Show whether everything is as Git says, and healthy: the whole, or a part.',
    'plumb status\nplumb status --watch\nplumb status host/h1\nplumb status app/web --store redis://10.0.0.5',
    io,
  )
    .argument('[part]', 'app/NAME, zone/NAME, rack/NAME, switch/NAME or host/NAME')
    .addOption(outputOption('text', 'json'))
    .option('-a, --all', 'every replica, also where they are many and well')
    .option('-w, --watch', 'show it again whenever it changes, until interrupted');
  viewOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  return withView(options, io, (view) => watched(view, parsed.args[0], options, io));
}

/** Shows the status, once or again and again; gives the exit status of the last. */
async function watched(view: LocalView, part: string | undefined, options: Options, io: Io): Promise<number> {
  const look = async (): Promise<Scoped> => {
    const status = await view.status();
    return part === undefined ? { status, lines: [] } : scoped(status, await view.known(), part);
  };
  const show = ({ status, lines }: Scoped): string =>
    options.output === 'json'
      ? `${JSON.stringify(part === undefined ? status : { ...status, part }, null, 2)}\n`
      : renderStatus(status, io, { lines, all: options.all === true });
  let status = await look();
  io.out(show(status));
  for (let last = show(status); options.watch === true && !io.signal.aborted;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    status = await look();
    const next = show(status);
    if (next !== last) io.out(io.isTTY ? `\u001b[H\u001b[2J${next}` : `\n${next}`);
    last = next;
  }
  return statusCode(status.status);
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

/** More replicas than these do not fit on a screen. */
const SCREEN = 50;

function isWell({ sync, health }: StatusItem): boolean {
  return sync === 'Synced' && health === 'Healthy';
}

/** Of many replicas those that are not well, then as many of the others as fit. */
function shownOf(items: readonly StatusItem[], all: boolean): readonly StatusItem[] {
  if (all || items.length <= SCREEN) return items;
  const unwell = items.filter((item) => !isWell(item));
  return [...unwell, ...items.filter(isWell)].slice(0, SCREEN);
}

/** The status as a person reads it: one line for the whole, a table of replicas, then what needs to be known. */
export function renderStatus(
  status: Status,
  io: Io,
  { lines: about = [], all = false }: { readonly lines?: readonly string[]; readonly all?: boolean } = {},
): string {
  const { source } = status;
  const lines: string[] = [];
  const good = status.sync === 'Synced' && status.health === 'Healthy';
  const word = tint(io, good ? 'green' : 'yellow', `${status.sync}, ${status.health}`);
  lines.push(`${status.revision === '' ? 'no revision yet' : `revision ${status.revision.slice(0, 7)}`}  ${word}`);
  lines.push(...about);
  if (source?.error !== undefined)
    lines.push(
      `source ${source.url} ${source.ref}: last fetched ${age(Date.now() - source.fetchedAt)} ago: ${source.error}`,
    );
  const shown = shownOf(status.items, all);
  lines.push(
    '',
    table(
      ['REPLICA', 'HOST', 'ADDRESS', 'SYNC', 'HEALTH', 'RESTARTS', 'IMAGE', 'STATE'],
      shown.map((item) => row(item, io)),
    ),
  );
  if (status.items.length === 0) lines.push('(no replicas)');
  const hidden = status.items.filter((item) => !shown.includes(item));
  if (hidden.length > 0) {
    const unwell = hidden.filter((item) => !isWell(item)).length;
    const rest = unwell === 0 ? 'all Synced and Healthy' : `${String(unwell)} of them not well`;
    lines.push(`… and ${String(hidden.length)} more, ${rest}: --all shows them`);
  }
  if (status.problems > 0)
    lines.push('', `${counted(status.problems, 'problem')} in the manifests: plumb validate tells more`);
  for (const { ref, path, state, why } of status.limitations) lines.push(`${state}: ${ref} ${path}: ${why}`);
  lines.push(
    ...status.held.map((what) => `held: ${what}`),
    ...status.messages.filter((text) => !inTable(status, text)),
  );
  return `${lines.join('\n')}\n`;
}
