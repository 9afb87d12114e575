import type { Problem } from '../model/catalog.ts';
import type { CompileCode } from './codes.ts';
import { widthOf } from './width.ts';

/** A problem of one file, before the file's name is known (equal files are parsed once). */
export interface Finding extends Omit<Problem, 'file' | 'code'> {
  readonly code: CompileCode;
}

/** 1-based line and column (in UTF-16 units) of a text. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

const WIDTH = 110;

/** Text of a repository made safe to print: control characters and those that change the direction of writing become `�`. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** A value of the repository as it appears in a message: quoted, printable and not too long. */
export function quoted(value: unknown): string {
  const text =
    typeof value === 'string' ? `"${value}"` : ((JSON.stringify(value) as string | undefined) ?? 'undefined');
  return printable(text.length > 80 ? `${text.slice(0, 77)}…` : text);
}

/** The line and below it a caret under the column; a long line is cut to what surrounds the column. */
export function excerptOf(line: string, column: number): string {
  const from = column > WIDTH - 20 ? column - 60 : 0;
  const shown = printable(line.slice(from, from + WIDTH).replaceAll('\t', ' '));
  const before = shown.slice(0, Math.max(0, column - 1 - from));
  return `${shown}\n${' '.repeat(widthOf(before))}^`;
}
