import { basename, dirname, join } from 'node:path';
import type { Tree } from '../inventory/tree.ts';

/** Files of sysfs beside which another says what they take. */
const BESIDE: Readonly<Record<string, string>> = {
  scaling_governor: 'scaling_available_governors',
  energy_performance_preference: 'energy_performance_available_preferences',
};

/** What a file takes, as `performance, powersave`: as the one beside it says, or it itself, where one of several is in brackets. Undefined where that is not told. */
export function choicesOf(tree: Tree, path: string): string | undefined {
  const other = BESIDE[basename(path)];
  const text = tree.text(other === undefined ? path : join(dirname(path), other)) ?? '';
  const told = other === undefined ? /\[[^\]]+\]/.test(text) : text !== '';
  return told ? text.replace(/[[\]]/g, '').split(/\s+/).join(', ') : undefined;
}
