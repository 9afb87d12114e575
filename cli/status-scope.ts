import { suggestion } from '../reconciler/compile/suggest.ts';
import { narrowed, type Status } from '../reconciler/loop/status.ts';
import type { Known } from '../reconciler/loop/view.ts';
import { createBook } from '../reconciler/model/book.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { kindOf, nameOf } from '../reconciler/model/ref.ts';
import { amountOf, NOTHING, plus, told } from '../reconciler/model/demand.ts';
import type { Demand, Dimension } from '../reconciler/model/demand.ts';
import type { Placement } from '../reconciler/model/replica.ts';
import type { HostRecord } from '../reconciler/model/reservations.ts';
import { formatBytes, formatCpu } from '../reconciler/model/units.ts';
import { counted } from '../reconciler/model/words.ts';

/** A part of the fleet: its status, and what its hosts have to give. */
export interface Scoped {
  readonly status: Status;
  /** For people, above the table. */
  readonly lines: readonly string[];
}

type Scope = 'app' | 'zone' | 'rack' | 'switch' | 'host';

const SCOPES: readonly Scope[] = ['app', 'zone', 'rack', 'switch', 'host'];

function isScope(kind: string): kind is Scope {
  return (SCOPES as readonly string[]).includes(kind);
}

/** The part of a status that is about `app/web`, `zone/main`, `rack/r1`, `switch/sw1` or `host/h1`. Throws USAGE for what there is not. */
export function scoped(status: Status, known: Known, what: string): Scoped {
  const kind = what.includes('/') ? kindOf(what as `${string}/${string}`) : '';
  const name = what.slice(kind.length + 1);
  if (!isScope(kind) || name === '')
    throw new PlumbError('USAGE', `${what} is no part of a fleet: write ${SCOPES.join('/…, ')}/…, as host/h1`);
  const { hosts, placements } = known.snapshot;
  const mine = [...hosts.values()].filter((record) => kind !== 'app' && record[kind] === name);
  const inside = (placement: Placement | undefined): boolean => {
    if (!placement) return false;
    if (kind === 'app' || kind === 'zone') return placement[kind] === name;
    return mine.some(({ host }) => host === placement.host);
  };
  const items = status.items.filter(({ ref }) =>
    kind === 'app' ? appOf(ref) === name : inside(placements.get(nameOf(ref))),
  );
  if (items.length === 0 && mine.length === 0) throw unknown(kind, name, status, known);
  const about = new Set(kind === 'app' ? items.map(({ host }) => host) : mine.map(({ host }) => host));
  return { status: narrowed(status, items, about), lines: mine.length === 0 ? [] : hostLines(mine, known) };
}

function appOf(ref: `${string}/${string}`): string {
  const replica = nameOf(ref);
  return replica.slice(0, replica.lastIndexOf('-'));
}

function unknown(kind: Scope, name: string, { items }: Status, { snapshot }: Known): PlumbError {
  const all =
    kind === 'app' ? items.map(({ ref }) => appOf(ref)) : [...snapshot.hosts.values()].map((record) => record[kind]);
  const hint = suggestion(name, [...new Set(all)].sort(), 'there are');
  return new PlumbError('USAGE', `there is no ${kind} ${name}${hint === undefined ? '' : `; ${hint}`}`);
}

function sum(demands: readonly Demand[]): Demand {
  return demands.reduce((a, b) => plus(a, b), NOTHING);
}

/** What the hosts are, and how much of them is given out. */
function hostLines(records: readonly HostRecord[], { snapshot }: Known): readonly string[] {
  const book = createBook(snapshot);
  const used = sum(records.map(({ host }) => book.used(host)));
  const all = sum(records.map(({ allocatable }) => allocatable));
  const closed = records.filter(({ state }) => state === 'closed').length;
  const [only] = records.length === 1 ? records : [];
  const who = only
    ? `host ${only.host} in zone ${only.zone}, rack ${only.rack}, switch ${only.switch}, ${only.state}`
    : `${counted(records.length, 'host')}${closed === 0 ? '' : `, ${String(closed)} of them closed`}`;
  const text: Readonly<Record<Dimension, (value: number) => string>> = {
    cpu: formatCpu,
    memory: formatBytes,
    pids: String,
    disk: formatBytes,
    spindles: formatCpu,
  };
  const share = (key: Dimension): string =>
    `${key} ${text[key](amountOf(used, key))} of ${text[key](amountOf(all, key))}`;
  return [`${who}; reserved: ${told(all).map(share).join(', ')}`];
}
