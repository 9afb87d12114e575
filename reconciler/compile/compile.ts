import type { Catalog } from '../model/catalog.ts';
import { ended } from '../model/ended.ts';
import type { SourceFile } from '../model/source.ts';
import { danglingReferences } from './checks/apps.ts';
import { choose } from './choices.ts';
import { gangsAsked, incompleteGangs } from './checks/gangs.ts';
import { zoneClashes } from './checks/hosts.ts';
import { APP_RULES, HOST_RULES, SHARING_RULES, type Rule } from './checks/rules.ts';
import { reading } from './documents.ts';
import type { Reading } from './documents.ts';
import type { ParseCache } from './file.ts';
import { draftOf } from './draft.ts';
import type { Draft } from './draft.ts';
import { excerpts, sorted } from './excerpts.ts';
import { tellRest } from './rest.ts';
import type { ObjectId } from './tables.ts';

/**
 * What the files of a revision say. All problems are in the catalog, and what is concerned by one is held as
 * the previous catalog knew it, or left out. In the result every App's Zone and Network exist. Others may have their turn after each file.
 */
export function* compiling(
  files: readonly SourceFile[],
  revision: string,
  cache?: ParseCache,
  previous?: Catalog,
): Generator<undefined, Catalog> {
  const read = yield* reading(files, revision, cache);
  const draft = draftOf(read, revision, previous);
  const replicasBefore = (app: string): number => previous?.apps.get(app)?.spec.replicas ?? 0;
  check(draft, read, replicasBefore);
  if (draft.problems.length > 0) tellRest(draft, read, replicasBefore);
  const { tables } = draft;
  return {
    revision,
    fleet: draft.fleet,
    apps: tables.App,
    zones: tables.Zone,
    networks: tables.Network,
    hosts: tables.Host,
    tunings: tables.Tuning,
    problems: sorted(excerpts(draft.problems, files)),
    heldObjects: draft.heldObjects,
    heldOwners: draft.heldOwners,
  };
}

/** The same at once. */
export function compile(...files: Parameters<typeof compiling>): Catalog {
  return ended(compiling(...files));
}

/** The checks between documents, each on what the ones before have left. */
function check(draft: Draft, reading: Reading, replicasBefore: (app: string) => number): void {
  const { tables } = draft;
  const judge = (rules: readonly Rule[]): void => {
    for (const rule of rules) for (const clash of rule.find(tables, replicasBefore)) draft.clash(clash);
  };
  judge(HOST_RULES);
  // zones and hosts as they were may still disagree with what is new
  for (const { host } of zoneClashes(tables)) draft.drop(`Host/${host}`);
  chooseIn(draft);
  judge(SHARING_RULES);
  for (const each of danglingReferences(tables)) {
    // the reference is right, what it names is held: that was told already
    if (draft.heldObjects.has(each.target)) draft.hold(each.from);
    else draft.clash(each);
  }
  judge(APP_RULES);
  for (const { from } of danglingReferences(tables)) draft.drop(from);
  holdGangs(draft, gangsAsked(reading));
}

/** Gives Apps the Zone and Network that they ask for. Where a Zone or Network is held, what is missing may be no fault of theirs: these stay as they were, and nothing is told. */
function chooseIn(draft: Draft): void {
  const { found, clashes } = choose(draft.tables);
  const doubtful = [...draft.heldObjects].some((id) => id.startsWith('Zone/') || id.startsWith('Network/'));
  for (const clash of clashes) {
    if (!doubtful) draft.clash(clash);
    else for (const id of clash.holds) draft.hold(id);
  }
  for (const [name, app] of found) draft.tables.App.set(name, app);
}

/** Gangs of which a member cannot be used stay as they were, or out: what was wrong was told already. What refers to them goes with them. */
function holdGangs(draft: Draft, asked: ReadonlyMap<string, ReadonlySet<string>>): void {
  const held = new Set<ObjectId>();
  for (let more = true; more;) {
    const ids = incompleteGangs(asked, draft.tables).filter((id) => !held.has(id));
    for (const id of ids) {
      draft.hold(id);
      held.add(id);
    }
    for (const { from } of danglingReferences(draft.tables)) draft.drop(from);
    more = ids.length > 0;
  }
}
