import type { Problem } from '../model/catalog.ts';
import type { SourceFile } from '../model/source.ts';
import { excerptOf } from './finding.ts';
import { decode, lineAt } from './text.ts';
import type { Text } from './text.ts';

/** Gives each problem that has none the line that it points to. A place that this revision does not have becomes the file's start. */
export function excerpts(problems: readonly Problem[], files: readonly SourceFile[]): readonly Problem[] {
  const missing = new Set(problems.filter(({ excerpt }) => excerpt === undefined).map(({ file }) => file));
  const texts = new Map<string, Text>();
  for (const { path, bytes } of files) {
    const text = missing.has(path) && bytes !== undefined ? decode(bytes) : undefined;
    if (text !== undefined && !('code' in text)) texts.set(path, text);
  }
  return problems.map((problem) => {
    if (problem.excerpt !== undefined) return problem;
    const text = texts.get(problem.file);
    const line = text === undefined ? '' : lineAt(text, problem.line);
    if (problem.column > line.length + 1) return { ...problem, line: 1, column: 1 };
    return line === '' ? problem : { ...problem, excerpt: excerptOf(line, problem.column) };
  });
}

/** By file, line and column. */
export function sorted(problems: readonly Problem[]): readonly Problem[] {
  const compare = (a: Problem, b: Problem): number =>
    a.file === b.file ? a.line - b.line || a.column - b.column || (a.code < b.code ? -1 : 1) : a.file < b.file ? -1 : 1;
  return problems.toSorted(compare);
}
