import fs from 'node:fs';
import { basename, join } from 'node:path';

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

const collator = new Intl.Collator('en', { numeric: true });

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

/** The files below a folder. */
export function treeAt(root: string): Tree {
  const text = (path: string): string | undefined => quietly(() => fs.readFileSync(join(root, path), 'utf8').trim());
  return {
    text,
    number: (path) => {
      const said = text(path) ?? '';
      return /^-?\d+$/.test(said) ? Number(said) : undefined;
    },
    names: (path) => (quietly(() => fs.readdirSync(join(root, path))) ?? []).sort(collator.compare),
    target: (path) => quietly(() => basename(fs.realpathSync(join(root, path)))),
    has: (path) => fs.existsSync(join(root, path)),
  };
}
