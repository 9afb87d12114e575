import { nearest } from '../reconciler/compile/suggest.ts';
import type { Catalog, HostSpec, Resource } from '../reconciler/model/catalog.ts';
import type { Limitation, Origin } from '../reconciler/model/change.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { knobsOf } from '../reconciler/model/knobs.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { passesBy, zoneOf } from '../reconciler/model/tunings.ts';
import type { Io } from './io.ts';
import { table, tint } from './table.ts';

/** What one Tuning says of a knob, and what becomes of that on a host. */
export interface Contender {
  readonly tuning: string;
  readonly priority: number;
  readonly value: string;
  readonly origin: Origin;
  /** Why it does not concern the host; absent where it does. */
  readonly passesBy?: string;
}

/** A knob of a host: who sets it, the one that wins first. */
export interface KnobExplanation {
  readonly host: string;
  /** As `sysctl/vm.swappiness`. */
  readonly knob: string;
  /** What wins; absent where no Tuning that concerns the host sets it. */
  readonly value?: string;
  /** None where no Tuning says anything of it. */
  readonly contenders: readonly Contender[];
  /** What was meant instead of one of which no Tuning says anything, if it looks like that. */
  readonly near?: string;
}

/** Why knobs may stay as they were although no Tuning sets them any more, in words; none where all can be read. */
export function unreadTunings({ heldObjects, heldOwners }: Catalog): readonly string[] {
  const named = [...heldObjects].filter((name) => name.startsWith('Tuning/')).sort();
  return [
    ...named.map((name) => `${name.replace('/', ' ')} is not right: what it sets stays as it was`),
    ...(named.length + heldOwners.size > 0
      ? ['until all files are right (plumb validate), knobs that no Tuning sets any more stay as they were']
      : []),
  ];
}

function contendersOf(catalog: Catalog, host: Resource<HostSpec>): ReadonlyMap<string, readonly Contender[]> {
  const zone = zoneOf(catalog.zones, host);
  const found = new Map<string, Contender[]>();
  for (const tuning of catalog.tunings.values()) {
    const why = passesBy(tuning.spec, host, zone);
    for (const { kind, key, value, origin } of knobsOf(tuning)) {
      const { name, spec } = tuning;
      const contender = { tuning: name, priority: spec.priority, value, origin };
      const ref = `${kind}/${key}`;
      const before = found.get(ref) ?? [];
      found.set(ref, [...before, why === undefined ? contender : { ...contender, passesBy: why }]);
    }
  }
  const rank = ({ passesBy: why }: Contender): number => (why === undefined ? 0 : 1);
  const order = (a: Contender, b: Contender): number =>
    rank(a) - rank(b) || b.priority - a.priority || (a.tuning < b.tuning ? -1 : 1);
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([ref, all]) => [ref, all.toSorted(order)]));
}

/** Which Tuning says what a knob of a host is to be; all its knobs where none is asked about. Throws USAGE for a host that there is not. */
export function explainKnobs(catalog: Catalog, name: string, asked?: string): readonly KnobExplanation[] {
  const host = catalog.hosts.get(name);
  if (!host) {
    const near = nearest(name, [...catalog.hosts.keys()]);
    throw new PlumbError('USAGE', `no Host ${name} in Git${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  const all = [...contendersOf(catalog, host)].map(([knob, contenders]): KnobExplanation => {
    const [first] = contenders;
    return { host: name, knob, contenders, ...(first && first.passesBy === undefined ? { value: first.value } : {}) };
  });
  if (asked === undefined) return all.filter(({ value }) => value !== undefined);
  const found = all.filter(({ knob }) => knob === asked || knob.slice(knob.indexOf('/') + 1) === asked);
  if (found.length > 0) return found;
  const near = nearest(
    asked,
    all.flatMap(({ knob }) => [knob, knob.slice(knob.indexOf('/') + 1)]),
  );
  return [{ host: name, knob: asked, contenders: [], ...(near === undefined ? {} : { near }) }];
}

/** How a knob stands on its host, as that last told: what it says, and why that is not what is asked for. */
export interface KnobStanding extends Partial<Pick<Limitation, 'state' | 'why' | 'fix'>> {
  readonly knob: string;
  /** Absent where its files disagree, or it has none. */
  readonly says?: string;
}

/** How these knobs stand on the host that reports; those that it says nothing of are left out. */
export function standingsOf(
  { observed, limitations }: Pick<Report, 'observed' | 'limitations'>,
  knobs: readonly KnobExplanation[],
): readonly KnobStanding[] {
  return knobs.flatMap(({ knob }) => {
    const seen = observed.find((item) => item.known && item.ref === knob);
    const value = seen?.known === true ? (seen.state as { readonly value?: unknown }).value : undefined;
    const says = typeof value === 'string' ? { says: value } : {};
    const said = limitations.filter(({ ref }) => ref === knob);
    if (said.length === 0) return value === undefined ? [] : [{ knob, ...says }];
    return said.map(({ state, why, fix }) => ({ knob, state, why, ...says, ...(fix === undefined ? {} : { fix }) }));
  });
}

/** `h1 says 10`, and why not what is asked for. */
export function standingWords(host: string, { says, state, why = '', fix }: KnobStanding): string {
  const now = says === undefined || why.startsWith(says) ? `on ${host}` : `${host} says ${says}`;
  return `${now}${state === undefined ? '' : `: ${state}, ${why}`}${fix === undefined ? '' : `; mend: ${fix}`}`;
}

function verdict(contender: Contender, winner: Contender): string {
  if (contender.passesBy !== undefined) return `does not concern it: ${contender.passesBy}`;
  if (contender === winner) return 'wins';
  const same = contender.value === winner.value ? 'says the same' : 'gives way';
  return contender.priority < winner.priority ? `${same}: of lower priority` : `${same}: of the same priority`;
}

function place({ file, line }: Origin): string {
  return `${file}:${String(line)}`;
}

/** One knob with all who set it. */
function knobText({ host, knob, value, contenders, near }: KnobExplanation, io: Pick<Io, 'color'>): string {
  const [winner] = contenders;
  if (!winner) return `no Tuning sets ${knob}${near === undefined ? '' : `; did you mean ${near}?`}\n`;
  const head =
    value === undefined
      ? `${knob} of ${host} is left as it is: no Tuning that concerns it sets it`
      : `${knob} of ${host} is to be ${value}: Tuning ${winner.tuning}, ${place(winner.origin)}`;
  const rows = contenders.map((one) => [
    one.tuning,
    String(one.priority),
    one.value,
    place(one.origin),
    verdict(one, winner),
  ]);
  return `${tint(io, 'bold', head)}\n\n${table(['TUNING', 'PRIORITY', 'VALUE', 'LINE', ''], rows)}\n`;
}

/** The explanations as a person reads them: one knob with all who set it, or all knobs with who wins. */
export function knobsText(found: readonly KnobExplanation[], one: boolean, io: Pick<Io, 'color'>): string {
  if (one) return found.map((each) => knobText(each, io)).join('\n');
  if (found.length === 0) return 'no Tuning concerns it\n';
  const rows = found.map(({ knob, value = '', contenders: [winner] }) => [
    knob,
    value,
    winner?.tuning ?? '',
    String(winner?.priority ?? ''),
    winner ? place(winner.origin) : '',
  ]);
  return `${table(['KNOB', 'VALUE', 'TUNING', 'PRIORITY', 'LINE'], rows)}\n`;
}
