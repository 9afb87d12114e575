import { readReport } from '../../model/protocol.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { Hold, Mail, Mailbox, News } from '../../model/store.ts';
import { isOver } from '../bell.ts';
import { assignmentIn, createAssignmentTexts } from './assignment-text.ts';
import type { AssignmentTexts } from './assignment-text.ts';
import type { ScriptCall } from './calls.ts';
import { fieldsOf } from './context.ts';
import type { Context, StreamReply } from './context.ts';
import { underOf, writtenBy } from './under.ts';

/** Documents, and hints, read at once. */
const DOCUMENTS = 100;
const HINTS = 1000;

async function hostsOf({ calls, keys }: Context): Promise<readonly string[]> {
  const [hosts] = await calls.ask(['smembers', keys.reporting]);
  return (hosts as string[]).sort();
}

async function readReports(context: Context, hosts: readonly string[]): Promise<readonly Report[]> {
  const reports: Report[] = [];
  for (let at = 0; at < hosts.length; at += DOCUMENTS) {
    const some = hosts.slice(at, at + DOCUMENTS);
    const [bodies] = await context.calls.ask(['mget', ...some.map((host) => context.keys.report(host))]);
    // whoever signs in as an agent can write to its own key, whatever that is
    for (const [index, body] of (bodies as readonly (string | null)[]).entries())
      if (body !== null) reports.push(readReport(some[index] ?? '', body));
  }
  return reports;
}

/** The last id that a stream can have. */
const LAST = '18446744073709551615-18446744073709551615';

/** The hints behind an id; undefined when some are no longer kept, or none fits behind the last. */
async function readHints({ calls, keys }: Context, at: string): Promise<StreamReply | undefined> {
  const [reply] = await calls.ask(['xrange', keys.mail, at, '+', 'COUNT', HINTS]);
  const hints = reply as StreamReply;
  if (hints.at(-1)?.[0] === LAST) return undefined;
  const [first, ...rest] = hints;
  if (at === '0-0') return first && hostIn(first[1]) === '' ? undefined : hints;
  return first?.[0] === at ? rest : undefined;
}

function hostIn(list: readonly string[]): string {
  return fieldsOf(list)['host'] ?? '';
}

/** The hints' mails, each once. Where hints began anew one is of no host. */
function mailsOf(hints: StreamReply, mails: Map<string, Mail>): void {
  for (const [, list] of hints) {
    const { host = '', what } = fieldsOf(list);
    if (host !== '') mails.set(`${String(what)}/${host}`, { host, what: what === 'report' ? what : 'assignment' });
  }
}

async function newsSince(context: Context, since: string | undefined): Promise<News> {
  if (since === undefined) return { mark: await lastHint(context), mails: [] };
  const mails = new Map<string, Mail>();
  for (let mark = since; ;) {
    const hints = await readHints(context, mark);
    if (!hints) return { mark: await lastHint(context), mails: undefined };
    mailsOf(hints, mails);
    mark = hints.at(-1)?.[0] ?? mark;
    if (hints.length < HINTS - 1) return { mark, mails: [...mails.values()] };
  }
}

/** All hosts' mail. Whoever missed hints is told of every host. */
async function* followAll(context: Context, start: Promise<string>, signal: AbortSignal): AsyncGenerator<Mail> {
  const ear = context.ears.on(context.keys.onMail);
  for (let at = await start; !isOver(signal);) {
    const rung = ear.next(signal);
    ear.check();
    const hints = await readHints(context, at);
    const mails = new Map<string, Mail>();
    if (hints) mailsOf(hints, mails);
    else
      for (const host of await hostsOf(context))
        for (const what of ['assignment', 'report'] as const) mails.set(`${what}/${host}`, { host, what });
    at = hints ? (hints.at(-1)?.[0] ?? at) : await lastHint(context);
    for (const mail of mails.values()) {
      if (isOver(signal)) return;
      yield mail;
    }
    if (mails.size === 0) await rung;
  }
}

/** Whoever signs in as an agent may add hints, also one behind which there is no room for others: then they begin anew. */
async function lastHint({ calls, keys, scripts }: Context): Promise<string> {
  const [reply] = await calls.ask(['xrevrange', keys.mail, '+', '-', 'COUNT', 1]);
  const last = (reply as StreamReply)[0]?.[0] ?? '0-0';
  if (last !== LAST) return last;
  const [begun] = await calls.write({ script: scripts.begin, keys: [keys.mail], args: [LAST] });
  return String(begun);
}

