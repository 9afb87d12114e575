import { isWell, statusCode, type Status, type StatusItem } from '../../reconciler/loop/status/status.ts';
import type { Claim } from '../../reconciler/model/change.ts';
import { kindOf, nameOf } from '../../reconciler/model/ref.ts';
import { counted } from '../../reconciler/model/words.ts';
import { pause } from '../../reconciler/loop/pause.ts';
import type { LocalView } from '../../reconciler/loop/status/view.ts';
import type { Io } from '../io.ts';
import { memoryCell, reclaimedText } from '../memory-text.ts';
import { command, outputOption, parse } from '../options.ts';
import { staleText } from '../source-text.ts';
import { groupLines } from '../status-groups.ts';
import { cut, fitted, narrowed, table, terminalWidth, tint } from '../table.ts';
import { scoped, type Scoped } from '../status-scope.ts';
import { viewOptions, withView, type Looking } from '../view.ts';

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
    .option('-a, --all', 'every item, also where that is more than a screen')
    .option('-w, --watch', 'show it again whenever it changes, until interrupted');
  viewOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  return withView(options, io, (view) => watched(view, parsed.args[0], options, io));
}

/** Who watches looks again after this, milliseconds, and after so many times as long as a look took: a large fleet's store has other work. */
const AGAIN = 500;
const REST = 4;
/** Who watches sees one screen. */
const MORE = 'a larger window, or --all, shows them';

/** Shows the status, once or again and again; gives the exit status of the last. */
async function watched(view: LocalView, part: string | undefined, options: Options, io: Io): Promise<number> {
  const look = async (): Promise<Scoped> => scoped(await view.status(), part);
  const show = (seen: Scoped): string =>
    options.output === 'json'
      ? `${JSON.stringify(part === undefined ? seen.status : { ...seen.status, part }, null, 2)}\n`
      : renderStatus(seen, io, options.all === true);
  const screen = (text: string): string =>
    io.isTTY ? `\u001b[H\u001b[2J${options.all || options.output === 'json' ? text : fitted(text, MORE)}` : `\n${text}`;
  let seen = await look();
  io.out(options.watch === true && io.isTTY ? screen(show(seen)) : show(seen));
  for (let last = show(seen), took = 0; options.watch === true && !io.signal.aborted;) {
    await pause(Math.max(AGAIN, REST * took), io.signal);
    const began = performance.now();
    seen = await look();
    took = performance.now() - began;
    const next = show(seen);
    if (next !== last) io.out(screen(next));
    last = next;
  }
  return statusCode(seen.status);
}

const GOOD = new Set(['Synced', 'Healthy']);
const BAD = new Set(['Degraded', 'OutOfSync', 'Missing']);

/** Of a reason as much as a line of a table takes; `-o json` and `plumb why` have all of it. */
function brief(reason: string): string {
  return cut(reason.replace(/\s+/g, ' ').trim(), 100);
}

function row(item: StatusItem, io: Io, memory: boolean): string[] {
  const { ref, host, sync, health, address, restarts, image, reason } = item;
  const word = (text: string): string => tint(io, GOOD.has(text) ? 'green' : BAD.has(text) ? 'red' : 'yellow', text);
  return [
    ref.slice(ref.indexOf('/') + 1),
    host === '' ? '-' : host,
    address ?? '-',
    word(sync),
    word(health),
    restarts === undefined ? '-' : String(restarts),
    ...(memory ? [memoryCell(item.memory)] : []),
    image ?? '-',
    brief(reason),
  ];
}

/** The table has told that already, beside the replica that it is about. */
function inTable(items: readonly StatusItem[], message: string): boolean {
  return items.some(({ reason }) => reason.includes(': ') && message.endsWith(reason.slice(reason.indexOf(': '))));
}

/** A limit or knob that is told of with its host says that as well. */
function inLimitations({ limitations }: Status, message: string): boolean {
  return limitations.some(({ host, ref, why }) => {
    const head = `${host}: ${ref}: `;
    return message.startsWith(head) && why.includes(message.slice(head.length));
  });
}

