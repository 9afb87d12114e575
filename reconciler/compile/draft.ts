import type { Catalog, FleetSpec, Problem, Resource } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import type { CompileCode } from './codes.ts';
import { resourceOf } from './documents.ts';
import type { BrokenFile, Manifest, Reading } from './documents.ts';
import { findFleet } from './fleet.ts';
import { ownerOfPath, UNOWNED } from './owners.ts';
import { isKind } from './schemas.ts';
import { appSpec } from './specs/app.ts';
import { hostSpec } from './specs/host.ts';
import { networkSpec } from './specs/network.ts';
import type { Say } from './specs/say.ts';
import { tuningSpec } from './specs/tuning.ts';
import { zoneSpec } from './specs/zone.ts';
import { copyOf, emptyTables, nearestOrigin, place, tablesOf } from './tables.ts';
import type { Clash, ObjectId, TableKind, Tables } from './tables.ts';

/** A catalog in the making: what is sound, and what is held. */
export interface Draft {
  readonly fleet: Resource<FleetSpec>;
  readonly tables: Tables;
  readonly problems: readonly Problem[];
  readonly heldObjects: ReadonlySet<string>;
  readonly heldOwners: ReadonlySet<string>;
  /** The objects of sound files as they are written there, before any was held; of two with one name the first. */
  readonly written: Tables;
  /** The others with such a name. */
  readonly doubles: readonly Manifest[];
  /** What is wrong in an object by itself, as JSON pointers. */
  readonly wrong: ReadonlyMap<ObjectId, readonly string[]>;
  /** Tells a problem. */
  tell(code: CompileCode, at: Origin, message: string, hint?: string): void;
  /** Tells a problem and holds what it concerns. */
  clash(clash: Clash): void;
  /** Puts an object back to what the previous catalog knew, or takes it out when that knew nothing. */
  hold(id: ObjectId): void;
  /** Takes an object out of the tables; it counts as held. */
  drop(id: ObjectId): void;
}

function split(id: ObjectId): readonly [TableKind | 'Fleet', string] {
  const slash = id.indexOf('/');
  return [id.slice(0, slash) as TableKind | 'Fleet', id.slice(slash + 1)];
}

