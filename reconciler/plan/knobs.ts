import type { Catalog } from '../model/catalog.ts';
import type { Known } from '../model/change.ts';
import { hostHeld } from '../model/handover.ts';
import { knobsOf, valueOn } from '../model/knobs.ts';
import { HOST_MEMORY, RECLAIM_KEY } from '../model/memory.ts';
import type { AssignedKnob, Assignment, Report } from '../model/replica.ts';
import { healthOf } from '../model/rollout.ts';
import { tuningsOf, zoneOf } from '../model/tunings.ts';
import { isLate } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import { counted } from '../model/words.ts';

/** Whose knobs may become what Git says now. */
export interface KnobTurns {
  /** What the knobs of a host are to be: as Git says, or as they are until its turn comes. */
  of(host: string): readonly AssignedKnob[];
  /** Hosts whose turn has not come, of those that were asked about. */
  readonly waiting: ReadonlySet<string>;
  /** What they wait for, in words; absent where none waits. */
  readonly why?: string;
}

export interface KnobInput {
  readonly catalog: Catalog;
  readonly at: Whereabouts;
  readonly lost: ReadonlySet<string>;
  /** The hosts that are looked at. */
  readonly hosts: readonly string[];
  /** Where it leads, not the next step. */
  readonly whole: boolean;
}

/** Of the hosts of a Zone that many are given, at a time, what another host has shown to be fit. At least one. */
const SHARE = 0.1;

/** Whether Tunings may be missing from the catalog only because they cannot be read. */
function tuningHeld({ heldObjects, heldOwners }: Catalog): boolean {
  return heldOwners.size > 0 || [...heldObjects].some((name) => name.startsWith('Tuning/'));
}

function refOf({ kind, key }: AssignedKnob): string {
  return `${kind}/${key}`;
}

/** The knobs of the Tunings that select the host, each as the highest priority has it. Where some cannot be read, knobs that nobody sets now stay as they were. */
function wanted(catalog: Catalog, host: string, told: readonly AssignedKnob[]): readonly AssignedKnob[] {
  const resource = catalog.hosts.get(host);
  const chosen = resource ? tuningsOf(catalog.tunings.values(), resource, zoneOf(catalog.zones, resource)) : [];
  const before = tuningHeld(catalog) || hostHeld(catalog, host) ? told : [];
  const knobs = new Map<string, AssignedKnob>();
  for (const knob of [...chosen.flatMap(knobsOf), ...before]) if (!knobs.has(refOf(knob))) knobs.set(refOf(knob), knob);
  return [...knobs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, knob]) => knob);
}

/** A knob with its value, which a host is given; or one that it gives up, without. */
type Step = string;

function stepOf(knob: AssignedKnob): Step {
  return `${refOf(knob)} = ${knob.value}`;
}

/** What a host is given and gives up. */
function stepsBetween(have: readonly AssignedKnob[], want: readonly AssignedKnob[]): readonly Step[] {
  const [had, will] = [new Set(have.map(stepOf)), new Set(want.map(stepOf))];
  const kept = new Set(want.map(refOf));
  const given = [...will].filter((step) => !had.has(step));
  return [...given, ...have.map(refOf).filter((ref) => !kept.has(ref))];
}

/** A host that is to change. */
interface Due {
  readonly host: string;
  readonly zone: string;
  readonly steps: readonly Step[];
}

/** How a host does with what it was told. */
type Word = 'well' | 'late' | 'ill';

function wordOf({ at, lost }: KnobInput, host: string): Word {
  const [assignment, report] = [at.assignments.get(host), at.reports.get(host)];
  if (!assignment || !report || lost.has(host) || isLate(at, host)) return 'late';
  const said = new Map(report.replicas.map((one) => [one.id, one]));
  const away = assignment.replicas.filter((one) => healthOf(one.placement, one, said.get(one.id)).away).length;
  const stalled = report.conditions.some(({ type, status }) => type === 'Stalled' && status);
  return stalled || away * 2 > assignment.replicas.length ? 'ill' : 'well';
}

