import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Node, Pair, Scalar, YAMLMap } from 'yaml';
import type { CompileCode } from './codes.ts';
import { quoted } from './finding.ts';
import type { Finding } from './finding.ts';
import { MAX_ALIASED_NODES, MAX_ALIASES, MAX_DEPTH, MAX_FINDINGS } from './limits.ts';
import { findingAt, positionAt } from './text.ts';
import type { Text } from './text.ts';

/** A document as plain data, as JSON knows it. */
export interface Tree {
  readonly value: unknown;
  /** JSON pointer → line and column of each scalar. */
  readonly scalars: Readonly<Record<string, readonly [number, number]>>;
  readonly findings: readonly Finding[];
}

interface Walk {
  readonly text: Text;
  readonly anchors: Map<string, Node>;
  readonly scalars: Record<string, readonly [number, number]>;
  readonly findings: Finding[];
  aliases: number;
  aliasedNodes: number;
  /** Inside of what an alias stands for. */
  expanding: number;
}

/** JSON pointer of a member. */
export function pointerTo(parent: string, key: string | number): string {
  return `${parent}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Turns the nodes of a document into data, within the limits; duplicate keys and values that JSON lacks are findings. */
export function plain(text: Text, contents: Node | null): Tree {
  const walk: Walk = {
    text,
    anchors: new Map(),
    scalars: {},
    findings: [],
    aliases: 0,
    aliasedNodes: 0,
    expanding: 0,
  };
  const value = visit(walk, contents, '', 0, 0);
  return { value, scalars: walk.scalars, findings: walk.findings };
}

function complain(walk: Walk, offset: number, code: CompileCode, message: string, hint?: string): null {
  if (walk.findings.length < MAX_FINDINGS) walk.findings.push(findingAt(walk.text, offset, code, message, hint));
  return null;
}

function visit(walk: Walk, node: Node | null, pointer: string, depth: number, fallback: number): unknown {
  if (node === null) return null;
  const offset = node.range?.[0] ?? fallback;
  if (isAlias(node)) return follow(walk, node.source, pointer, depth, offset);
  if (walk.expanding > 0 && ++walk.aliasedNodes > MAX_ALIASED_NODES) {
    if (walk.aliasedNodes === MAX_ALIASED_NODES + 1)
      complain(walk, offset, 'TOO_MANY_ALIASES', 'the aliases of this document expand to too much');
    return null;
  }
  if (node.anchor !== undefined && walk.expanding === 0) walk.anchors.set(node.anchor, node);
  if (isScalar(node)) return scalar(walk, node, pointer, offset);
  if (depth >= MAX_DEPTH)
    return complain(walk, offset, 'TOO_DEEP', `collections are nested deeper than ${String(MAX_DEPTH)}`);
  if (isSeq(node))
    return node.items.map((item, at) => visit(walk, item as Node | null, pointerTo(pointer, at), depth + 1, offset));
  if (isMap(node)) return mapping(walk, node as YAMLMap<Node | null, Node | null>, pointer, depth, offset);
  return null;
}

function follow(walk: Walk, name: string, pointer: string, depth: number, offset: number): unknown {
  if (++walk.aliases > MAX_ALIASES) {
    if (walk.aliases === MAX_ALIASES + 1)
      complain(walk, offset, 'TOO_MANY_ALIASES', `more than ${String(MAX_ALIASES)} aliases`, 'write the values out');
    return null;
  }
  const target = walk.anchors.get(name);
  if (target === undefined) return complain(walk, offset, 'YAML_SYNTAX', `no anchor ${quoted(name)} before this alias`);
  walk.expanding += 1;
  const value = visit(walk, target, pointer, depth, offset);
  walk.expanding -= 1;
  return value;
}

function scalar(walk: Walk, node: Scalar, pointer: string, offset: number): unknown {
  const { line, column } = positionAt(walk.text, offset);
  walk.scalars[pointer] = [line, column];
  const { value } = node;
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
      complain(
        walk,
        offset,
        'BAD_VALUE',
        `${quoted(node.source ?? String(value))} is not a number that can be held exactly`,
      );
    return value;
  }
  return complain(walk, offset, 'BAD_VALUE', 'a value of this type has no meaning here');
}

function mapping(
  walk: Walk,
  node: YAMLMap<Node | null, Node | null>,
  pointer: string,
  depth: number,
  offset: number,
): unknown {
  const result: Record<string, unknown> = {};
  const lines = new Map<string, number>();
  for (const pair of node.items) {
    const at = pair.key?.range?.[0] ?? offset;
    const key = keyOf(pair);
    if (key === undefined || key === '__proto__') {
      complain(
        walk,
        at,
        'BAD_VALUE',
        key === undefined ? 'a key must be a plain text' : `the key "${key}" is not allowed`,
      );
      continue;
    }
    const first = lines.get(key);
    if (first !== undefined) {
      const hint = `it stands in line ${String(first)} already; keep one`;
      complain(walk, at, 'DUPLICATE_KEY', `the key ${quoted(key)} stands twice`, hint);
      continue;
    }
    lines.set(key, positionAt(walk.text, at).line);
    result[key] = visit(walk, pair.value, pointerTo(pointer, key), depth + 1, at);
  }
  return result;
}

/** A key as text: `8080:` and `true:` are texts in JSON. */
function keyOf(pair: Pair<Node | null, Node | null>): string | undefined {
  const { key } = pair;
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === 'string' ? key.value : (key.source ?? JSON.stringify(key.value));
}

/** Offset of the value at a pointer, or of its key; of the nearest ancestor that is there when it is not. */
export function locate(contents: Node | null, path: readonly string[], what: 'key' | 'value'): number {
  let node = contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, segment] of path.entries()) {
    if (isMap(node)) {
      const pair = (node as YAMLMap<Node | null, Node | null>).items.find((item) => keyOf(item) === segment);
      if (pair === undefined) return offset;
      const last = depth === path.length - 1;
      const key = pair.key?.range?.[0] ?? offset;
      offset = last && what === 'value' ? (pair.value?.range?.[0] ?? key) : key;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(segment)] as Node | undefined;
      if (item === undefined) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else return offset;
  }
  return offset;
}
