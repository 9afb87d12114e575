import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isMap, isNode, isScalar, parseAllDocuments } from 'yaml';
import type { Node, YAMLMap } from 'yaml';
import { replaceFile } from '../disk/replace.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { RepositoryFlags } from './repository.ts';
import type { Io } from './io.ts';

/** The spec of a Host among the documents of a file. */
function specOf(text: string, name: string): YAMLMap | undefined {
  for (const document of parseAllDocuments(text)) {
    if (document.errors.length > 0) continue;
    const { kind, metadata } = (document.toJS({ maxAliasCount: 100 }) ?? {}) as {
      kind?: unknown;
      metadata?: { name?: unknown };
    };
    const spec: unknown = document.getIn(['spec'], true);
    if (kind === 'Host' && metadata?.name === name && isMap(spec)) return spec;
  }
  return undefined;
}

/** Where something stands in a text: its first character, and the one behind it. */
function rangeOf({ range }: Pick<Node, 'range'>): readonly [number, number] | undefined {
  return range ? [range[0], range[1]] : undefined;
}

/**
 * A manifest in which a Host says `drain: true` or `drain: false`; nothing else of it is another. Undefined when the file does not hold that Host as
 * a map that can be written to.
 */
export function withDrain(text: string, name: string, drain: boolean): string | undefined {
  const spec = specOf(text, name);
  if (!spec) return undefined;
  const put = (from: number, to: number, words: string): string => text.slice(0, from) + words + text.slice(to);
  const written: unknown = spec.get('drain', true);
  const there = isNode(written) ? rangeOf(written) : undefined;
  if (there) return put(...there, String(drain));
  if (!drain) return text;
  const [first] = spec.items;
  const key = isScalar(first?.key) ? rangeOf(first.key) : undefined;
  if (!key) return undefined;
  const [at] = key;
  if (spec.flow === true) return put(at, at, `drain: ${String(drain)}, `);
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const indent = ' '.repeat(at - (text.lastIndexOf('\n', at - 1) + 1));
  return put(at, at, `drain: ${String(drain)}${end}${indent}`);
}

/** What became of a file that was to be written. */
export interface Written {
  readonly path: string;
  /** False: it says so already, and is only to be committed. */
  readonly changed: boolean;
}

/** Writes into the file of a work tree on this machine whether a Host is drained; to commit it is for whoever asked. Throws USAGE where there is no such file. */
export async function writeDrain(
  { repo = '.', path = '' }: RepositoryFlags,
  file: string,
  host: { readonly name: string; readonly drain: boolean },
  io: Pick<Io, 'cwd'>,
): Promise<Written> {
  const root = resolve(io.cwd, repo, path);
  const at = join(root, file);
  const text = await readFile(at, 'utf8').catch(() => undefined);
  if (text === undefined)
    throw new PlumbError('USAGE', `--write needs a work tree with ${file}: run it in one, or name it with --repo`);
  const next = withDrain(text, host.name, host.drain);
  if (next === undefined)
    throw new PlumbError('USAGE', `${at} has no Host ${host.name} that can be written to: edit it`);
  const { mode } = await stat(at);
  if (next !== text) await replaceFile(at, next, { mode: mode & 0o777 });
  return { path: at, changed: next !== text };
}