/** Sets up the tables from what was read; documents that are wrong by themselves and broken files are held. */
export function draftOf(reading: Reading, revision: string, previous: Catalog | undefined): Draft {
  const tables = emptyTables();
  const problems = [...reading.problems];
  const heldObjects = new Set<string>();
  const heldOwners = new Set<string>();
  const before = previous === undefined ? undefined : tablesOf(previous);

  const holdOwner = (kind: TableKind, name: string): void => {
    for (const known of [tables[kind].get(name), before?.[kind].get(name)]) if (known) heldOwners.add(known.owner);
  };
  /** A copy that is made before the first object is held: mostly none ever is. */
  let written: Tables | undefined;
  const drop = (id: ObjectId): void => {
    heldObjects.add(id);
    const [kind, name] = split(id);
    if (kind === 'Fleet') return;
    written ??= copyOf(tables);
    holdOwner(kind, name);
    tables[kind].delete(name);
  };
  const hold = (id: ObjectId): void => {
    drop(id);
    const [kind, name] = split(id);
    const known = kind === 'Fleet' ? undefined : before?.[kind].get(name);
    if (kind !== 'Fleet' && known !== undefined) (tables[kind] as Map<string, Resource<unknown>>).set(name, known);
  };
  const tell = (code: CompileCode, at: Origin, message: string, hint?: string): void => {
    const { file, line, column } = at;
    problems.push({ code, message, file, line, column, ...(hint === undefined ? {} : { hint }) });
  };
  const clash = ({ code, at, message, hint, holds }: Clash): void => {
    tell(code, at, message, hint);
    for (const id of holds) hold(id);
  };

  const found = findFleet(
    reading,
    revision,
    previous,
    sayAt(reading, 'Fleet', tell, () => heldOwners.add('*')),
  );
  for (const each of found.clashes) {
    heldOwners.add('*');
    clash(each);
  }
  const { owners } = found.fleet.spec;
  const wrong = new Map<ObjectId, string[]>();
  const doubles: Manifest[] = [];
  for (const manifest of reading.manifests) {
    const say: Say = (pointer, code, message, hint) => {
      const id: ObjectId = `${manifest.kind}/${manifest.name}`;
      tell(code, nearestOrigin(manifest, pointer), message, hint);
      wrong.set(id, [...(wrong.get(id) ?? []), pointer]);
    };
    const first = manifest.kind === 'Fleet' ? undefined : tables[manifest.kind].get(manifest.name);
    if (first === undefined) insert(tables, manifest, owners, say);
    else {
      const hint = `the other is in ${place(first.origin)}; rename one`;
      tell('DUPLICATE_NAME', manifest.origin, `there are two objects ${manifest.kind}/${manifest.name}`, hint);
      doubles.push(manifest);
    }
  }
  for (const id of wrong.keys()) hold(id);
  for (const { kind, name } of doubles) hold(`${kind}/${name}`);
  for (const file of reading.broken) holdFile(file);
  return {
    fleet: found.fleet,
    tables,
    problems,
    heldObjects,
    heldOwners,
    get written() {
      return written ?? tables;
    },
    doubles,
    wrong,
    tell,
    clash,
    hold,
    drop,
  };

  function holdFile({ path, claims }: BrokenFile): void {
    if (!reading.complete) heldOwners.add('*');
    const owner = ownerOfPath(path, owners);
    let known = false;
    for (const [kind, table] of Object.entries(before ?? {})) {
      for (const [name, { origin }] of table) {
        if ((reading.complete && origin.file !== path) || tables[kind as TableKind].has(name)) continue;
        hold(`${kind as TableKind}/${name}`);
        known = true;
      }
    }
    for (const { kind, name, owner: said } of claims) {
      const readable = isKind(kind) && name !== undefined;
      if (readable && (kind === 'Fleet' || !tables[kind].has(name))) hold(`${kind}/${name}`);
      const was = readable && kind !== 'Fleet' ? before?.[kind].get(name)?.owner : undefined;
      const claimed = said ?? owner ?? was;
      if (claimed !== undefined) heldOwners.add(claimed);
      else if (!known) heldOwners.add('*');
    }
  }
}

/** `say` for the documents of a kind that there should be one of. */
function sayAt(
  { manifests }: Reading,
  kind: 'Fleet',
  tell: (code: CompileCode, at: Origin, message: string, hint?: string) => void,
  then: () => void,
): Say {
  const manifest = manifests.find((each) => each.kind === kind);
  return (pointer, code, message, hint) => {
    if (manifest === undefined) return;
    tell(code, nearestOrigin(manifest, pointer), message, hint);
    then();
  };
}

/** The owner: the document's own word, else the Fleet's by path, else `unowned`. */
export function insert(tables: Tables, manifest: Manifest, owners: Readonly<Record<string, string>>, say: Say): void {
  const { document, name } = manifest;
  const owner = document.metadata.owner ?? ownerOfPath(manifest.origin.file, owners) ?? UNOWNED;
  switch (document.kind) {
    case 'App':
      tables.App.set(name, resourceOf(manifest, document, owner, appSpec, say));
      break;
    case 'Zone':
      tables.Zone.set(name, resourceOf(manifest, document, owner, zoneSpec, say));
      break;
    case 'Network':
      tables.Network.set(name, resourceOf(manifest, document, owner, networkSpec, say));
      break;
    case 'Host':
      tables.Host.set(name, resourceOf(manifest, document, owner, hostSpec, say));
      break;
    case 'Tuning':
      tables.Tuning.set(name, resourceOf(manifest, document, owner, tuningSpec, say));
      break;
    case 'Fleet':
      break;
  }
}
