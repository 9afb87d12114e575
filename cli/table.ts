import pc from 'picocolors';
import stringWidth from 'string-width';
import type { Io } from './io.ts';

export type Color = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** The text in a colour, where the terminal takes colours. */
export function tint(io: Pick<Io, 'color'>, color: Color, text: string): string {
  return io.color ? pc.createColors(true)[color](text) : text;
}

/** Columns of the terminal on standard output; undefined when that is none. */
function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Plain text, cut to a width with … as its end. Text with colours in it is left as it is. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width || text.includes('\u001b')) return text;
  let kept = '';
  let used = 0;
  for (const letter of text) {
    used += stringWidth(letter);
    if (used > width - 1) break;
    kept += letter;
  }
  return `${kept}…`;
}

/** Narrower than this the last column is not cut: it would say nothing. */
const LEAST = 8;

/** A table with aligned columns; the last one is not padded, and is cut where the terminal (`width`) ends. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined = terminalWidth(),
): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => stringWidth(row[column] ?? ''))));
  const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - stringWidth(text)));
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0);
  const left = width === undefined ? Infinity : Math.max(LEAST, width - before);
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cut(cell, left) : pad(cell, widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
