import { hash } from 'node:crypto';

/** JSON with the keys of every object sorted and undefined members left out: equal values give equal text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** The first 16 hexadecimal digits of the SHA-256 of the canonical JSON: names a spec. */
export function fingerprint(value: unknown): string {
  return hash('sha256', canonical(value), 'hex').slice(0, 16);
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
