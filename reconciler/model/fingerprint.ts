import { hash } from 'node:crypto';

/** JSON with the keys of every object sorted and undefined members left out: equal values give equal text. */
export function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const key of sortedKeys(members)) {
    const member = members[key];
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonical(member)}`;
  }
  return `{${text}}`;
}

/** Most objects come with their keys in order. */
function sortedKeys(value: object): readonly string[] {
  const keys = Object.keys(value);
  return keys.some((key, at) => at > 0 && key < (keys[at - 1] ?? '')) ? keys.sort() : keys;
}

/** The first 16 hexadecimal digits of the SHA-256 of the canonical JSON: names a spec. */
export function fingerprint(value: unknown): string {
  return fingerprintOfText(canonical(value));
}

/** The same of the canonical JSON. */
export function fingerprintOfText(text: string): string {
  return hash('sha256', text, 'buffer').toString('hex', 0, 8);
}

const known = new WeakMap<object, string>();

/** The fingerprint of a value that never changes, such as a desired spec: computed once. */
export function fingerprintOf(value: object): string {
  const before = known.get(value);
  if (before !== undefined) return before;
  const made = fingerprint(value);
  known.set(value, made);
  return made;
}
