import { shortAmount } from '../reconciler/model/amounts.ts';
import type { MemoryUse } from '../reconciler/model/memory.ts';

/** A time as a person reads it: `90 s`, `5 min`, `3 h`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${String(seconds)} s`;
  return seconds < 7200 ? `${String(Math.round(seconds / 60))} min` : `${String(Math.round(seconds / 3600))} h`;
}

function percent(bytes: number, total: number): string {
  return `${String(Math.round((100 * bytes) / Math.max(1, total)))}%`;
}

/** What is counted, and in parentheses what the kernel counts: `38% (81%)`; `-` where nothing was said. */
export function memoryCell(use: MemoryUse | undefined): string {
  return use === undefined ? '-' : `${percent(use.counted, use.total)} (${percent(use.used, use.total)})`;
}

/** When memory was last given back, and how much, as of a time; undefined where it never was. */
export function reclaimedText({ reclaimed }: MemoryUse, now: number): string | undefined {
  if (reclaimed === undefined) return undefined;
  return `gave back ${shortAmount('memory', reclaimed.freed)} ${age(now - reclaimed.at)} ago`;
}

/** How a host's memory is used, as a line. */
export function memoryLine(use: MemoryUse, now: number): string {
  const { counted, used, total } = use;
  const words = `memory: ${percent(counted, total)} RSS and shared, ${percent(used, total)} as the kernel counts it, of ${shortAmount('memory', total)}`;
  return [words, reclaimedText(use, now)].filter((part) => part !== undefined).join('; ');
}
