import type { Node } from 'yaml';
import type { Document } from '../../schemas/types.ts';
import { quoted } from './finding.ts';
import type { Finding } from './finding.ts';
import { schemaFindings } from './explain.ts';
import { MAX_FINDINGS } from './limits.ts';
import { salvage } from './salvage.ts';
import { isKind, KINDS } from './schemas.ts';
import { nearest, suggestion } from './suggest.ts';
import { decode, findingAt } from './text.ts';
import type { Text } from './text.ts';
import { locate, plain } from './tree.ts';
import type { Tree } from './tree.ts';
import { parseYaml } from './yaml.ts';

/** A document that matches the schema of its kind. Plain data. */
export interface ParsedDocument {
  readonly manifest: Document;
  /** JSON pointer → line and column of each scalar in it. */
  readonly scalars: Readonly<Record<string, readonly [number, number]>>;
}

/** What a document that cannot be used says it is, as far as that could be read. */
export interface Claim {
  readonly kind?: string;
  readonly name?: string;
  readonly owner?: string;
  /** Of an App: with whom it is placed. */
  readonly gang?: string;
}

/** What is left of a document that cannot be used, for what can be said of it all the same. */
export interface DoubtfulDocument extends ParsedDocument {
  /** JSON pointers of what is wrong in it. */
  readonly wrong: readonly string[];
}

/** What can be said of a file by itself. Plain data, and independent of the file's name: kept by blob. */
export interface ParsedFile {
  readonly documents: readonly ParsedDocument[];
  readonly findings: readonly Finding[];
  /** Of the documents that are broken; an empty claim where nothing could be read. */
  readonly claims: readonly Claim[];
  /** Of the documents that are broken those of which something is right. */
  readonly doubtful: readonly DoubtfulDocument[];
}

/** What was parsed before, by blob. `get` gives undefined for what is not known. */
export interface ParseCache {
  get(blob: string): ParsedFile | undefined;
  set(blob: string, file: ParsedFile): void;
}

/** Parses and validates a file by itself. Never throws. */
export function parseFile(bytes: Uint8Array): ParsedFile {
  const text = decode(bytes);
  if ('code' in text) return { documents: [], findings: [text], claims: [{}], doubtful: [] };
  const yaml = parseYaml(text);
  const documents: ParsedDocument[] = [];
  const findings: Finding[] = [];
  const claims: Claim[] = [];
  const doubtful: DoubtfulDocument[] = [];
  for (const { document, findings: syntax } of yaml.documents) {
    const contents: Node | null = document.contents;
    const tree = plain(text, contents);
    if (syntax.length === 0 && tree.findings.length === 0 && tree.value === null) continue; // only comments
    const wrong =
      syntax.length > 0
        ? syntax
        : [...tree.findings, ...(isWhole(tree) ? others(tree, judge(text, contents, tree)) : [])];
    if (wrong.length === 0) documents.push({ manifest: tree.value as Document, scalars: tree.scalars });
    else {
      claims.push(claimOf(tree.value));
      if (syntax.length === 0) doubtful.push(...doubted(tree));
    }
    findings.push(...wrong);
  }
  if (yaml.stopped !== undefined) {
    findings.push(yaml.stopped);
    claims.push({});
  }
  return { documents, findings: findings.slice(0, MAX_FINDINGS), claims, doubtful };
}

/** What is left of a document that is whole as YAML. */
function doubted(tree: Tree): readonly DoubtfulDocument[] {
  const kind = member(tree.value, 'kind');
  if (!isWhole(tree) || !isKind(kind)) return [];
  const left = salvage(kind, tree.value);
  return left === undefined ? [] : [{ ...left, scalars: tree.scalars }];
}

/** Findings without those about values that are wrong already as YAML: one mistake is told once. */
function others({ findings }: Tree, judged: readonly Finding[]): readonly Finding[] {
  const told = new Set(findings.map(({ line, column }) => `${String(line)}:${String(column)}`));
  return judged.filter(({ line, column }) => !told.has(`${String(line)}:${String(column)}`));
}

/** Whether the data is all that was written; judging a part would blame the wrong thing. */
function isWhole({ findings }: Tree): boolean {
  return findings.every(({ code }) => code === 'DUPLICATE_KEY' || code === 'BAD_VALUE');
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

function claimOf(value: unknown): Claim {
  const metadata = member(value, 'metadata');
  const kind = member(value, 'kind');
  const name = member(metadata, 'name');
  const owner = member(metadata, 'owner');
  const gang = member(member(value, 'spec'), 'gang');
  return {
    ...(typeof kind === 'string' ? { kind } : {}),
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof owner === 'string' ? { owner } : {}),
    ...(typeof gang === 'string' ? { gang } : {}),
  };
}

/** Which kind it is, then what its schema finds. */
function judge(text: Text, contents: Node | null, { value }: Tree): readonly Finding[] {
  const start = contents?.range?.[0] ?? 0;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [
      findingAt(
        text,
        start,
        'NOT_A_MANIFEST',
        'this is not a manifest',
        'a document starts with apiVersion: plumbline/v1',
      ),
    ];
  }
  const version = member(value, 'apiVersion');
  const kind = member(value, 'kind');
  if (version !== 'plumbline/v1') return [badVersion(text, contents, version, kind)];
  if (!isKind(kind)) {
    if (kind === undefined) {
      const hint = `one of: ${KINDS.join(', ')}`;
      return [findingAt(text, start, 'MISSING_FIELD', 'the document lacks the field "kind"', hint)];
    }
    const hint = suggestion(typeof kind === 'string' ? kind : '', KINDS, 'one of');
    return [
      findingAt(text, locate(contents, ['kind'], 'value'), 'UNKNOWN_KIND', `there is no kind ${quoted(kind)}`, hint),
    ];
  }
  return schemaFindings(text, contents, kind, value);
}

function badVersion(text: Text, contents: Node | null, version: unknown, kind: unknown): Finding {
  const offset = locate(contents, ['apiVersion'], 'value');
  const near = typeof version === 'string' && nearest(version, ['plumbline/v1']) !== undefined;
  if (near || (typeof version === 'string' && version.startsWith('plumbline')))
    return findingAt(
      text,
      offset,
      'UNKNOWN_VERSION',
      `there is no apiVersion ${quoted(version)}`,
      'write plumbline/v1',
    );
  if (version === undefined && isKind(kind)) {
    const hint = 'add apiVersion: plumbline/v1';
    return findingAt(text, offset, 'MISSING_FIELD', 'the document lacks the field "apiVersion"', hint);
  }
  const message =
    version === undefined
      ? 'this is not a manifest: it has no apiVersion'
      : `this is not a manifest: its apiVersion is ${quoted(version)}`;
  const hint =
    'keep other YAML outside of the path that Plumbline reads, or below a folder whose name starts with a dot';
  return findingAt(text, offset, 'NOT_A_MANIFEST', message, hint);
}
