import type { ChildProcess } from 'node:child_process';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Mailbox } from '../../reconciler/model/store.ts';

/** Lines of a kind that a failed wait shows, and characters of each. */
const [LINES, WIDTH] = [8, 240];
/** Lines of one process that are kept, and of all processes together that are shown. */
const [KEPT, PRINTED] = [30, 40];

const short = (revision = ''): string => revision.slice(0, 7);
const cut = (line: string): string => (line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line);

function few(lines: readonly string[]): readonly string[] {
  const more = lines.length - LINES;
  return [...lines.slice(0, LINES).map((line) => `  ${cut(line)}`), ...(more > 0 ? [`  … ${String(more)} more`] : [])];
}

/** What is wrong with a status, in few lines: the whole in one, only those items that are not well, and what waits or is told. */
export function outline(status: Status | undefined): readonly string[] {
  if (!status) return ['no status'];
  const { revision, sync, health, items, held, messages, limitations, rollouts = [], source } = status;
  const ill = items.filter((item) => item.sync !== 'Synced' || item.health !== 'Healthy');
  return [
    `${sync} ${health} at ${short(revision)}: ${String(ill.length)} of ${String(items.length)} items are not well`,
    ...few(ill.map((item) => `${item.ref} ${item.host} ${item.sync} ${item.health} ${item.reason}`)),
    ...few(rollouts.map(({ app, stage, message }) => `rollout ${app} ${stage}: ${message}`)),
    ...few([...(source?.error === undefined ? [] : [source.error]), ...held, ...messages]),
    ...few(limitations.map(({ host, ref, path, state }) => `${host} ${ref} ${path} ${state}`)),
  ];
}

/** What each host was told last and what it said last, a line each. */
async function correspondence(mailbox: Mailbox): Promise<readonly string[]> {
  const hosts = await mailbox.reporting();
  const told = await mailbox.assignments(new Map(hosts.map((host) => [host, undefined])));
  const lines = (await mailbox.reports(hosts)).map(({ host, generation, revision, at, conditions }) => {
    const last = told.find((one) => one.host === host);
    const so = conditions.filter(({ status }) => status).map(({ type, reason }) => `${type} ${reason}`);
    const age = `${String(Math.round((Date.now() - at) / 1000))} s ago`;
    const say = `said ${String(generation)} of ${short(revision)} ${age}: ${so.join(', ')}`;
    return `${host} was told ${String(last?.generation)} of ${short(last?.revision)}, ${say}`;
  });
  return few(lines);
}

/** What processes printed last. */
export interface LastWords {
  /** From now on what a process prints is kept. */
  hear(name: string, child: ChildProcess): void;
  /** The last lines, each with the name of its process, in the order in which they came. */
  lines(): readonly string[];
}

/** Keeps the last lines of each process, so that one that prints much hides no other. */
export function lastWords(): LastWords {
  let kept: { readonly name: string; readonly line: string }[] = [];
  const keep = (name: string, line: string): void => {
    kept.push({ name, line });
    const own = kept.filter((one) => one.name === name);
    if (own.length > KEPT) kept = kept.filter((one) => one !== own[0]);
  };
  return {
    hear: (name, child) => {
      for (const stream of [child.stdout, child.stderr]) {
        let rest = '';
        stream?.on('data', (chunk) => {
          const lines = (rest + String(chunk)).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) keep(name, line);
        });
        stream?.on('end', () => {
          if (rest !== '') keep(name, rest);
        });
      }
    },
    lines: () => kept.slice(-PRINTED).map(({ name, line }) => cut(`${name}: ${line}`)),
  };
}

/** What a wait that was in vain says: what is wrong first, since of a long text only the beginning may be shown. */
export async function inVain(
  what: string,
  seconds: number,
  status: Status | undefined,
  { mailbox, words }: { readonly mailbox?: Mailbox; readonly words?: LastWords } = {},
): Promise<string> {
  const mail = mailbox === undefined ? [] : await correspondence(mailbox).catch((error: unknown) => [String(error)]);
  return [`${what}: not within ${String(seconds)} s: `, ...outline(status), ...mail, ...(words?.lines() ?? [])].join(
    '\n',
  );
}
