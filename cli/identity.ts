import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileSync } from '../disk/replace.ts';

/** Who works on a state directory: a name and a random part, the same after each restart. */
export function identityOf(state: string, role: 'agent' | 'controller', name: string): string {
  const file = join(state, `${role}-id`);
  if (existsSync(file)) return `${name}/${readFileSync(file, 'utf8').trim()}`;
  const made = randomUUID().slice(0, 8);
  replaceFileSync(file, `${made}\n`);
  return `${name}/${made}`;
}

/** Whether an agent of a fleet has worked on the state directory. */
export function isAgents(state: string): boolean {
  return existsSync(join(state, 'agent-id'));
}
