/** The owner of what has none of its own, where no prefix of the Fleet's owners matches. */
export const UNOWNED = 'unowned';

/** The owner of a path by the longest prefix that matches whole path segments: `teams/shop` and `teams/shop/` own `teams/shop/web.yaml`. */
export function ownerOfPath(path: string, owners: Readonly<Record<string, string>>): string | undefined {
  let best: string | undefined;
  let length = -1;
  for (const [prefix, owner] of Object.entries(owners)) {
    const root = prefix.replace(/^\.?\/+/, '').replace(/\/+$/, '');
    const matches = root === '' || root === '.' || path === root || path.startsWith(`${root}/`);
    if (matches && root.length > length) {
      best = owner;
      length = root.length;
    }
  }
  return best;
}
