/** Names one thing within a scope: `kind/name`, e.g. `container/web-0`, `port/web-0`, `sysctl/vm.swappiness`. */
export type Ref = `${string}/${string}`;

/** Builds a ref. */
export function refOf(kind: string, name: string): Ref {
  return `${kind}/${name}`;
}

/** The kind of a ref: what stands before the first slash. */
export function kindOf(ref: Ref): string {
  return ref.slice(0, ref.indexOf('/'));
}

/** The name of a ref: all that stands behind the first slash. */
export function nameOf(ref: Ref): string {
  return ref.slice(ref.indexOf('/') + 1);
}

/** Whether a text has the shape of a ref. */
export function isRef(text: string): text is Ref {
  return /^[a-z][a-z-]*\/.+$/.test(text);
}

/** Things by the kind of their refs, each kind in the order in which they came. */
export function byKind<Item extends { readonly ref: Ref }>(
  items: Iterable<Item>,
): ReadonlyMap<string, readonly Item[]> {
  const found = new Map<string, Item[]>();
  for (const item of items) {
    const kind = kindOf(item.ref);
    const known = found.get(kind);
    if (known) known.push(item);
    else found.set(kind, [item]);
  }
  return found;
}
