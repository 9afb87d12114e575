import { Composer, Lexer, Parser } from 'yaml';
import type { Document, YAMLError } from 'yaml';
import type { CompileCode } from './codes.ts';
import { printable } from './finding.ts';
import type { Finding } from './finding.ts';
import { MAX_DEPTH, MAX_DOCUMENTS, MAX_FINDINGS, MAX_TOKENS } from './limits.ts';
import { findingAt } from './text.ts';
import type { Text } from './text.ts';

/** One YAML document with what is wrong with its syntax. */
export interface YamlDocument {
  readonly document: Document.Parsed;
  readonly findings: readonly Finding[];
}

export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  /** Present when reading stopped at a limit: what follows it is not known. */
  readonly stopped?: Finding;
}

class Stop extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

/** The documents of a text. Never throws; a text that exceeds a limit is read up to there. */
export function parseYaml(text: Text): YamlFile {
  const documents: YamlDocument[] = [];
  const composer = new Composer({
    version: '1.2',
    // its own search for duplicates is quadratic; the tree walk does it
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  try {
    for (const document of composer.compose(tokens(text), false, text.text.length)) {
      if (documents.length === MAX_DOCUMENTS) {
        const hint = 'split the file';
        const message = `more than ${String(MAX_DOCUMENTS)} documents in one file`;
        throw new Stop(findingAt(text, document.range[0], 'TOO_LARGE', message, hint));
      }
      documents.push({ document, findings: syntaxFindings(text, document) });
    }
    return { documents };
  } catch (error) {
    if (error instanceof Stop) return { documents, stopped: error.finding };
    // the composer spreads its errors as arguments, which overflows the stack when there are a hundred thousand
    const message = 'the YAML cannot be understood: too many errors';
    return { documents, stopped: findingAt(text, 0, 'YAML_SYNTAX', message) };
  }
}

function* tokens(text: Text): Generator<ReturnType<Parser['next']> extends Generator<infer T> ? T : never, void> {
  const parser = new Parser();
  let count = 0;
  let errors = 0;
  for (const lexeme of new Lexer().lex(text.text)) {
    if (++count > MAX_TOKENS)
      throw new Stop(findingAt(text, parser.offset, 'TOO_LARGE', 'the file has too many tokens', 'split the file'));
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error' && ++errors > MAX_FINDINGS) {
        const message = 'the YAML cannot be understood: too many errors';
        throw new Stop(findingAt(text, token.offset, 'YAML_SYNTAX', message));
      }
      yield token;
    }
    // the document and a scalar stand on the stack as well
    if (parser.stack.length > MAX_DEPTH + 2) {
      const message = `collections are nested deeper than ${String(MAX_DEPTH)}`;
      throw new Stop(findingAt(text, parser.offset, 'TOO_DEEP', message));
    }
  }
  yield* parser.end();
}

/** The first problem of each line: what follows on the same line is mostly its echo. */
function syntaxFindings(text: Text, document: Document.Parsed): readonly Finding[] {
  const { yaml } = document.directives;
  const findings: Finding[] = [];
  if (yaml.explicit === true && yaml.version !== '1.2') {
    const message = `YAML ${printable(yaml.version)} is not read`;
    findings.push(
      findingAt(text, document.range[0], 'YAML_SYNTAX', message, 'remove the %YAML directive; 1.2 is read'),
    );
  }
  const lines = new Set<number>();
  for (const error of [...document.errors.slice(0, MAX_FINDINGS), ...document.warnings.slice(0, MAX_FINDINGS)]) {
    const finding = syntaxFinding(text, error);
    if (lines.has(finding.line)) continue;
    lines.add(finding.line);
    findings.push(finding);
    if (findings.length === MAX_FINDINGS) break;
  }
  return findings;
}

function syntaxFinding(text: Text, error: YAMLError): Finding {
  const [code, hint] = translate(error);
  const said = printable(error.message);
  const message = said.length > 160 ? `${said.slice(0, 157)}…` : said;
  return findingAt(text, error.pos[0], code, message.charAt(0).toLowerCase() + message.slice(1), hint);
}

function translate(error: YAMLError): readonly [CompileCode, string | undefined] {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return ['TAB_INDENT', 'indent with spaces'];
    case 'RESOURCE_EXHAUSTION':
      return ['TOO_DEEP', undefined];
    case 'TAG_RESOLVE_FAILED':
      return ['YAML_SYNTAX', 'tags have no meaning here; remove it'];
    case 'MISSING_CHAR':
      return ['YAML_SYNTAX', 'close the quote or the bracket'];
    case 'BAD_SCALAR_START':
      return ['YAML_SYNTAX', 'put the value in quotes'];
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return ['YAML_SYNTAX', 'check the indentation, and quote a value that holds ": "'];
    case 'BAD_INDENT':
      return ['YAML_SYNTAX', 'check the indentation'];
    default:
      return ['YAML_SYNTAX', undefined];
  }
}