/** More replicas than these do not fit on a screen, and more than those not below a table of groups. */
const SCREEN = 50;
const BESIDE = 15;
/** What a narrow terminal does without, the first of them first: which replica it is, and how it is, stays. */
const LEAVES = ['IMAGE', 'RESTARTS', 'ADDRESS', 'MEMORY (KERNEL)', 'SYNC', 'HOST', 'HEALTH'];

/** Of what is said of one kind, so much. */
const SAID = 6;

interface Showing {
  readonly most: number;
  readonly well: boolean;
  readonly memory: boolean;
  readonly width: number | undefined;
}

/** Of many replicas those that are not well, then as many of the others as fit. */
function replicaLines(
  { items }: Status,
  io: Io,
  { most, well, memory, width }: Showing,
): { readonly shown: readonly StatusItem[]; readonly lines: readonly string[] } {
  const unwell = items.filter((item) => !isWell(item));
  const shown = items.length <= most ? items : [...unwell, ...(well ? items.filter(isWell) : [])].slice(0, most);
  const rows = shown.map((item) => row(item, io, memory));
  const used = memory ? ['MEMORY (KERNEL)'] : [];
  const head = ['REPLICA', 'HOST', 'ADDRESS', 'SYNC', 'HEALTH', 'RESTARTS', ...used, 'IMAGE', 'STATE'];
  const lines =
    rows.length > 0 || items.length === 0 ? ['', table(...narrowed(head, rows, LEAVES, width), width)] : [''];
  if (items.length === 0) lines.push('(no replicas)');
  const hidden = items.length - shown.length;
  if (hidden > 0) {
    const left = unwell.length - shown.filter((item) => !isWell(item)).length;
    const rest = left === 0 ? 'all Synced and Healthy' : `${String(left)} of them not well`;
    lines.push(
      rows.length === 0
        ? `${String(hidden)} replicas, ${rest}: --all shows them`
        : `… and ${String(hidden)} more, ${rest}: --all shows them`,
    );
  }
  return { shown, lines };
}

function some(lines: readonly string[], all: boolean): readonly string[] {
  if (all || lines.length <= SAID) return lines;
  return [...lines.slice(0, SAID - 1), `… and ${String(lines.length - SAID + 1)} more such lines: --all shows them`];
}

/** The first, and how many more there are. */
function firstOf(some: ReadonlySet<string>, others: string): string {
  const [first = '', ...more] = some;
  return more.length === 0 ? first : `${first} and ${counted(more.length, others)}`;
}

/** What cannot be held, each once, with the hosts that cannot; what is the same for many replicas is told of the first. */
function limitationLines({ items, limitations }: Status): readonly string[] {
  const replicas = new Set(items.map(({ ref }) => nameOf(ref)));
  const found = new Map<string, { readonly refs: Set<string>; readonly hosts: Set<string> }>();
  for (const { host, ref, path, state, why, fix = '' } of limitations) {
    const about = replicas.has(nameOf(ref)) ? kindOf(ref) : ref;
    const key = JSON.stringify([state, path, why, fix, about]);
    const { refs, hosts } = found.get(key) ?? { refs: new Set(), hosts: new Set() };
    found.set(key, { refs: refs.add(ref), hosts: hosts.add(host) });
  }
  return [...found].map(([key, { refs, hosts }]) => {
    const [state, path, why, fix] = JSON.parse(key) as [string, string, string, string];
    const mend = fix === '' ? '' : `; mend: ${fix}`;
    return `${state}: ${path} of ${firstOf(refs, 'other')}: ${why} (${firstOf(hosts, 'other host')})${mend}`;
  });
}

/** What gave back memory, and when. */
function reclaimLines(items: readonly StatusItem[]): readonly string[] {
  return items.flatMap(({ ref, memory }) => {
    const text = memory && reclaimedText(memory, Date.now());
    return text === undefined ? [] : [`${nameOf(ref)} ${text}`];
  });
}