/** Under which name a host says of a knob that it cannot hold it. */
function saidOf(knob: AssignedKnob): string {
  return knob.key === RECLAIM_KEY ? HOST_MEMORY : refOf(knob);
}

/** All is as assigned. */
function isReady({ conditions }: Report): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status);
}

/** Whether its host, which has taken it in, says that a knob is as assigned: all is, or this is what it saw. A rule is held as soon as it is known. */
function holds(report: Report, knob: AssignedKnob): boolean {
  const { observed, facts } = report;
  const { kind, key } = knob;
  if (key === RECLAIM_KEY) return true;
  const value = valueOn(knob, facts.capacity.memory);
  if (isReady(report)) return true;
  const seen = observed.find(({ ref, known }) => known && ref === `${kind}/${key}`);
  const words = (text: unknown): string => String(text).trim().split(/\s+/).join(' ');
  return seen !== undefined && words(((seen as Known).state as { readonly value?: unknown }).value) === words(value);
}

/** What hosts have shown of the steps that others are to take. */
interface Trials {
  /** A host has it and does well. */
  readonly proven: ReadonlySet<Step>;
  /** A host was given it and has not shown that yet: its name. */
  readonly trying: Map<Step, string>;
}

function trialsOf(input: KnobInput, due: readonly Due[]): Trials {
  const open = new Set(due.flatMap(({ steps }) => steps));
  const proven = new Set<Step>();
  const trying = new Map<Step, string>();
  for (const [host, { tuning }] of input.at.assignments) {
    if (!input.catalog.hosts.has(host)) continue;
    const tried = tuning.filter((knob) => open.has(stepOf(knob)) && !proven.has(stepOf(knob)));
    if (tried.length === 0) continue;
    const word = wordOf(input, host);
    const report = input.at.reports.get(host);
    for (const knob of tried) {
      const said = report?.limitations.filter(({ ref }) => ref === saidOf(knob)) ?? [];
      // a host that cannot hold it proves nothing, and keeps nobody waiting; one that is only kept from it has not tried it
      if (word === 'well' && said.some(({ state }) => state !== 'Drifted')) continue;
      if (word === 'well' && report && said.length === 0 && holds(report, knob)) proven.add(stepOf(knob));
      else if (!trying.has(stepOf(knob))) trying.set(stepOf(knob), host);
    }
  }
  return { proven, trying };
}

/**
 * Whether a host is on its way to what others are still to be given: it has yet to speak of what it was told, or to make it so. What it
 * cannot hold, or is kept from, it does not go on with.
 */
function isChanging({ at, lost }: KnobInput, host: string, steps: ReadonlySet<Step>): boolean {
  const [assignment, report] = [at.assignments.get(host), at.reports.get(host)];
  if (lost.has(host) || !assignment || !report) return false;
  if (isLate(at, host)) return true;
  if (isReady(report)) return false;
  const limited = new Set(report.limitations.map(({ ref }): string => ref));
  const { tuning } = assignment;
  const has = new Set(tuning.map(refOf));
  const begun = tuning.some((knob) => steps.has(stepOf(knob)) && !holds(report, knob) && !limited.has(saidOf(knob)));
  return begun || report.observed.some((item) => item.known && item.owned && steps.has(item.ref) && !has.has(item.ref));
}

/** Hosts of each Zone, and how many of them are changing. */
interface Crowd {
  readonly hosts: number;
  flight: number;
}

function crowdsOf(input: KnobInput, due: readonly Due[], zoneOf: (host: string) => string): Map<string, Crowd> {
  const { catalog } = input;
  const steps = new Set(due.flatMap((one) => one.steps));
  const crowds = new Map<string, { hosts: number; flight: number }>();
  for (const host of catalog.hosts.keys()) {
    const crowd = crowds.get(zoneOf(host)) ?? { hosts: 0, flight: 0 };
    crowds.set(zoneOf(host), crowd);
    crowd.hosts += 1;
    if (isChanging(input, host, steps)) crowd.flight += 1;
  }
  return crowds;
}

