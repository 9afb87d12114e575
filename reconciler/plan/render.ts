import type { Change, FieldDiff, HeldChange, Plan, Summary } from '../model/change.ts';
import type { Staying } from '../model/notice.ts';
import type { Outlook } from '../model/outlook.ts';
import { kindOf } from '../model/ref.ts';
import { counted } from '../model/words.ts';
import { formatBytes, formatCpu, formatRate } from '../model/units.ts';
import { knobLines } from './knobs.ts';
import { lackLines, type Lack } from './lacks.ts';
import { outlookLines } from './outlook.ts';
import { stepLines, type RolloutPlan } from './steps.ts';

/** A host that cannot be seen, or of which so many things (`unseen`) cannot: nothing is planned for those. */
export interface UnknownHost {
  readonly host: string;
  readonly why: string;
  readonly unseen?: number;
}

/** What will happen to a fleet: a plan for each host, and what cannot be placed or stays where it is. */
export interface FleetPlan {
  readonly revision: string;
  readonly hosts: readonly { readonly host: string; readonly plan: Plan }[];
  readonly unplaceable: readonly { readonly replica: string; readonly message: string }[];
  /** Replicas that keep the place or the limits that they have, though Git asks for others. */
  readonly staying: readonly (Staying & { readonly host: string })[];
  /** Who gives a place to whom, in words. */
  readonly preemptions: readonly string[];
  /** Hosts of which nothing, or not all, is known now, with the reason. */
  readonly unknown: readonly UnknownHost[];
  /** Errors in the manifests: what they touch is left as it is. */
  readonly problems: number;
  /** Changes that go step by step, the first to go first. */
  readonly rollouts: readonly RolloutPlan[];
  /** So many hosts that run something get other knobs. */
  readonly knobs: number;
  /** New wishes that hosts cannot hold. */
  readonly lacks: readonly Lack[];
  /** Places, addresses, room and spread when all of it is done. */
  readonly outlook: Outlook;
}

