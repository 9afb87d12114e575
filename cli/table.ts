import pc from 'picocolors';
import stringWidth from 'string-width';
import type { Io } from './io.ts';

export type Color = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** The text in a colour, where the terminal takes colours. */
export function tint(io: Pick<Io, 'color'>, color: Color, text: string): string {
  return io.color ? pc.createColors(true)[color](text) : text;
}

/** A table with aligned columns; the last one is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => stringWidth(row[column] ?? ''))));
  const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - stringWidth(text)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : pad(cell, widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
