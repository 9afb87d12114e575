import { suggestion } from '../../reconciler/compile/suggest.ts';
import { expand } from '../../reconciler/plan/expand.ts';
import { canonical } from '../../reconciler/model/fingerprint.ts';
import { formatValue } from '../../reconciler/plan/render.ts';
import type { Desired } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Entry, EntryQuery } from '../../reconciler/model/journal.ts';
import type { Report } from '../../reconciler/model/replica.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import { liveValue } from '../live.ts';
import { lastTouch } from '../../reconciler/record/touch.ts';
import { inLots } from '../../reconciler/loop/lots.ts';
import type { Known } from '../../reconciler/loop/status/view.ts';
import { createBlame, type Blame } from '../blame.ts';
import type { Io } from '../io.ts';
import { soundJournalOf, type ReadJournal } from '../journal.ts';
import { command, outputOption, parse, refFrom } from '../options.ts';
import { pathsOf } from '../paths.ts';
import { remembered } from '../stored.ts';
import { tint } from '../table.ts';
import { askRunning, viewOptions, withView, type Asked, type Looking } from '../view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
  readonly host?: string;
}

/** One value, with what stands behind it. */
interface Answer {
  readonly ref: Ref;
  readonly field: string;
  readonly host: string;
  readonly want: unknown;
  readonly have: unknown;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly commit?: string;
  readonly author?: string;
  readonly date?: string;
  readonly subject?: string;
  /** Why commit and author are not known here. */
  readonly unread?: string;
  /** What a controller last told of its replica: that it moved from a drained host, or why it stays. */
  readonly told?: { readonly at: string; readonly reason: string; readonly message: string };
  /** Why its replica is not as it should be, as its host says. */
  readonly trouble?: { readonly reason: string; readonly message: string };
  /** The last time that Plumbline touched the ref. */
  readonly last?: { readonly at: string; readonly verb: string; readonly because: string; readonly result: string };
}

/** `plumb why REF [FIELD]`: from a live value to its line, commit and author; on each host that is to have it. */
export async function whyCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'why',
    'Lead from a live value to its file, line, commit and author.',
    'plumb why container/web-0 memory\nplumb why port/web-0\nplumb why sysctl/net.core.somaxconn --host h1',
    io,
  )
    .argument('<ref>', 'the thing, as container/web-0 or sysctl/net.core.somaxconn')
    .argument('[field]', 'one of its fields; all of them if absent')
    .addOption(outputOption('text', 'json'))
    .option('--host <name>', 'only on this host');
  viewOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const [what = '', field] = parsed.args;
  const ref = refFrom(what);
  const { state } = pathsOf(options, io);
  return withView(options, io, async (view) => {
    const asked = (await askRunning(view)) ?? (await remembered(state));
    const answers = await answersOf(asked, { ref, field }, options, io);
    io.out(
      options.output === 'json'
        ? `${JSON.stringify({ version: 1, answers }, null, 2)}\n`
        : grouped(answers)
            .map((group) => text(group, io))
            .join('\n'),
    );
    return 0;
  });
}