/** A value that somebody else sets: who, when, and what leaves it to Git. */
export function conflictWords({ ref, by, when, value, fix }: Claim): string {
  return `${ref}: ${by} sets it${value === undefined ? '' : ` to ${value}`} ${when} (${fix})`;
}

/** Who else sets what is asked for, each once, with the hosts where that is so. */
function conflictLines({ conflicts = [] }: Status): readonly string[] {
  const found = new Map<string, Set<string>>();
  for (const { host, ...claim } of conflicts) {
    const line = conflictWords(claim);
    found.set(line, (found.get(line) ?? new Set()).add(host));
  }
  return [...found].map(([line, hosts]) => `conflict: ${line}, on ${firstOf(hosts, 'other host')}`);
}

/** Apps whose replicas wait for their turn, where nothing else is said of them. */
function behindLines({ behind = [], messages, held }: Status): readonly string[] {
  const told = new Set([...messages, ...held].flatMap((text) => text.match(/[a-z0-9-]+/g) ?? []));
  const rest = behind.filter(({ app }) => !told.has(app));
  const [first] = rest;
  if (!first) return [];
  const replicas = rest.reduce((sum, one) => sum + one.replicas, 0);
  const apps = firstOf(new Set(rest.map(({ app }) => app)), 'other App');
  const wait = replicas === 1 ? 'waits for its turn' : 'wait for their turn';
  return [`${counted(replicas, 'replica')} of ${apps} ${wait}: plumb explain app/${first.app} says for what`];
}

/** How many values stand how, where not all are as they should be. */
function knobLines({ hosts }: Status): readonly string[] {
  const sums = new Map<string, number>();
  for (const { knobs } of hosts)
    for (const [state, count] of Object.entries(knobs ?? {})) sums.set(state, (sums.get(state) ?? 0) + count);
  const told = [...sums].filter(([, count]) => count > 0).map(([state, count]) => `${String(count)} ${state}`);
  return told.length < 2 ? [] : [`knobs: ${told.join(', ')}`];
}

/** The status as a person reads it, on one screen but with `all`: one line for the whole, where there are many its parts, a table of replicas, then what needs to be known. */
export function renderStatus(
  { status, lines: about, levels, memory }: Scoped,
  io: Io,
  all = false,
  width: number | undefined = terminalWidth(),
): string {
  const { source } = status;
  const lines: string[] = [];
  const good = status.sync === 'Synced' && status.health === 'Healthy';
  const word = tint(io, good ? 'green' : 'yellow', `${status.sync}, ${status.health}`);
  lines.push(`${status.revision === '' ? 'no revision yet' : `revision ${status.revision.slice(0, 7)}`}  ${word}`);
  lines.push(...about);
  const stale = source && staleText(source);
  if (stale !== undefined) lines.push(stale);
  if (status.silence !== undefined) lines.push(status.silence);
  if (status.failing !== undefined)
    lines.push(`the last pass of the controller failed, and all stays as it was before: ${status.failing}`);
  const many = Math.max(status.items.length, status.hosts.length) > SCREEN;
  const groups = many ? groupLines(status, levels, io, { all, width }) : undefined;
  if (groups) lines.push('', ...groups);
  const most = all ? Infinity : groups ? BESIDE : SCREEN;
  const replicas = replicaLines(status, io, { most, well: groups === undefined, memory: memory === true, width });
  lines.push(...replicas.lines);
  if (status.problems > 0)
    lines.push('', `${counted(status.problems, 'problem')} in the manifests: plumb validate tells more`);
  lines.push(
    ...(memory === true ? some(reclaimLines(replicas.shown), all) : []),
    ...knobLines(status),
    ...some(limitationLines(status), all),
    ...some(conflictLines(status), all),
    ...some(
      status.held.map((what) => `held: ${what}`),
      all,
    ),
    ...some(
      status.messages.filter((text) => !inTable(replicas.shown, text) && !inLimitations(status, text)),
      all,
    ),
    ...behindLines(status),
  );
  return `${lines.join('\n')}\n`;
}

/** The status of all, as a person reads it. */
export function renderWhole(status: Status, io: Io): string {
  return renderStatus(scoped(status, undefined), io);
}
