import type { CompileCode } from './codes.ts';
import { excerptOf } from './finding.ts';
import type { Finding, Position } from './finding.ts';

/** A file's text with the offsets of its lines. */
export interface Text {
  readonly text: string;
  /** Offset of the first character of each line, ascending; filled while parsing or by `textOf`. */
  readonly starts: readonly number[];
}

/** A text and where its lines start; `\n` and `\r\n` end a line, as in YAML. */
function textOf(text: string): Text {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return { text, starts };
}

/** Line and column of an offset; an offset behind the end is the end. */
export function positionAt({ text, starts }: Text, offset: number): Position {
  const wanted = Math.max(0, Math.min(offset, text.length));
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= wanted) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: wanted - (starts[low] ?? 0) + 1 };
}

/** One line, without its end; empty when there is none of that number. */
export function lineAt({ text, starts }: Text, line: number): string {
  const start = starts[line - 1];
  if (start === undefined) return '';
  const end = text.indexOf('\n', start);
  return text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '');
}

/** A problem at an offset, with its excerpt. */
export function findingAt(text: Text, offset: number, code: CompileCode, message: string, hint?: string): Finding {
  const { line, column } = positionAt(text, offset);
  return {
    code,
    message,
    line,
    column,
    ...(hint === undefined ? {} : { hint }),
    excerpt: excerptOf(lineAt(text, line), column),
  };
}

/** The bytes as text without a byte order mark, or the problem at the first byte that is not UTF-8. */
export function decode(bytes: Uint8Array): Text | Finding {
  try {
    return textOf(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    const wide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const lossy = textOf(new TextDecoder('utf-8').decode(bytes));
    const hint = wide ? 'it looks like UTF-16; save it as UTF-8' : 'save the file as UTF-8';
    return findingAt(lossy, badOffset(bytes, lossy.text), 'NOT_UTF8', 'the file is not UTF-8', hint);
  }
}

/** Offset in the lossy text of the first replacement character that does not stand in the bytes. */
function badOffset(bytes: Uint8Array, lossy: string): number {
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let byte = bom;
  let from = 0;
  for (;;) {
    const at = lossy.indexOf('\ufffd', from);
    if (at === -1) return lossy.length;
    byte += Buffer.byteLength(lossy.slice(from, at));
    const genuine = bytes[byte] === 0xef && bytes[byte + 1] === 0xbf && bytes[byte + 2] === 0xbd;
    if (!genuine) return at;
    byte += 3;
    from = at + 1;
  }
}
