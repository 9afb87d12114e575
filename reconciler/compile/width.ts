import { createRequire } from 'node:module';
import type * as StringWidth from 'string-width';

const PLAIN = /^[\u0020-\u007e]*$/;

let measure: typeof StringWidth.default | undefined;

/** Columns that a text takes on a terminal. What knows of wide and joined characters is loaded with the first that is not ASCII: it takes 40 ms. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  measure ??= (createRequire(import.meta.url)('string-width') as typeof StringWidth).default;
  return measure(text);
}
