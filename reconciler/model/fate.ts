import type { Catalog } from './catalog.ts';
import { ordinalOf } from './replica.ts';
import type { Placement } from './replica.ts';

/** `kept`: no longer asked for, or not understood, but errors in the repository forbid to remove it now. */
export type Fate = 'wanted' | 'kept' | 'unwanted';

/** Whether nothing of an owner may be removed. What has no known owner counts as anybody's. */
function ownerHeld(catalog: Catalog, owner: string | undefined): boolean {
  const { heldOwners } = catalog;
  if (heldOwners.has('*')) return true;
  return owner === undefined ? heldOwners.size > 0 : heldOwners.has(owner);
}

/** What the catalog says of a placed replica. `owners` are those of Apps that have left the catalog, as last assigned. */
export function fateOf(
  { replica, app }: Pick<Placement, 'replica' | 'app'>,
  catalog: Catalog,
  owners: { readonly get: (app: string) => string | undefined },
): Fate {
  const resource = catalog.apps.get(app);
  if (resource && ordinalOf(replica) < resource.spec.replicas) return 'wanted';
  if (catalog.budgetKeeps?.has(replica) === true) return 'kept';
  if (!resource && catalog.heldObjects.has(`App/${app}`)) return 'kept';
  return ownerHeld(catalog, resource?.owner ?? owners.get(app)) ? 'kept' : 'unwanted';
}
