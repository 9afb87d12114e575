import { dimensionName, shortAmount } from '../model/amounts.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import { amountOf, told } from '../model/demand.ts';
import type { NetworkOutlook, Outlook, SpreadLoss, ZoneOutlook } from '../model/outlook.ts';

/** Of each kind so many are named, the rest is counted. */
const NAMED = 10;

function named<T>(all: readonly T[], most: number, line: (one: T) => string): readonly string[] {
  const rest = all.length - most;
  return [...all.slice(0, most).map(line), ...(rest > 0 ? [`      … and ${String(rest)} more of these`] : [])];
}

/** `CPU 500m -> 1 of 24, 23 left` */
function amounts({ allocatable, used, left }: ZoneOutlook): readonly string[] {
  const of = (key: Dimension, demand: Demand): string => shortAmount(key, amountOf(demand, key));
  return told(allocatable)
    .filter((key) => amountOf(used.before, key) !== amountOf(used.after, key))
    .map((key) => {
      const step = `${dimensionName(key)} ${of(key, used.before)} -> ${of(key, used.after)}`;
      return `${step} of ${of(key, allocatable)}, ${of(key, left)} left`;
    });
}

function zoneLines(zone: ZoneOutlook): readonly string[] {
  const changed = amounts(zone);
  return changed.length === 0 ? [] : [`zone ${zone.zone}: ${changed.join('; ')}`];
}

function networkLines({ network, total, owned, left }: NetworkOutlook): readonly string[] {
  if (owned.before === owned.after) return [];
  const step = `${String(owned.before)} -> ${String(owned.after)}`;
  return [`network ${network}: ${step} of ${String(total)} addresses, ${String(left)} left`];
}

function spreadLine({ app, level, domain, holds, of, before }: SpreadLoss): string {
  const was = before ? `${String(before.holds)} of ${String(before.of)} before` : 'there are others';
  return `spread of ${app}: ${level} ${domain} holds ${String(holds)} of ${String(of)}, ${was}`;
}

function countLine({ placed, moved, released, staying }: Outlook): string {
  const kept = moved.filter(({ was }) => was === undefined).length;
  const moves = moved.length === 0 ? '0 move' : `${String(moved.length)} move (${String(kept)} with their addresses)`;
  return `placements: ${String(placed.length)} new, ${moves}, ${String(released.length)} go, ${String(staying)} stay`;
}

/** Where a change leads, as a person reads it: places and addresses, what is left, and what spread is lost. Empty where nobody gets or gives up a place or room. */
export function outlookLines(outlook: Outlook, most: number = NAMED): readonly string[] {
  const { placed, moved, released, zones, networks, spread } = outlook;
  const rest = [...zones.flatMap(zoneLines), ...networks.flatMap(networkLines), ...named(spread, most, spreadLine)];
  if (placed.length + moved.length + released.length + rest.length === 0) return [];
  return [
    countLine(outlook),
    ...named(placed, most, ({ replica, host, address }) => `  + ${replica}  ${host}  ${address}`),
    ...named(moved, most, ({ replica, from, to, address, was }) => {
      const where = from === to ? to : `${from} -> ${to}`;
      return `  > ${replica}  ${where}  ${was === undefined ? `keeps ${address}` : `${was} -> ${address}`}`;
    }),
    ...named(released, most, ({ replica, host, address }) => `  - ${replica}  ${host}  gives up ${address}`),
    ...rest,
  ];
}
