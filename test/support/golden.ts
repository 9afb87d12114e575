import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, seen from `dist/test/support`. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Compares the text with `test/golden/<name>`; `UPDATE=1` writes the file instead. Throws AssertionError with a line diff, or naming the command that makes a missing file. */
export function golden(name: string, text: string, folder: string = join(ROOT, 'test/golden')): void {
  const path = join(folder, name);
  if (process.env['UPDATE'] === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  const shown = relative(ROOT, path);
  const wanted = read(path);
  if (wanted === undefined)
    assert.fail(`${shown} does not exist; look at the text below, then run: npm run update\n${text}`);
  if (wanted === text) return;
  assert.fail(`${shown} differs; if the new text (+) is right, run: npm run update\n${difference(wanted, text)}`);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Lines of both texts, `-` only in the old, `+` only in the new, with three lines of context. */
export function difference(old: string, now: string): string {
  const a = old.split('\n');
  const b = now.split('\n');
  const rows: { readonly mark: ' ' | '-' | '+'; readonly line: string }[] = [];
  const common = longestCommon(a, b);
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      rows.push({ mark: ' ', line: a[i] ?? '' });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && at(common, i + 1, j) >= at(common, i, j + 1))) {
      rows.push({ mark: '-', line: a[i++] ?? '' });
    } else {
      rows.push({ mark: '+', line: b[j++] ?? '' });
    }
  }
  return nearChanges(rows).join('\n');
}

/** Length of the longest common run of lines of `a` from i and `b` from j, for all i and j. */
function longestCommon(a: readonly string[], b: readonly string[]): readonly Uint32Array[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    const row = table[i] ?? new Uint32Array();
    for (let j = b.length - 1; j >= 0; j--)
      row[j] = a[i] === b[j] ? at(table, i + 1, j + 1) + 1 : Math.max(at(table, i + 1, j), at(table, i, j + 1));
  }
  return table;
}

function at(table: readonly Uint32Array[], i: number, j: number): number {
  return table[i]?.[j] ?? 0;
}

function nearChanges(rows: readonly { readonly mark: ' ' | '-' | '+'; readonly line: string }[]): readonly string[] {
  const context = 3;
  const near = rows.map((_, at) =>
    rows.slice(Math.max(0, at - context), at + context + 1).some((row) => row.mark !== ' '),
  );
  return rows.flatMap((row, at) => {
    if (near[at] === true) return [`${row.mark} ${row.line}`];
    return near[at - 1] === true || at === 0 ? ['  …'] : [];
  });
}
