import { nearest } from '../../reconciler/compile/suggest.ts';
import type { Catalog, HostSpec, Resource } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { isEmptied } from '../../reconciler/model/notice.ts';
import type { Draining } from '../../reconciler/model/notice.ts';
import { NOBODY } from '../../reconciler/loop/fleet-status.ts';
import { unheardText } from '../../reconciler/loop/status/hosts-told.ts';
import type { LocalView } from '../../reconciler/loop/status/view.ts';
import { counted } from '../../reconciler/model/words.ts';
import { foreseeDrain, type Foreseen } from '../../reconciler/place/foresee.ts';
import type { UpFlags } from '../flags.ts';
import type { StoreFlags } from '../fleet-store.ts';
import { writeDrain, type Written } from '../host-edit.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse } from '../options.ts';
import { questionOptions, viewsOf, withQuestion, type Question } from '../question.ts';
import { table, tint } from '../table.ts';
import { withView } from '../view.ts';

interface Options extends UpFlags, StoreFlags {
  readonly output: 'text' | 'json';
  readonly undo?: boolean;
  readonly watch?: boolean;
  readonly write?: boolean;
}

/** The line of Git that must change, as nothing but Git says what a host is to be. */
interface Edit {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const EXAMPLES = `plumb drain h3
plumb drain h3 --write && git commit -am 'Drain h3' && git push
plumb drain h3 --watch
plumb drain h3 --undo`;

/** `plumb drain HOST`: which line empties a host, what would become of it, and with `--watch` how far it is. 0 all leaves, 2 something stays. */
export async function drainCommand(argv: readonly string[], io: Io): Promise<number> {
  const description =
    'Say which line of Git drains a host and where its replicas would go, or how far that is. Only a commit changes what is: Git says what is wanted.';
  const cmd = command('drain', description, EXAMPLES, io)
    .argument('<host>', 'name of a Host')
    .addOption(outputOption('text', 'json'))
    .option('--undo', 'say which line takes it back')
    .option('--write', 'write that into the file of the work tree, to be committed')
    .option('-w, --watch', 'show how far it is whenever that changes, until nothing is left or interrupted');
  questionOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const name = (parsed.args[0] ?? '').replace(/^host\//i, '');
  if (options.watch === true && options.write === true)
    throw new PlumbError('USAGE', '--watch shows what is committed: --write first, commit, then --watch');
  if (options.watch === true) return withView(options, io, (view) => watch(name, view, options, io));
  return withQuestion(options, io, (question) => foreseen(question, name, options, io));
}

async function foreseen({ catalogs, look }: Question, name: string, options: Options, io: Io): Promise<number> {
  const catalog = await catalogs.at(undefined);
  const host = hostIn(catalog, name);
  const undo = options.undo === true;
  const edit = editOf(host, undo);
  // HEAD says nothing of a change of the work tree that is not committed yet
  const written = options.write ? await writeDrain(options, host.origin.file, { name, drain: !undo }, io) : undefined;
  const asked = { version: 1, host: name, drained: host.spec.drain, ...(edit ? { edit } : {}) };
  const json = (more: object): string =>
    `${JSON.stringify({ ...asked, ...(written ? { written } : {}), ...more }, null, 2)}\n`;
  const next = nextText(name, edit, written, undo);
  if (undo) {
    io.out(options.output === 'json' ? json({}) : `${next}\n`);
    return 0;
  }
  const { known } = await look(catalog);
  const seen = foreseeDrain({ catalog, hosts: viewsOf(catalog, known), now: Date.now(), ...known }, name);
  io.out(options.output === 'json' ? json(seen) : foreseenText(name, next, seen, io));
  return seen.staying.length === 0 && !seen.unheard ? 0 : 2;
}

function hostIn({ hosts }: Catalog, name: string): Resource<HostSpec> {
  const host = hosts.get(name);
  if (host) return host;
  const near = nearest(name, [...hosts.keys()]);
  throw new PlumbError('USAGE', `no Host ${name} in Git${near === undefined ? '' : `; did you mean ${near}?`}`);
}

/** What to change; undefined when Git says so already. */
function editOf({ name, spec, origin, fields }: Resource<HostSpec>, undo: boolean): Edit | undefined {
  if (spec.drain !== undo) return undefined;
  const written = fields['/spec/drain'];
  const { file, line } = written ?? origin;
  if (undo) return { file, line, text: 'remove drain: true' };
  return { file, line, text: written ? 'write drain: true' : `give Host ${name} spec.drain: true` };
}

/** What to do now, for people. */
function nextText(name: string, edit: Edit | undefined, written: Written | undefined, undo: boolean): string {
  const end = undo ? `new replicas may come to ${name} then` : `then see plumb drain ${name} --watch`;
  if (!edit) {
    const back = written?.changed === true ? `wrote drain: ${String(!undo)} into ${written.path}; ` : '';
    return `${back}${undo ? `Git does not drain ${name}` : `Git drains ${name} already; see plumb drain ${name} --watch`}`;
  }
  if (!written) return `${edit.file}:${String(edit.line)}: ${edit.text}, and commit it; ${end}`;
  const { path, changed } = written;
  const said = `drain: ${String(!undo)}`;
  return `${changed ? `wrote ${said} into ${path}` : `${path} says ${said} already`}: commit it, and push; ${end}`;
}

function foreseenText(name: string, next: string, seen: Foreseen, io: Io): string {
  const { moves, waits, staying, leaving, displaced, unheard } = seen;
  const lines = [tint(io, 'bold', next), ''];
  if (leaving.length > 0) lines.push(`leaving already: ${leaving.join(', ')}`);
  else if (moves.length + staying.length === 0)
    lines.push(unheard ? `What is on ${name} is not known: it has not reported.` : `Nothing is on ${name}.`);
  if (moves.length > 0)
    lines.push(
      ...(leaving.length > 0 ? [''] : []),
      table(
        ['MOVES WITH ITS ADDRESS', 'TO'],
        moves.map(({ replica, to }) => [replica, to]),
      ),
    );
  if (waits.length > 0)
    lines.push(
      '',
      table(
        ['APP', 'WAITS FOR ITS TURN NOW BECAUSE'],
        waits.map(({ app, why }) => [app, why]),
      ),
    );
  if (displaced.length > 0)
    lines.push(
      '',
      table(
        ['MAKES ROOM', 'FOR', 'AND GOES TO'],
        displaced.map(({ replica, by, to }) => [replica, by, to ?? 'no place']),
      ),
    );
  if (staying.length > 0) lines.push(...(moves.length + leaving.length > 0 ? [''] : []), stayingTable(staying));
  return `${lines.join('\n')}\n`;
}

function stayingTable(staying: Draining['staying']): string {
  return table(
    ['STAYS', 'BECAUSE'],
    staying.map(({ replica, why }) => [replica, why]),
  );
}

/** How far a drain is, as a person reads it. */
export function drainText(name: string, draining: Draining | undefined, io: Pick<Io, 'color'>): string {
  if (!draining) return `${name} is not drained, as far as the controller knows Git\n`;
  const { staying, leaving } = draining;
  if (isEmptied(draining)) return `${tint(io, 'green', `${name} is drained: nothing is left on it`)}\n`;
  if (staying.length + leaving.length === 0) return `${unheardText(name)}\n`;
  const lines = [`${name}: ${counted(leaving.length, 'replica')} leaving, ${String(staying.length)} to go`];
  if (leaving.length > 0) lines.push(`leaving: ${leaving.join(', ')}`);
  if (staying.length > 0) lines.push('', stayingTable(staying));
  return `${lines.join('\n')}\n`;
}

/** How long a commit that drains may take to be heard of, milliseconds. */
const UNHEARD = 60_000;

/** Until nothing is left (0), the drain is undone or somebody interrupts (2). What Git says may take a while to be heard. */
async function watch(name: string, view: LocalView, options: Options, io: Io): Promise<number> {
  let last = '';
  let led = true;
  const until = Date.now() + UNHEARD;
  for (let begun = false; ; await new Promise((resolve) => setTimeout(resolve, 500))) {
    const status = await view.status();
    const { silence } = status;
    if (silence === NOBODY) throw new PlumbError('USAGE', NOBODY);
    if (led && silence !== undefined) io.err(`${silence}\n`);
    led = silence === undefined;
    const draining = status.draining.find(({ host }) => host === name);
    const json = { version: 1, host: name, drained: draining !== undefined, staying: [], leaving: [], ...draining };
    const next = options.output === 'json' ? `${JSON.stringify(json)}\n` : drainText(name, draining, io);
    if (next !== last) io.out(io.isTTY && options.output === 'text' ? `\u001b[H\u001b[2J${next}` : next);
    last = next;
    if (draining && isEmptied(draining)) return 0;
    if (!begun && !draining && Date.now() > until)
      throw new PlumbError(
        'USAGE',
        `Git does not drain ${name}, as far as its controller knows: plumb drain ${name} says what to commit`,
      );
    if ((begun && !draining) || io.signal.aborted) return 2;
    begun = draining !== undefined;
  }
}