/** Another with each Assignment that was written, whatever the server may have lost before. */
async function versionOf({ calls, keys }: Context, host: string): Promise<string> {
  const key = keys.assignment(host);
  return (await calls.ask(['hget', key, 'version'], ['hget', key, 'mail'])).join();
}

/** One member of the Assignment of each host. */
async function membersOf(
  { calls, keys }: Context,
  hosts: readonly string[],
  member: string,
): Promise<readonly unknown[]> {
  return hosts.length === 0 ? [] : calls.ask(...hosts.map((host) => ['hget', keys.assignment(host), member] as const));
}

/** Those of the hosts whose Assignment is of another generation: a fleet that asks now and then for nothing new must not be sent it all. */
async function stale(context: Context, known: ReadonlyMap<string, number | undefined>): Promise<readonly string[]> {
  const asked = [...known].flatMap(([host, generation]) => (generation === undefined ? [] : [host]));
  const there = await membersOf(context, asked, 'generation');
  const same = new Set(asked.filter((host, at) => there[at] !== null && Number(there[at]) === known.get(host)));
  return [...known.keys()].filter((host) => !same.has(host));
}

async function readAssignments(
  context: Context,
  known: ReadonlyMap<string, number | undefined>,
): Promise<readonly Assignment[]> {
  const found: Assignment[] = [];
  const hosts = await stale(context, known);
  for (let at = 0; at < hosts.length; at += DOCUMENTS)
    for (const body of await membersOf(context, hosts.slice(at, at + DOCUMENTS), 'body'))
      if (typeof body === 'string') found.push(assignmentIn(body));
  return found;
}

function assignCall(
  context: Context,
  assignments: readonly Assignment[],
  texts: AssignmentTexts,
  under: Hold | undefined,
): ScriptCall {
  const { keys, keep, scripts, incarnation } = context;
  const lease = underOf(context, under);
  const words = assignments.flatMap((one) => [one.host, one.generation, texts.of(one), keys.onAssignment(one.host)]);
  return {
    script: scripts.assign,
    keys: [keys.incarnation, keys.mail, ...assignments.map(({ host }) => keys.assignment(host)), ...lease.keys],
    args: [incarnation, keep.mails, keys.onMail, ...lease.args, ...words],
  };
}

/** The Assignments of one host, without a look at anybody else's mail. */
async function* followOne(
  context: Context,
  host: string,
  start: Promise<unknown>,
  signal: AbortSignal,
): AsyncGenerator<Mail> {
  const ear = context.ears.on(context.keys.onAssignment(host));
  for (let seen = await start; !isOver(signal);) {
    const rung = ear.next(signal);
    ear.check();
    const version = await versionOf(context, host);
    if (version === seen) {
      await rung;
      continue;
    }
    seen = version;
    if (!isOver(signal)) yield { host, what: 'assignment' };
  }
}

/** The mailbox on Redis, of a fleet or, for an agent, of one host. */
export function createMailbox(context: Context, host: string | undefined): Mailbox {
  const { calls, keys, keep, shown } = context;
  const texts = createAssignmentTexts();
  let underWay = 0;
  const assignAll: Mailbox['assignAll'] = async (assignments, under) => {
    if (assignments.length === 0) return [];
    underWay += 1;
    try {
      const [reply] = await calls.write(assignCall(context, assignments, texts, under));
      return (writtenBy(reply, under, shown) as readonly number[]).map((stored) => stored === 1);
    } finally {
      underWay -= 1;
      // who writes many has the next ones under way by now
      if (underWay === 0) texts.forget();
    }
  };
  return {
    assign: async (assignment, under) => (await assignAll([assignment], under))[0] === true,
    assignAll,
    assignment: async (host, known) => (await readAssignments(context, new Map([[host, known]])))[0],
    assignments: (known) => readAssignments(context, known),
    report: async (report) => {
      // no script: an agent's user may add to the hints and not change them
      await calls.write(
        ['sadd', keys.reporting, report.host],
        ['set', keys.report(report.host), JSON.stringify(report)],
        ['xadd', keys.mail, 'MAXLEN', '~', keep.mails, '*', 'host', report.host, 'what', 'report'],
        ['publish', keys.onMail, report.host],
      );
    },
    reporting: () => hostsOf(context),
    reports: (hosts) => readReports(context, hosts),
    news: (since) => newsSince(context, since),
    // where it starts is asked now, not when somebody begins to iterate
    follow: (signal) => {
      if (host !== undefined) return followOne(context, host, held(versionOf(context, host)), signal);
      return followAll(context, held(lastHint(context)), signal);
    },
  };
}

/** A promise whose failure is met by whoever awaits it, and by nobody else. */
function held<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
