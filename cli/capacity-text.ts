import type { Capacity, Growth, NetworkCapacity, ZoneCapacity } from '../reconciler/place/capacity.ts';
import type { FilterName } from '../reconciler/place/filters.ts';
import type { Loss } from '../reconciler/place/losses.ts';
import type { ScaleAnswer } from '../reconciler/place/scale.ts';
import { amountOf, DIMENSIONS, nodeIn, told } from '../reconciler/model/demand.ts';
import type { Demand } from '../reconciler/model/demand.ts';
import { dimensionName, shortAmount } from '../reconciler/model/amounts.ts';
import { counted } from '../reconciler/model/words.ts';
import type { Io } from './io.ts';
import { narrowed, table, terminalWidth, tint } from './table.ts';

/** What was asked and found. Without `--scale` nothing was asked of any App. */
export interface CapacityFound extends Capacity {
  readonly revision: string;
  readonly fits: boolean;
  readonly scale: readonly ScaleAnswer[];
}

function zoneRows(zone: ZoneCapacity): readonly (readonly string[])[] {
  const { largest, hosts, closed } = zone;
  const count = `${String(hosts)}${closed === 0 ? '' : ` (${String(closed)} closed)`}`;
  const keys = told(zone.allocatable);
  const plain = keys
    .filter((key) => nodeIn(key) === undefined)
    .map((key, at) => [
      at === 0 ? zone.zone : '',
      at === 0 ? count : '',
      dimensionName(key),
      shortAmount(key, amountOf(zone.allocatable, key)),
      shortAmount(key, amountOf(zone.used, key)),
      shortAmount(key, amountOf(zone.free, key)),
      largest ? `${shortAmount(key, amountOf(largest, key))}${at === 0 ? ` (${largest.host})` : ''}` : '-',
    ]);
  const nodes = keys.filter((key) => nodeIn(key) !== undefined);
  if (nodes.length === 0) return plain;
  const sum = (demand: Demand): string => String(nodes.reduce((all, key) => all + amountOf(demand, key), 0));
  const most = largest ? `${String(Math.max(...nodes.map((key) => amountOf(largest, key))))} of one node` : '-';
  return [...plain, ['', '', 'cores to pin', ...[zone.allocatable, zone.used, zone.free].map(sum), most]];
}

function growthRow(zone: string, { app, replicas, more, limit }: Growth): readonly string[] {
  const reached: Partial<Record<FilterName, string>> = {
    cpu: 'CPU',
    pids: 'processes',
    address: 'addresses',
    closed: 'open hosts',
  };
  const then = limit === undefined ? '-' : (reached[limit] ?? limit);
  return [app, zone, String(replicas), limit === undefined ? `${String(more)} or more` : String(more), then];
}

function lossRow(zone: string, loss: Loss): readonly string[] {
  const { level, name, hosts, replicas, homeless, tried, of } = loss;
  const few = homeless.slice(0, 3).join(', ') + (homeless.length > 3 ? ', …' : '');
  const part = tried < of ? ` (${String(tried)} of ${String(of)} tried)` : '';
  return [
    `${level} ${name}${part}`,
    zone,
    String(hosts),
    String(replicas),
    homeless.length === 0 ? '0' : `${String(homeless.length)}: ${few}`,
  ];
}

function networkRow({ network, total, owned, resting, left, leased, ...at }: NetworkCapacity): readonly string[] {
  const part = leased === undefined ? '' : ` (${String(leased)} in blocks of Zones)`;
  const room = (of: Demand | undefined): string =>
    of ? `${shortAmount('cpu', of.cpu)}, ${shortAmount('memory', of.memory)}` : '-';
  const largest = at.largest ? `${room(at.largest)} (${at.largest.host})` : '-';
  return [
    network,
    ...[total, owned, resting].map(String),
    `${String(left)}${part}`,
    String(at.hosts),
    room(at.free),
    at.losses.map(({ name, homeless }) => `${String(homeless.length)} (${name})`).join(', ') || '-',
    largest,
  ];
}

function missingText({ missing }: ScaleAnswer): string {
  const room = DIMENSIONS.flatMap((key) => {
    const lacks = missing[key];
    return lacks === undefined ? [] : [`${shortAmount(key, lacks, Math.ceil)} ${dimensionName(key)}`];
  });
  const addresses =
    missing.addresses === undefined
      ? []
      : [`${String(missing.addresses)} more address${missing.addresses === 1 ? '' : 'es'}`];
  const all = [...room, ...addresses];
  return all.length === 0 ? '' : `\n  missing: ${all.join(', ')}`;
}

function homes(count: number): string {
  return `${counted(count, 'replica')} ${count === 1 ? 'finds' : 'find'} no home`;
}

function scaleText(answer: ScaleAnswer, io: Io): string {
  const { app, from, to, placed, message } = answer;
  const step = `${app} ${String(from)} → ${String(to)}`;
  if (placed >= to) return tint(io, 'green', `${step}: fits`);
  const head = tint(io, 'red', `${step}: ${homes(to - placed)}`);
  return `${head}\n  ${message ?? ''}${missingText(answer)}`;
}

const NETWORK_HEAD = [
  ...['NETWORK', 'ADDRESSES', 'OWNED', 'RESTING', 'LEFT', 'OPEN HOSTS', 'FREE CPU, MEMORY'],
  ...['WITHOUT A HOME AFTER WORST LOSS', 'LARGEST THAT FITS'],
];
/** What a narrow terminal does without, the first of them first. */
const NETWORK_LEAVES = ['RESTING', 'OWNED', 'OPEN HOSTS', 'FREE CPU, MEMORY', 'ADDRESSES'];

/** Capacity as a person reads it: the answer to `--scale`, then zones, Apps, losses and Networks. */
export function capacityText(found: CapacityFound, io: Io, width: number | undefined = terminalWidth()): string {
  const { zones, networks, scale, homeless } = found;
  const parts: string[] = [];
  if (scale.length > 0) parts.push(scale.map((answer) => scaleText(answer, io)).join('\n'), 'With that:');
  parts.push(
    table(
      ['ZONE', 'HOSTS', 'OF', 'ALLOCATABLE', 'USED', 'FREE', 'LARGEST REPLICA THAT FITS'],
      zones.flatMap((zone) => zoneRows(zone)),
    ),
  );
  const apps = zones.flatMap(({ zone, apps: all }) => all.map((growth) => growthRow(zone, growth)));
  if (apps.length > 0) parts.push(table(['APP', 'ZONE', 'REPLICAS', 'MORE THAT FIT', 'THEN LACKS'], apps));
  const losses = zones.flatMap(({ zone, losses: all }) => all.map((loss) => lossRow(zone, loss)));
  if (losses.length > 0) parts.push(table(['WORST LOSS', 'ZONE', 'HOSTS', 'REPLICAS', 'WITHOUT A HOME'], losses));
  parts.push(table(...narrowed(NETWORK_HEAD, networks.map(networkRow), NETWORK_LEAVES, width), width));
  const asked = new Set(scale.map(({ app }) => app));
  const others = homeless.filter((replica) => !asked.has(replica.slice(0, replica.lastIndexOf('-'))));
  const [first] = others;
  if (first !== undefined) parts.push(tint(io, 'yellow', `${homes(others.length)}: plumb explain ${first} tells why`));
  return `${parts.join('\n\n')}\n`;
}
