import { createColors } from 'picocolors';
import type { Problem } from '../reconciler/model/catalog.ts';
import { COMPILE_CODES } from '../reconciler/compile/codes.ts';
import type { CompileCode } from '../reconciler/compile/codes.ts';

/** Problems as a compiler prints them: what, where, the line with a caret, and the next step. */
export function problemsText(problems: readonly Problem[], color: boolean): string {
  const paint = createColors(color);
  return problems
    .map((problem) => {
      const { code, message, file, line, column, hint, excerpt } = problem;
      const number = String(line);
      const gutter = ' '.repeat(number.length);
      const bar = paint.blue('|');
      const lines = [
        `${paint.bold(paint.red(`error[${code}]`))}${paint.bold(`: ${message}`)}`,
        `${gutter}${paint.blue('-->')} ${file}:${number}:${String(column)}`,
      ];
      if (excerpt !== undefined) {
        const [shown = '', caret = ''] = excerpt.split('\n');
        lines.push(`${gutter} ${bar}`, `${paint.blue(number)} ${bar} ${shown}`.trimEnd());
        lines.push(`${gutter} ${bar} ${paint.red(caret)}`);
      }
      if (hint !== undefined) {
        const [first = '', ...rest] = hint.split('\n');
        lines.push(`${gutter} ${paint.blue('=')} ${paint.cyan('help')}: ${first}`);
        lines.push(...rest.map((each) => `${gutter}     ${each}`));
      }
      return `${lines.join('\n')}\n`;
    })
    .join('\n');
}

/** The documented JSON of `validate`: version 1. */
export function problemsJson(problems: readonly Problem[]): string {
  const errors = problems.map(({ code, message, file, line, column, hint }) => ({
    code,
    message,
    file,
    line,
    column,
    ...(hint === undefined ? {} : { hint }),
  }));
  return `${JSON.stringify({ version: 1, valid: errors.length === 0, errors }, null, 2)}\n`;
}

/** Workflow commands of GitHub Actions, which become annotations of the pull request. */
export function problemsGithub(problems: readonly Problem[]): string {
  const text = (value: string): string => value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (value: string): string => text(value).replaceAll(':', '%3A').replaceAll(',', '%2C');
  return problems
    .map(({ code, message, file, line, column, hint }) => {
      const said = hint === undefined ? message : `${message}\n${hint}`;
      const where = `file=${property(file)},line=${String(line)},col=${String(column)}`;
      return `::error ${where},title=${property(code)}::${text(said)}\n`;
    })
    .join('');
}

/** SARIF 2.1.0, as code scanning reads it. Columns count UTF-16 units. */
export function problemsSarif(problems: readonly Problem[]): string {
  const codes = [...new Set(problems.map(({ code }) => code))].sort();
  const rules = codes.map((id) => ({ id, shortDescription: { text: COMPILE_CODES[id as CompileCode].title } }));
  const results = problems.map(({ code, message, file, line, column, hint }) => ({
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level: 'error',
    message: { text: hint === undefined ? message : `${message}\n${hint}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: file.split('/').map(encodeURIComponent).join('/') },
          region: { startLine: line, startColumn: column },
        },
      },
    ],
  }));
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'plumb', rules } }, columnKind: 'utf16CodeUnits', results }],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}
