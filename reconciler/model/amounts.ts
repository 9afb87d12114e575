import { coresName, nodeIn } from './demand.ts';
import type { Dimension } from './demand.ts';
import { formatCpu } from './units.ts';

const NAMES: Readonly<Partial<Record<Dimension, string>>> = {
  cpu: 'CPU',
  memory: 'memory',
  pids: 'processes',
  disk: 'disk',
  spindles: 'spindles',
};

/** What people call a dimension. */
export function dimensionName(key: Dimension): string {
  return NAMES[key] ?? coresName(key) ?? key;
}

const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

/** An amount with a decimal at most. What is there is rounded down; give `Math.ceil` for what is missing. */
export function shortAmount(key: Dimension, value: number, round: (value: number) => number = Math.floor): string {
  const short = (number: number): string => String(round(number * 10) / 10);
  if (key === 'pids' || nodeIn(key) !== undefined) return String(value);
  if (key === 'cpu' || key === 'spindles') return value < 10_000 ? formatCpu(value) : short(value / 1000);
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${short(value / 2 ** (10 * power))}${UNITS[power] ?? ''}`;
}
