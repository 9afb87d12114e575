import { dimensionName, shortAmount } from '../reconciler/model/amounts.ts';
import { suggestion } from '../reconciler/compile/suggest.ts';
import { narrowed } from '../reconciler/loop/status/part.ts';
import type { HostStatus, Status } from '../reconciler/loop/status/status.ts';
import { amountOf, NOTHING, plus, told } from '../reconciler/model/demand.ts';
import type { Demand, Dimension } from '../reconciler/model/demand.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { memoryLine } from './memory-text.ts';
import { kindOf, nameOf } from '../reconciler/model/ref.ts';
import { appOf } from '../reconciler/model/replica.ts';
import { counted } from '../reconciler/model/words.ts';

/** By what the hosts of a status can be grouped, from the largest to the smallest. */
export type Level = 'zone' | 'switch' | 'rack' | 'host';

/** The fleet or a part of it: its status, and what its hosts have to give. */
export interface Scoped {
  readonly status: Status;
  /** For people, above the table. */
  readonly lines: readonly string[];
  /** By what it can be grouped where it is large. */
  readonly levels: readonly Level[];
  /** How the memory of each replica is used is shown as well. */
  readonly memory?: true;
}

type Scope = 'app' | Level;

/** What every replica takes. */
const EVERYBODY: ReadonlySet<Dimension> = new Set(['cpu', 'memory', 'pids']);

const LEVELS: readonly Level[] = ['zone', 'switch', 'rack', 'host'];
const SCOPES: readonly Scope[] = ['app', 'zone', 'rack', 'switch', 'host'];

function isScope(kind: string): kind is Scope {
  return (SCOPES as readonly string[]).includes(kind);
}

/** All of a status, or the part of it that is about `app/web`, `zone/main`, `rack/r1`, `switch/sw1` or `host/h1`. Throws USAGE for what there is not. */
export function scoped(status: Status, what: string | undefined): Scoped {
  if (what === undefined) {
    const lines = status.hosts.length > 1 ? hostLines(status.hosts) : [];
    const leads = status.leader === undefined ? [] : [`controller ${status.leader} leads`];
    return { status, lines: [...lines, ...leads], levels: LEVELS };
  }
  const kind = what.includes('/') ? kindOf(what as `${string}/${string}`) : '';
  const name = what.slice(kind.length + 1);
  if (!isScope(kind) || name === '')
    throw new PlumbError('USAGE', `${what} is no part of a fleet: write ${SCOPES.join('/…, ')}/…, as host/h1`);
  const levels = LEVELS.slice(kind === 'app' ? 1 : LEVELS.indexOf(kind) + 1);
  if (kind === 'app') {
    const items = status.items.filter(({ ref }) => appOf(nameOf(ref)) === name);
    if (items.length === 0) throw unknown(kind, name, status);
    return { status: narrowed(status, items, { app: name }), lines: [], levels, memory: true };
  }
  const mine = status.hosts.filter((host) => host[kind] === name);
  const on = new Set(mine.map(({ host }) => host));
  const items = status.items.filter(
    (item) => on.has(item.host) || item[kind as keyof typeof item] === name, // what has no host may have a zone
  );
  if (items.length === 0 && mine.length === 0) throw unknown(kind, name, status);
  const about = kind === 'zone' ? { hosts: mine, zone: name } : { hosts: mine };
  return {
    status: narrowed(status, items, about),
    lines: mine.length === 0 ? [] : hostLines(mine),
    levels,
    ...(kind === 'host' ? { memory: true } : {}),
  };
}

function unknown(kind: Scope, name: string, { items, hosts, held }: Status): PlumbError {
  const all = kind === 'app' ? items.map(({ ref }) => appOf(nameOf(ref))) : hosts.map((host) => host[kind]);
  const hint = suggestion(name, [...new Set(all)].sort(), 'there are');
  // of what an emptied store does not know yet that is said
  const why = held.length === 0 ? '' : `. Held: ${held.join('; ')}`;
  return new PlumbError('USAGE', `there is no ${kind} ${name}${hint === undefined ? '' : `; ${hint}`}${why}`);
}

/** What hosts have promised, and what they have in all. */
export function sumOf(hosts: readonly HostStatus[], of: 'used' | 'allocatable'): Demand {
  return hosts.reduce((sum, host) => plus(sum, host[of]), NOTHING);
}

/** What the hosts are, and how much of them is given out. */
function hostLines(hosts: readonly HostStatus[]): readonly string[] {
  const [used, all] = [sumOf(hosts, 'used'), sumOf(hosts, 'allocatable')];
  const count = (of: (host: HostStatus) => boolean, word: string): string => {
    const some = hosts.filter(of).length;
    return some === 0 ? '' : `, ${String(some)} ${word}`;
  };
  const [only] = hosts.length === 1 ? hosts : [];
  const who = only
    ? `host ${only.host} in zone ${only.zone}, rack ${only.rack}, switch ${only.switch}, ${only.lost ? 'lost' : `${only.state}${only.busy ? ', at work' : ''}`}`
    : `${counted(hosts.length, 'host')}${count(({ lost }) => lost === true, 'lost')}${count(({ state, lost }) => state === 'closed' && lost !== true, 'closed')}${count(({ busy, lost }) => busy === true && lost !== true, 'at work')}`;
  const share = (key: Dimension): string => {
    const of = (demand: Demand): string => shortAmount(key, amountOf(demand, key));
    return `${dimensionName(key)} ${of(used)} of ${of(all)}`;
  };
  // that nobody has cores of his own, or asks for disks, is no news
  const some = told(all).filter((key) => EVERYBODY.has(key) || amountOf(used, key) > 0);
  const memory = only?.memory ? [memoryLine(only.memory, Date.now())] : [];
  return [`${who}; reserved: ${some.map(share).join(', ')}`, ...memory];
}