/** The Zone whose selector matches a host; empty for none. */
function zonesIn({ zones, hosts }: Catalog): (host: string) => string {
  return (host) => {
    const resource = hosts.get(host);
    return (resource && zoneOf(zones, resource)) ?? '';
  };
}

/** Lets go those whose turn it is; gives the others. */
function waitingOf(
  input: KnobInput,
  due: readonly Due[],
): { readonly waiting: ReadonlySet<string>; readonly why: string } {
  const { proven, trying } = trialsOf(input, due);
  const crowds = crowdsOf(input, due, zonesIn(input.catalog));
  const words = new Map(due.map(({ host }) => [host, wordOf(input, host)]));
  const rank = ({ host }: Due): number => ['well', 'ill', 'late'].indexOf(words.get(host) ?? 'late');
  const waiting = new Set<string>();
  let why = '';
  for (const { host, zone, steps } of due.toSorted((a, b) => rank(a) - rank(b) || (a.host < b.host ? -1 : 1))) {
    const crowd = crowds.get(zone) ?? { hosts: 1, flight: 0 };
    const open = steps.filter((step) => step.includes(' = ') && !proven.has(step));
    const tried = open.find((step) => trying.has(step));
    const full = crowd.flight >= Math.max(1, Math.floor(crowd.hosts * SHARE));
    if (tried === undefined && (open.length > 0 || !full)) {
      for (const step of open) trying.set(step, host);
      crowd.flight += 1;
      continue;
    }
    waiting.add(host);
    why ||=
      tried === undefined
        ? `${counted(crowd.flight, 'host')} of Zone ${zone} ${crowd.flight === 1 ? 'has' : 'have'} yet to do what they were told`
        : `${String(trying.get(tried))} tries ${tried}, and has yet to show that it does well with it`;
  }
  return { waiting, why: `knobs of ${counted(waiting.size, 'host')} wait: ${why}` };
}

/**
 * A Tuning's change goes to one host first; when that holds it and most of what runs there serves, to a tenth of each Zone at a time.
 * A host that cannot hold it keeps the next from nothing. One that was never told anything gets all at once.
 */
export function knobTurns(input: KnobInput): KnobTurns {
  const { catalog, at, hosts, whole } = input;
  const want = new Map(hosts.map((host) => [host, wanted(catalog, host, at.assignments.get(host)?.tuning ?? [])]));
  const zoneOf = zonesIn(catalog);
  const due = hosts.flatMap((host): readonly Due[] => {
    const told = at.assignments.get(host)?.tuning;
    const steps = told && catalog.hosts.has(host) ? stepsBetween(told, want.get(host) ?? []) : [];
    return steps.length === 0 ? [] : [{ host, zone: zoneOf(host), steps }];
  });
  const none = { waiting: new Set<string>() };
  const { waiting, ...rest } = whole || due.length === 0 ? none : waitingOf(input, due);
  return {
    of: (host) => (waiting.has(host) ? at.assignments.get(host)?.tuning : want.get(host)) ?? [],
    waiting,
    ...(waiting.size > 0 ? rest : {}),
  };
}

/** How many hosts that were told something before are to get other knobs. */
export function knobsChanged(before: Whereabouts['assignments'], after: readonly Assignment[]): number {
  const changed = after.filter(({ host, tuning }) => {
    const told = before.get(host)?.tuning;
    return told !== undefined && stepsBetween(told, tuning).length > 0;
  });
  return changed.length;
}

/** How they get them, as a person reads it; empty where one host or none does. */
export function knobLines(hosts: number): readonly string[] {
  if (hosts < 2) return [];
  const share = `${String(SHARE * 100)}% of each Zone`;
  return [`knobs of ${counted(hosts, 'host')}: one tries them, then they go to ${share} at a time`];
}
