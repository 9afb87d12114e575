import type { Catalog, FleetSpec, Resource } from '../model/catalog.ts';
import type { Reading } from './documents.ts';
import { resourceOf } from './documents.ts';
import { ownerOfPath, UNOWNED } from './owners.ts';
import { fleetSpec } from './specs/fleet.ts';
import type { Say } from './specs/say.ts';
import { place } from './tables.ts';
import type { Clash } from './tables.ts';

const DOCUMENT = 'apiVersion: plumbline/v1\nkind: Fleet\nmetadata:\n  name: main\nspec: {}';

/** Stands where no Fleet is known: its origin names no file. */
function unknownFleet(revision: string): Resource<FleetSpec> {
  return {
    name: 'unknown',
    owner: UNOWNED,
    labels: {},
    spec: { resync: 30_000, poll: 15_000, deletions: { count: 0 }, owners: {} },
    origin: { revision, file: '', line: 0, column: 0 },
    fields: {},
  };
}

/** Whether the catalog has a Fleet, of this revision or held from an earlier one. Without, nothing may be applied: the fleet's name is the owner mark. */
export function knowsFleet(catalog: Catalog): boolean {
  return catalog.fleet.origin.file !== '';
}

/** The one Fleet; with none or several the previous one, and what is wrong. `say` takes what is wrong with its spec. */
export function findFleet(
  { manifests, broken }: Reading,
  revision: string,
  previous: Catalog | undefined,
  say: Say,
): { readonly fleet: Resource<FleetSpec>; readonly clashes: readonly Clash[] } {
  const fleets = manifests.flatMap((manifest) => {
    const { document } = manifest;
    if (document.kind !== 'Fleet') return [];
    const owner = document.metadata.owner ?? ownerOfPath(manifest.origin.file, document.spec.owners ?? {}) ?? UNOWNED;
    return [resourceOf(manifest, document, owner, fleetSpec, say)];
  });
  const [fleet, ...others] = fleets;
  const held = previous !== undefined && knowsFleet(previous) ? previous.fleet : undefined;
  if (fleet === undefined) {
    // a broken file may be the one that holds it
    const mayBeBroken = broken.some(({ claims }) => claims.some(({ kind }) => kind === undefined || kind === 'Fleet'));
    const at = { revision, file: 'fleet.yaml', line: 1, column: 1 };
    const missing: Clash = {
      code: 'NO_FLEET',
      at,
      message: 'there is no Fleet document',
      hint: `add one, for example as fleet.yaml:\n${DOCUMENT}`,
      holds: [],
    };
    return { fleet: held ?? unknownFleet(revision), clashes: mayBeBroken ? [] : [missing] };
  }
  const clashes = others.map((other): Clash => ({
    code: 'MANY_FLEETS',
    at: other.origin,
    message: `a second Fleet "${other.name}"; there is "${fleet.name}" in ${place(fleet.origin)}`,
    hint: 'a repository has one Fleet; remove one',
    holds: [],
  }));
  return { fleet: others.length > 0 ? (held ?? fleet) : fleet, clashes };
}
