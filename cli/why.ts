import { suggestion } from '../reconciler/compile/suggest.ts';
import { expand } from '../reconciler/plan/expand.ts';
import { canonical } from '../reconciler/model/fingerprint.ts';
import { formatValue } from '../reconciler/plan/render.ts';
import type { Desired, Origin } from '../reconciler/model/change.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { Entry } from '../reconciler/model/journal.ts';
import { isRef, kindOf, nameOf, refOf, type Ref } from '../reconciler/model/ref.ts';
import { liveValue } from '../reconciler/record/live.ts';
import { lastTouch } from '../reconciler/record/touch.ts';
import type { Known } from '../reconciler/loop/view.ts';
import type { Io } from './io.ts';
import { journalOf, type ReadJournal } from './journal.ts';
import { command, outputOption, parse } from './options.ts';
import { storeOptions } from './fleet-store.ts';
import { pathsOf, stateOptions, type Paths } from './paths.ts';
import { openMirrorOf } from './repository.ts';
import { storedKnown } from './stored.ts';
import { tint } from './table.ts';
import { openView, type Looking } from './view.ts';

interface Options extends Looking {
  readonly output: 'text' | 'json';
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
  /** The last time that Plumbline touched the ref. */
  readonly last?: { readonly at: string; readonly verb: string; readonly because: string; readonly result: string };
}

/** `plumb why REF [FIELD]`: from a live value to its line, commit and author. */
export async function whyCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'why',
    'Lead from a live value to its file, line, commit and author.',
    'plumb why container/web-0 memory\nplumb why port/web-0',
    io,
  )
    .argument('<ref>', 'the thing, as container/web-0 or sysctl/net.core.somaxconn')
    .argument('[field]', 'one of its fields; all of them if absent')
    .addOption(outputOption('text', 'json'));
  stateOptions(cmd);
  storeOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const [ref = '', field] = parsed.args;
  if (!isRef(ref)) throw new PlumbError('USAGE', `${ref} is no ref; write kind/name, as container/web-0`);
  const paths = pathsOf(options, io);
  const known = await knownOf(options, io);
  const journal = journalOf(options, io);
  const { want, host } = find(known, ref);
  const fields = field === undefined ? listed(want) : [resolved(known, want, field.replace(/^\//, ''))];
  const answers: Answer[] = [];
  for (const one of fields) answers.push(await answer(one, host, known, { paths, journal, io }));
  io.out(
    options.output === 'json'
      ? `${JSON.stringify({ version: 1, answers }, null, 2)}\n`
      : answers.map((a) => text(a, io)).join('\n'),
  );
  return 0;
}

/** Where an answer is looked up. */
interface Sources {
  readonly paths: Paths;
  readonly journal: ReadJournal;
  readonly io: Io;
}

async function knownOf(options: Options, io: Io): Promise<Known> {
  const opened = await openView(options, io);
  try {
    return await opened.view.known();
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'NOT_RUNNING')
      return await storedKnown(pathsOf(options, io).state);
    throw error;
  } finally {
    await opened.close();
  }
}

interface Found {
  readonly want: Desired;
  readonly host: string;
}

function find({ assignments }: Known, ref: Ref): Found {
  const all: string[] = [];
  for (const assignment of assignments)
    for (const want of expand(assignment)) {
      if (want.ref === ref) return { want, host: assignment.host };
      if (kindOf(want.ref) === kindOf(ref)) all.push(want.ref);
    }
  const hint = suggestion(ref, all, `of ${kindOf(ref)} there are`);
  throw new PlumbError('USAGE', `nothing in Git asks for ${ref}${hint === undefined ? '' : `; ${hint}`}`);
}

interface Field {
  readonly want: Desired;
  readonly field: string;
}

/** The fields that a manifest sets. */
function listed(want: Desired): Field[] {
  const fields = Object.keys(want.fields ?? {}).map((path) => ({ want, field: path.slice(1) }));
  return fields.length > 0 ? fields : Object.keys(want.spec as object).map((field) => ({ want, field }));
}

/** A field of the ref, or of the cgroup or port of the same replica: to its user a container has memory and an address. */
function resolved({ assignments }: Known, want: Desired, field: string): Field {
  if (field in (want.spec as object)) return { want, field };
  const refs = ['cgroup', 'port', 'sandbox', 'container'].map((kind) => refOf(kind, nameOf(want.ref)));
  const siblings = assignments.flatMap((assignment) => expand(assignment)).filter(({ ref }) => refs.includes(ref));
  const other = siblings.find(({ spec }) => field in (spec as object));
  if (other) return { want: other, field };
  const fields = [want, ...siblings].flatMap(({ spec }) => Object.keys(spec as object));
  const hint = suggestion(field, [...new Set(fields)], 'it has');
  throw new PlumbError('USAGE', `${want.ref} has no field ${field}${hint === undefined ? '' : `; ${hint}`}`);
}

async function answer(
  { want, field }: Field,
  host: string,
  known: Known,
  { paths, journal, io }: Sources,
): Promise<Answer> {
  const observed = known.reports.find((report) => report.host === host)?.observed.find(({ ref }) => ref === want.ref);
  const have = observed?.known === true ? liveValue(observed.state as object, field) : undefined;
  const origin = want.fields?.[`/${field}`];
  const base = { ref: want.ref, field, host, want: (want.spec as Readonly<Record<string, unknown>>)[field], have };
  const last = await lastOf(journal, { ref: want.ref, host }, field, io);
  return { ...base, ...(origin ? await blamed(origin, paths, io) : {}), ...(last ? { last } : {}) };
}

async function blamed(origin: Origin, { state }: Paths, io: Io): Promise<Partial<Answer>> {
  const { revision, file, line, column } = origin;
  const place = { file, line, column };
  const source = await openMirrorOf(state, io);
  if (!source) return place;
  const { revision: id, author, email, time, subject } = await source.blame(revision, file, line);
  return { ...place, commit: id, author: `${author} <${email}>`, date: new Date(time).toISOString(), subject };
}

/** The last change that set the field. */
async function lastOf(
  journal: ReadJournal,
  about: { readonly ref: Ref; readonly host: string },
  field: string,
  io: Io,
): Promise<Answer['last']> {
  const entries: Entry[] = [];
  for await (const entry of journal({ ...about, types: ['intent', 'outcome'] }, false, io.signal)) entries.push(entry);
  const touch = lastTouch(entries, field) ?? lastTouch(entries);
  if (!touch) return undefined;
  const { at, verb, because } = touch.intent;
  return { at: new Date(at).toISOString(), verb, because, result: touch.outcome?.result ?? 'running' };
}

function text(answer: Answer, io: Io): string {
  const { ref, field, host, want, have, file, line, commit, author, date, subject, last } = answer;
  const differs = have !== undefined && canonical(have) !== canonical(want);
  const seen = differs ? `, but ${formatValue(field, have)} there now` : '';
  const lines = [
    `${tint(io, 'bold', `${ref} ${field}`)} is ${differs ? 'to be ' : ''}${formatValue(field, want)} on ${host}${seen}`,
  ];
  lines.push(file === undefined ? '  set by   no line: it is a default' : `  set by   ${file}:${String(line)}`);
  if (commit !== undefined)
    lines.push(`  commit   ${commit.slice(0, 7)}  ${subject ?? ''}`, `  author   ${author ?? ''}, ${date ?? ''}`);
  // what the last change set is not what is wanted now, where the host has something else
  const label = differs ? 'last set' : 'applied ';
  if (last) lines.push(`  ${label} ${last.at}: ${last.verb} (${last.because}) ${last.result}`);
  return `${lines.join('\n')}\n`;
}
