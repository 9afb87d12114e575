import type { CompileCode } from '../codes.ts';

/** Tells a problem at the JSON pointer of a manifest. */
export type Say = (pointer: string, code: CompileCode, message: string, hint?: string) => void;

/** A value that its schema gives a default, so that it is there once defaults are filled in. */
export function filled<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('a field without default was taken for one that has a default');
  return value;
}

/** Copies the members that are defined: an absent optional field stays absent. */
export function defined<T extends object>(members: { readonly [K in keyof T]: T[K] | undefined }): T {
  const result: Partial<T> = {};
  for (const key in members) {
    const value = members[key];
    if (value !== undefined) result[key] = value;
  }
  return result as T;
}
