import fs from 'node:fs';
import { basename, join } from 'node:path';
import { compareNames } from '../../../reconciler/model/words.ts';

/** Files below a root, as they are read by kernel and distribution: what is not there, or cannot be read, is undefined. */
export interface Tree {
  /** Without the white space around it. */
  text(path: string): string | undefined;
  /** A decimal number; undefined if it is none. */
  number(path: string): number | undefined;
  /** Names in a folder, numbers in them in order; none where there is no such folder. */
  names(path: string): readonly string[];
  /** The last part of what a symbolic link leads to. */
  target(path: string): string | undefined;
  has(path: string): boolean;
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A tree of which each is read once: asked again, it says what it said first. For looks that ask for the same over and over. */
export function remembered(tree: Tree): Tree {
  const once = <T>(read: (path: string) => T): ((path: string) => T) => {
    const said = new Map<string, T>();
    return (path) => {
      if (!said.has(path)) said.set(path, read(path));
      return said.get(path) as T;
    };
  };
  return {
    text: once((path) => tree.text(path)),
    number: once((path) => tree.number(path)),
    names: once((path) => tree.names(path)),
    target: once((path) => tree.target(path)),
    has: once((path) => tree.has(path)),
  };
}

/** Works something out of a tree, and again only once some of what was read for it says another thing. */
export function whileSame<T>(work: (tree: Tree) => T): (tree: Tree) => T {
  let last: { readonly isSo: readonly ((tree: Tree) => boolean)[]; readonly made: T } | undefined;
  return (tree) => {
    if (last?.isSo.every((still) => still(tree)) === true) return last.made;
    const isSo: ((tree: Tree) => boolean)[] = [];
    const noted = <A>(read: (from: Tree) => A, same: (a: A, b: A) => boolean = Object.is): A => {
      const said = read(tree);
      isSo.push((other) => same(read(other), said));
      return said;
    };
    const likewise = (a: readonly string[], b: readonly string[]): boolean => a.join('\0') === b.join('\0');
    const made = work({
      text: (path) => noted((from) => from.text(path)),
      number: (path) => noted((from) => from.number(path)),
      names: (path) => noted((from) => from.names(path), likewise),
      target: (path) => noted((from) => from.target(path)),
      has: (path) => noted((from) => from.has(path)),
    });
    last = { isSo, made };
    return made;
  };
}

/** The files below a folder. */
export function treeAt(root: string): Tree {
  const text = (path: string): string | undefined => quietly(() => fs.readFileSync(join(root, path), 'utf8').trim());
  return {
    text,
    number: (path) => {
      const said = text(path) ?? '';
      return /^-?\d+$/.test(said) ? Number(said) : undefined;
    },
    names: (path) => (quietly(() => fs.readdirSync(join(root, path))) ?? []).sort(compareNames),
    target: (path) => quietly(() => basename(fs.realpathSync.native(join(root, path)))),
    has: (path) => fs.existsSync(join(root, path)),
  };
}