/** What stands behind each value that is asked about. */
async function answersOf(
  { known, reports }: Asked,
  { ref, field }: { readonly ref: Ref; readonly field: string | undefined },
  options: Options,
  io: Io,
): Promise<readonly Answer[]> {
  const found = find(known, ref, options.host);
  const asked = found.flatMap((one) => (field === undefined ? listed(one) : [resolved(one, field.replace(/^\//, ''))]));
  const journal = soundJournalOf(options, io);
  const touches = await touchesOf(journal, asked, io);
  const told = await toldOf(journal, asked, io);
  const blame = createBlame(known, pathsOf(options, io).state, io);
  const said = await saidOf(reports, asked);
  const answers: Answer[] = [];
  for (const one of asked)
    answers.push({ ...(await answer(one, said.get(one.host), touches, blame)), ...(told ? { told } : {}) });
  return answers;
}

/** What the hosts of what is asked about last said, some at a time. Of what they observed only that is kept: of a whole fleet it would be gigabytes. */
async function saidOf(reports: Asked['reports'], asked: readonly Field[]): Promise<ReadonlyMap<string, Report>> {
  const refs = new Set(asked.map(({ want }) => want.ref));
  const said = new Map<string, Report>();
  for (const some of inLots([...new Set(asked.map(({ host }) => host))]))
    for (const report of await reports(some))
      said.set(report.host, { ...report, observed: report.observed.filter(({ ref }) => refs.has(ref)) });
  return said;
}

/** A thing as it is to be on a host, among all that is to be there. */
interface Found {
  readonly want: Desired;
  readonly host: string;
  readonly all: readonly Desired[];
}

function find({ assignments }: Known, ref: Ref, only: string | undefined): readonly Found[] {
  if (assignments.length === 0)
    throw new PlumbError(
      'NOT_RUNNING',
      'nothing is known here of what any host is to have: name the --state-dir of a plumb up, or ask a fleet with --store',
    );
  // of what one host is to have nothing is kept beside what is asked for: of a whole fleet it would be gigabytes
  const everywhere = assignments.flatMap((assignment): readonly Found[] => {
    const all = expand(assignment);
    const want = all.find((one) => one.ref === ref);
    return want ? [{ want, host: assignment.host, all }] : [];
  });
  const found = everywhere.filter(({ host }) => only === undefined || host === only);
  if (found.length > 0) return found;
  if (everywhere.length > 0) {
    const hosts = listing(everywhere.map(({ host }) => host));
    throw new PlumbError('USAGE', `nothing in Git asks for ${ref} on ${only ?? ''}; it is to be on ${hosts}`);
  }
  if (WHOLES.includes(kindOf(ref)))
    throw new PlumbError(
      'USAGE',
      `${ref} is several things: ask for one, as container/web-0, port/web-0 or sysctl/vm.swappiness`,
    );
  const refs = assignments.flatMap((assignment) => expand(assignment).map((want) => want.ref));
  const same = new Set(refs.filter((one) => kindOf(one) === kindOf(ref)));
  const hint = suggestion(ref, [...same], `of ${kindOf(ref)} there are`);
  throw new PlumbError('USAGE', `nothing in Git asks for ${ref}${hint === undefined ? '' : `; ${hint}`}`);
}

/** What is no one thing that a host has: `status` and `explain` tell of these. */
const WHOLES: readonly string[] = ['app', 'replica', 'host', 'zone', 'rack', 'switch', 'network', 'tuning'];

/** Kinds of the things of a replica, the ones that a field is looked for in first. */
const OF_REPLICAS: readonly string[] = ['cgroup', 'port', 'sandbox', 'container'];

/** More hosts than these are counted, not named. */
const NAMED = 5;

function listing(hosts: readonly string[]): string {
  const some = hosts.slice(0, NAMED).join(', ');
  return hosts.length > NAMED ? `${some} and ${String(hosts.length - NAMED)} more` : some;
}

interface Field {
  readonly want: Desired;
  readonly field: string;
  readonly host: string;
}

/** The fields that a manifest sets. */
function listed({ want, host }: Found): Field[] {
  const fields = Object.keys(want.fields ?? {}).map((path) => ({ want, host, field: path.slice(1) }));
  return fields.length > 0 ? fields : Object.keys(want.spec as object).map((field) => ({ want, host, field }));
}

/** A field of the ref, or of the cgroup or port of the same replica: to its user a container has memory and an address. */
function resolved({ want, host, all }: Found, field: string): Field {
  if (field in (want.spec as object)) return { want, host, field };
  const refs = OF_REPLICAS.map((kind) => refOf(kind, nameOf(want.ref)));
  const siblings = all.filter(({ ref }) => refs.includes(ref));
  const other = siblings.find(({ spec }) => field in (spec as object));
  if (other) return { want: other, host, field };
  const fields = [want, ...siblings].flatMap(({ spec }) => Object.keys(spec as object));
  const hint = suggestion(field, [...new Set(fields)], 'it has');
  throw new PlumbError('USAGE', `${want.ref} has no field ${field}${hint === undefined ? '' : `; ${hint}`}`);
}

async function answer(
  { want, field, host }: Field,
  report: Report | undefined,
  touches: ReadonlyMap<string, readonly Entry[]>,
  blame: Blame,
): Promise<Answer> {
  const observed = report?.observed.find(({ ref }) => ref === want.ref);
  const have = observed?.known === true ? liveValue(observed.state as object, field) : undefined;
  const origin = want.fields?.[`/${field}`];
  const base = { ref: want.ref, field, host, want: (want.spec as Readonly<Record<string, unknown>>)[field], have };
  const last = lastOf(touches.get(`${host} ${want.ref}`) ?? [], field);
  const trouble = troubleOf(report, want.ref);
  return {
    ...base,
    ...(origin ? await blame(origin) : {}),
    ...(trouble ? { trouble } : {}),
    ...(last ? { last } : {}),
  };
}

function troubleOf(report: Report | undefined, ref: Ref): Answer['trouble'] {
  if (!OF_REPLICAS.includes(kindOf(ref))) return undefined;
  const { reason, message } = report?.replicas.find(({ id }) => id === nameOf(ref)) ?? {};
  return reason === undefined ? undefined : { reason, message: message ?? '' };
}

/** The journals of more hosts than these are not read. */
const READ_HOSTS = 50;

/** The changes of what is asked about, by host and ref, oldest first. */
async function touchesOf(
  journal: ReadJournal,
  asked: readonly Field[],
  io: Io,
): Promise<ReadonlyMap<string, readonly Entry[]>> {
  const touches = new Map<string, Entry[]>();
  const hosts = [...new Set(asked.map(({ host }) => host))];
  if (hosts.length > READ_HOSTS) {
    io.err(`what each of ${String(hosts.length)} hosts did last is left out: ask for one with --host\n`);
    return touches;
  }
  const [host = ''] = hosts;
  for (const ref of new Set(asked.map(({ want }) => want.ref))) {
    const query: EntryQuery = { ref, types: ['intent', 'outcome'], ...(hosts.length === 1 ? { host } : {}) };
    for await (const entry of journal(query, false, io.signal)) {
      const key = `${entry.host} ${ref}`;
      const some = touches.get(key);
      if (some) some.push(entry);
      else touches.set(key, [entry]);
    }
  }
  return touches;
}

/** What was last told of where the replica is, if it is a thing of one: that it moved, or why it does not. */
async function toldOf(journal: ReadJournal, [first]: readonly Field[], io: Io): Promise<Answer['told']> {
  if (!first || !OF_REPLICAS.includes(kindOf(first.want.ref))) return undefined;
  let told: Answer['told'];
  const query: EntryQuery = { ref: refOf('replica', nameOf(first.want.ref)), types: ['event'] };
  for await (const entry of journal(query, false, io.signal))
    if (entry.type === 'event')
      told = { at: new Date(entry.at).toISOString(), reason: entry.reason, message: entry.message };
  return told;
}

/** The last change that set the field. */
function lastOf(entries: readonly Entry[], field: string): Answer['last'] {
  const touch = lastTouch(entries, field) ?? lastTouch(entries);
  if (!touch) return undefined;
  const { at, verb, because } = touch.intent;
  return { at: new Date(at).toISOString(), verb, because, result: touch.outcome?.result ?? 'running' };
}

/** Answers that differ in nothing but their host, and in when it was made so there. */
function grouped(answers: readonly Answer[]): readonly (readonly Answer[])[] {
  const groups = new Map<string, Answer[]>();
  for (const answer of answers) {
    const { host: _host, last: _last, ...rest } = answer;
    const key = canonical(rest);
    const group = groups.get(key);
    if (group) group.push(answer);
    else groups.set(key, [answer]);
  }
  return [...groups.values()];
}

/** One answer, for all hosts that it is the same on. */
function text(group: readonly Answer[], io: Io): string {
  const [first] = group;
  if (!first) return '';
  const { ref, field, want, have, file, line, commit, author, date, subject, unread } = first;
  const differs = have !== undefined && canonical(have) !== canonical(want);
  const seen = differs ? `, but ${formatValue(field, have)} there now` : '';
  const hosts = listing(group.map(({ host }) => host));
  const lines = [
    `${tint(io, 'bold', `${ref} ${field}`)} is ${differs ? 'to be ' : ''}${formatValue(field, want)} on ${hosts}${seen}`,
  ];
  lines.push(file === undefined ? '  set by   no line: it is a default' : `  set by   ${file}:${String(line)}`);
  if (commit !== undefined)
    lines.push(`  commit   ${commit.slice(0, 7)}  ${subject ?? ''}`, `  author   ${author ?? ''}, ${date ?? ''}`);
  if (unread !== undefined) lines.push(`  commit   not known here: ${unread}`);
  const [latest] = group.filter(({ last }) => last).sort((a, b) => ((a.last?.at ?? '') < (b.last?.at ?? '') ? 1 : -1));
  // what the last change set is not what is wanted now, where the host has something else
  const label = differs ? 'last set' : 'applied ';
  const where = group.length > 1 ? ` on ${latest?.host ?? ''}` : '';
  if (latest?.last) {
    const { at, verb, because, result } = latest.last;
    lines.push(`  ${label} ${at}${where}: ${verb} (${because}) ${result}`);
  }
  if (first.trouble) lines.push(`  state    ${first.trouble.reason}: ${first.trouble.message}`);
  if (first.told) lines.push(`  told     ${first.told.at}: ${first.told.message}`);
  return `${lines.join('\n')}\n`;
}
