import pc from 'picocolors';
import { widthOf } from '../reconciler/compile/width.ts';
import { counted } from '../reconciler/model/words.ts';
import type { Io } from './io.ts';

export type Color = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** The text in a colour, where the terminal takes colours. */
export function tint(io: Pick<Io, 'color'>, color: Color, text: string): string {
  return io.color ? pc.createColors(true)[color](text) : text;
}

/** Columns of the terminal on standard output; undefined when that is none, or does not tell. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY && process.stdout.columns > 0 ? process.stdout.columns : undefined;
}

/** Lines and columns of the terminal on standard output; undefined when that is none, or does not tell. */
function terminalSize(): readonly [lines: number, columns: number] | undefined {
  const columns = terminalWidth();
  return columns !== undefined && process.stdout.rows > 0 ? [process.stdout.rows, columns] : undefined;
}

/** As much of a text as fits on the terminal (`size`) with a line below it that tells of the rest; what shows more stands in `how`. */
export function fitted(text: string, how: string, size: ReturnType<typeof terminalSize> = terminalSize()): string {
  if (!size) return text;
  const [lines, columns] = size;
  const all = text.replace(/\n$/, '').split('\n');
  const heights = all.map((line) => Math.max(1, Math.ceil(widthOf(line) / columns)));
  // the cursor stands in a line of its own
  const room = lines - 1;
  if (heights.reduce((sum, height) => sum + height, 0) <= room) return text;
  let kept = 0;
  for (let used = 1; kept < all.length && used + (heights[kept] ?? 0) <= room; kept += 1) used += heights[kept] ?? 0;
  return `${[...all.slice(0, kept), `… and ${counted(all.length - kept, 'line')} more: ${how}`].join('\n')}\n`;
}

/** A line, cut to a width with … as its end. Colours take no room, and end where they did. */
export function cut(line: string, width: number): string {
  if (widthOf(line) <= width) return line;
  let kept = '';
  let used = 0;
  for (const [piece] of line.matchAll(/\p{Cc}\[[\d;]*m|./gsu)) {
    const room = widthOf(piece);
    if (room > 0 && used + room >= width) {
      if (used < width) kept += '…';
      used = width;
    } else {
      used += room;
      kept += piece;
    }
  }
  return kept;
}

/** Columns of the terminal that the last column of a table keeps while others can be left out. */
const LAST = 20;
/** The end of a name that is cut: replicas of an App differ there. */
const TAIL = 5;

function middleCut(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${cut(text, Math.max(2, width - TAIL))}${text.slice(-TAIL)}`;
}

/** What each column takes. */
function widthsOf(head: readonly string[], rows: readonly (readonly string[])[]): readonly number[] {
  const widest = (most: number, row: readonly string[], at: number): number => Math.max(most, widthOf(row[at] ?? ''));
  return head.map((name, at) => rows.reduce((most, row) => widest(most, row, at), widthOf(name)));
}

/**
 * The columns of a table that a terminal (`width`) has room for: those with a heading of `leaves` are left out, the first of them first, until the last
 * column has what it needs or 20 columns. Names in the first column (without colours) are cut in the middle where that is not enough.
 */
export function narrowed(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  leaves: readonly string[],
  width: number | undefined = terminalWidth(),
): readonly [head: readonly string[], rows: readonly (readonly string[])[]] {
  if (width === undefined) return [head, rows];
  const widths = widthsOf(head, rows);
  let kept = head.map((_, at) => at);
  const needs = (): number =>
    kept.reduce(
      (sum, at, nth) => sum + (nth === kept.length - 1 ? Math.min(LAST, widths[at] ?? 0) : (widths[at] ?? 0) + 2),
      0,
    );
  for (const name of leaves) if (needs() > width) kept = kept.filter((at) => head[at] !== name);
  const room = Math.max(2 * TAIL, (widths[0] ?? 0) + width - needs());
  const pick = (row: readonly string[]): readonly string[] =>
    kept.map((at) => (at === 0 ? middleCut(row[at] ?? '', room) : (row[at] ?? '')));
  return [pick(head), rows.map(pick)];
}

/** A table with aligned columns; the last one is not padded. Lines end where the terminal (`width`) does. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined = terminalWidth(),
): string {
  const all = [head, ...rows];
  const widths = widthsOf(head, rows);
  const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : pad(cell, widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => (width === undefined ? line : cut(line, width)))
    .join('\n');
}