/** Colours, or the identity for each. */
export interface Paint {
  readonly add: (text: string) => string;
  readonly change: (text: string) => string;
  readonly destroy: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

const same = (text: string): string => text;
/** No colours. */
export const PLAIN: Paint = { add: same, change: same, destroy: same, dim: same, bold: same };

/** The sign that stands before a change. */
export function symbolOf({ verb, disruption }: Pick<Change, 'verb' | 'disruption'>): string {
  if (disruption === 'move') return '>';
  return { create: '+', update: '~', replace: '-/+', delete: '-', adopt: '<=' }[verb];
}

const BYTES = new Set(['memory', 'reservation', 'swap', 'high', 'hugetlb2M', 'hugetlb1G', 'tmpfs', 'layer', 'above']);
const CPU = new Set(['cpu', 'quota', 'burst']);
const RATES = new Set(['egress', 'ingress']);

/** A value of a spec as a manifest would write it. */
export function formatValue(path: string, value: unknown): string {
  const key = path.slice(path.lastIndexOf('/') + 1);
  if (value === undefined || value === null) return '(none)';
  if (typeof value === 'number' && BYTES.has(key)) return formatBytes(value);
  if (typeof value === 'number' && CPU.has(key)) return formatCpu(value);
  if (typeof value === 'number' && RATES.has(key)) return formatRate(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

interface Facts {
  readonly [key: string]: unknown;
}

/** The few words that tell what a new thing is. */
function gist({ ref, want, verb }: Change): string {
  if (verb !== 'create' || want === undefined) return '';
  const spec = want as Facts;
  const text = (key: string): string => String(spec[key]);
  switch (kindOf(ref)) {
    case 'container':
      return text('image');
    case 'port':
      return `${text('address')}/${text('prefix')} vlan ${text('vlan')} on ${text('bridge')}`;
    case 'bridge':
      return spec['uplink'] === undefined ? text('datapath') : `${text('datapath')}, uplink ${text('uplink')}`;
    case 'sysctl':
    case 'ovs-config':
      return text('value');
    default:
      return '';
  }
}

function fieldLine({ path, have, want }: FieldDiff): string {
  return `      ${path}: ${formatValue(path, have)} -> ${formatValue(path, want)}`;
}

function changeLines(change: Change, paint: Paint): string[] {
  const symbol = symbolOf(change);
  const tint = change.verb === 'create' ? paint.add : change.verb === 'delete' ? paint.destroy : paint.change;
  const words = gist(change);
  const disruption = change.disruption === 'none' ? '' : `, ${change.disruption}`;
  const head = `${symbol.padStart(3)} ${change.ref}${words === '' ? '' : `  ${words}`}`;
  return [tint(head) + paint.dim(`  # ${change.because}${disruption}`), ...change.fields.map(fieldLine)];
}

/** Held changes under their reason, each reason told once. */
function heldLines(held: readonly HeldChange[]): readonly { readonly reason: string; readonly lines: string[] }[] {
  const reasons = [...new Set(held.map(({ reason }) => reason))];
  return reasons.map((reason) => ({
    reason,
    lines: held
      .filter((item) => item.reason === reason)
      .map(({ change }) => `${symbolOf(change).padStart(3)} ${change.ref}`),
  }));
}

/** `Plan: 2 to add, 1 to change, 0 to move, 0 to replace, 0 to destroy.` */
function footer({ add, change, move, replace, destroy }: Summary): string {
  const n = (count: number, word: string): string => `${String(count)} to ${word}`;
  return `Plan: ${[n(add, 'add'), n(change, 'change'), n(move, 'move'), n(replace, 'replace'), n(destroy, 'destroy')].join(', ')}.`;
}

/** The sum of the hosts' summaries. */
function totalOf({ hosts }: FleetPlan): Summary {
  const sum = (key: keyof Summary): number => hosts.reduce((total, { plan }) => total + plan.summary[key], 0);
  return {
    add: sum('add'),
    change: sum('change'),
    move: sum('move'),
    replace: sum('replace'),
    destroy: sum('destroy'),
  };
}

/** Whether there is nothing to do and nothing held. */
export function isEmpty(fleet: FleetPlan): boolean {
  return (
    fleet.unplaceable.length + fleet.staying.length + fleet.preemptions.length === 0 &&
    fleet.rollouts.every(({ givenUp }) => givenUp !== undefined) &&
    fleet.hosts.every(({ plan }) => plan.waves.length === 0 && plan.held.length === 0)
  );
}

function unknownText({ why, unseen }: UnknownHost): string {
  return unseen === undefined
    ? `is not known now: ${why}`
    : `cannot be seen whole, ${counted(unseen, 'thing')} of it: ${why}`;
}

function nothing({ problems, rollouts }: FleetPlan): string {
  if (problems === 0 && rollouts.length > 0)
    return 'Nothing to do: what was given up stays as it is until Git says something else.';
  if (problems === 0) return 'Nothing to do: everything is as Git says.';
  return `Nothing to do with what can be read; the manifests have ${problems === 1 ? 'an error' : `${String(problems)} errors`}.`;
}

/** Lines of changes that are shown, unless all are asked for; those of a host are not divided. */
const LINES = 300;
/** Most characters of changes in a comment: a forge takes 65,536 in all. */
const CHARACTERS = 40_000;

interface HostLines {
  readonly host: string;
  readonly plan: Plan;
  readonly lines: readonly string[];
}

/** What of each host is shown, as far as it fits, and what is not. */
function folded(
  { hosts }: FleetPlan,
  linesOf: (plan: Plan) => readonly string[],
  fits: (lines: readonly string[]) => boolean,
): { readonly shown: readonly HostLines[]; readonly rest?: string } {
  const all = hosts.filter(({ plan }) => plan.waves.length + plan.held.length > 0);
  const shown: HostLines[] = [];
  for (const { host, plan } of all) {
    const lines = linesOf(plan);
    if (!fits(lines)) break;
    shown.push({ host, plan, lines });
  }
  const left = all.slice(shown.length);
  if (left.length === 0) return { shown };
  const changes = left.reduce((sum, { plan }) => sum + plan.waves.flat().length, 0);
  return { shown, rest: `… and ${counted(changes, 'change')} on ${counted(left.length, 'more host')}` };
}

function hostLines(plan: Plan, paint: Paint): readonly string[] {
  const waves = plan.waves.flatMap((wave, at) => [
    paint.dim(`wave ${String(at + 1)}`),
    ...wave.flatMap((change) => changeLines(change, paint)),
  ]);
  return [
    ...waves,
    ...heldLines(plan.held).flatMap(({ reason, lines: changes }) => [paint.dim(`held: ${reason}`), ...changes]),
  ];
}

/** What is to be known of replicas: who gives a place to whom, who stays where it is, and who finds none; the first of each by name. */
function warnings(
  { preemptions, staying, unplaceable }: FleetPlan,
  all: boolean,
  name: (replica: string) => string,
): readonly string[] {
  const some = (lines: readonly string[], what: string): readonly string[] => {
    const more = all ? 0 : lines.length - NAMED;
    return more <= 0 ? lines : [...lines.slice(0, NAMED), `… and ${counted(more, 'more replica')} ${what}`];
  };
  const stays = staying.map(({ replica, host, why }) => `${name(replica)} stays on ${host}: ${why}`);
  const homeless = unplaceable.map(({ replica, message }) => `${name(replica)} ${message}`);
  return [
    ...some(preemptions, 'that give their places to others'),
    ...some(stays, 'that stay where they are'),
    ...some(homeless, 'without a place'),
  ];
}

/** Replicas of a kind that are named. */
const NAMED = 20;

/** A plan as a person reads it, ending in its footer. Of a large one the first hosts are shown, or with `all` every one. */
export function renderText(fleet: FleetPlan, paint: Paint = PLAIN, all = false): string {
  const lines = [paint.bold(`plan ${short(fleet.revision)}`)];
  let left = all ? Infinity : LINES;
  const { shown, rest } = folded(
    fleet,
    (plan) => hostLines(plan, paint),
    ({ length }) => {
      const fits = left > 0;
      left -= length;
      return fits;
    },
  );
  for (const { host, lines: own } of shown) lines.push(paint.bold(`host ${host}`), ...own);
  if (rest !== undefined) lines.push(`${rest}: --all shows them`);
  for (const rollout of fleet.rollouts) {
    const [head = '', ...more] = stepLines(rollout);
    lines.push(paint.bold(head), ...more);
  }
  lines.push(...knobLines(fleet.knobs));
  for (const line of lackLines(fleet.lacks)) lines.push(paint.destroy(`  ! ${line}`));
  for (const one of fleet.unknown) lines.push(`host ${one.host} ${unknownText(one)}`);
  for (const one of warnings(fleet, all, (replica) => `${replica} `)) lines.push(paint.destroy(`  ! ${one}`));
  lines.push(...outlookLines(fleet.outlook, all ? Infinity : undefined));
  if (isEmpty(fleet) && fleet.unknown.length === 0) lines.push(nothing(fleet));
  lines.push(footer(totalOf(fleet)));
  return `${lines.join('\n')}\n`;
}

/** A plan as a comment on a pull request: the footer first, the changes folded away, as many as a comment takes. */
export function renderMarkdown(fleet: FleetPlan): string {
  const lines = [`### Plumbline plan \`${short(fleet.revision)}\``, '', `**${footer(totalOf(fleet))}**`, ''];
  for (const line of lackLines(fleet.lacks)) lines.push(`- :warning: ${line}`);
  for (const one of warnings(fleet, false, (replica) => `\`${replica}\``)) lines.push(`- :warning: ${one}`);
  for (const one of fleet.unknown) lines.push(`- :grey_question: host \`${one.host}\` ${unknownText(one)}`);
  const [counts, ...ahead] = outlookLines(fleet.outlook);
  if (counts !== undefined) lines.push(`**${counts}**`, '', '```', ...ahead, '```', '');
  lines.push(...hostDetails(fleet));
  for (const rollout of fleet.rollouts) {
    const [head = '', ...rest] = stepLines(rollout);
    lines.push(`**${head}**`, '', ...rest.map((line) => stepItem(line.trim())), '');
  }
  lines.push(...knobLines(fleet.knobs));
  if (isEmpty(fleet) && fleet.unknown.length === 0) lines.push(nothing(fleet));
  return `${lines.join('\n').trimEnd()}\n`;
}

function hostDetails(fleet: FleetPlan): readonly string[] {
  let left = CHARACTERS;
  const { shown, rest } = folded(
    fleet,
    (plan) => [
      ...plan.waves.flat().flatMap(diffLines),
      ...heldLines(plan.held).flatMap(({ reason, lines: changes }) => [
        `# held: ${reason}`,
        ...changes.map((line) => `# ${line.trim()}`),
      ]),
    ],
    (some) => {
      left -= some.reduce((sum, { length }) => sum + length + 1, 200);
      return left > 0;
    },
  );
  const details = shown.flatMap(({ host, plan, lines }) => {
    const held = plan.held.length > 0 ? `, ${String(plan.held.length)} held` : '';
    const title = `host <code>${host}</code>: ${counted(plan.waves.flat().length, 'change')}${held}`;
    return [`<details><summary>${title}</summary>`, '', '```diff', ...lines, '```', '', '</details>', ''];
  });
  return rest === undefined ? details : [...details, `${rest}: \`plumb plan --all\` shows them`, ''];
}

/** A step keeps its number; what else is said of them is a point of its own. */
function stepItem(line: string): string {
  return /^[0-9]+\. /.test(line) ? line : `- ${line}`;
}

function diffLines(change: Change): string[] {
  const mark = { create: '+', delete: '-', update: '!', replace: '!', adopt: '!' }[change.verb];
  const words = gist(change);
  const head = `${mark} ${symbolOf(change)} ${change.ref}${words === '' ? '' : `  ${words}`}  # ${change.because}`;
  return [head, ...change.fields.map((field) => `${mark}   ${fieldLine(field).trim()}`)];
}

/** A plan for programs; stable, `version` 1. */
export function planJson(fleet: FleetPlan): object {
  return {
    version: 1,
    revision: fleet.revision,
    changes: fleet.hosts.flatMap(({ host, plan }) =>
      plan.waves.flatMap((wave, at) =>
        wave.map(({ ref, verb, disruption, because, fields }) => ({
          ref,
          host,
          wave: at + 1,
          verb,
          disruption,
          because,
          fields,
        })),
      ),
    ),
    held: fleet.hosts.flatMap(({ host, plan }) =>
      plan.held.map(({ change, reason }) => ({ ref: change.ref, host, reason })),
    ),
    unplaceable: fleet.unplaceable,
    staying: fleet.staying,
    preemptions: fleet.preemptions,
    unknown: fleet.unknown,
    problems: fleet.problems,
    rollouts: fleet.rollouts,
    knobs: fleet.knobs,
    lacks: fleet.lacks,
    outlook: fleet.outlook,
    summary: totalOf(fleet),
  };
}

/** The first seven digits of a commit; other words whole. */
function short(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 7) : revision;
}
