import type { Resource } from '../model/catalog.ts';
import { danglingReferences } from './checks/apps.ts';
import { APP_RULES, CHOICES, HOST_RULES, SHARING_RULES, type Rule } from './checks/rules.ts';
import { choose, isOpen } from './choices.ts';
import { insert, type Draft } from './draft.ts';
import type { DoubtfulManifest, Manifest, Reading } from './documents.ts';
import type { Say } from './specs/say.ts';
import {
  copyOf,
  emptyTables,
  nearestOrigin,
  place,
  type Clash,
  type ObjectId,
  type TableKind,
  type Tables,
} from './tables.ts';

/** Objects as they are written, and the fields of them that are not to be trusted. */
interface Written {
  readonly tables: Tables;
  readonly wrong: ReadonlyMap<ObjectId, readonly string[]>;
}

/** Second objects of a name that are looked at in the place of the first. */
const MOST_DOUBLES = 20;
/** Problems that are told once at a place, whatever else they would say of it. */
const ONCE: ReadonlySet<string> = new Set(['TOO_FEW_ADDRESSES', 'APP_TOO_LARGE', 'GANG_TOO_LARGE']);

/**
 * Tells what else is wrong with objects that are held: each is looked at as it is written, as far as its fields can be trusted. A
 * person mends all of it at once then. Holds nothing more: who would clash with what is held is right as long as it is.
 */
export function tellRest(draft: Draft, reading: Reading, replicasBefore: (app: string) => number): void {
  const told = new Set(draft.problems.flatMap(({ code, message, ...at }) => keysOf(code, at, message)));
  const tell = ({ code, at, message, hint }: Clash): void => {
    const [exact = '', ...once] = keysOf(code, at, message);
    if (told.has(exact) || once.some((key) => told.has(key))) return;
    for (const key of [exact, ...once]) told.add(key);
    draft.tell(code, at, message, hint);
  };
  const { written, doubles } = withDoubtful(draft, reading, tell);
  const known = namesOf(draft, reading);
  const sees = (each: Written, rule: Rule): boolean =>
    rule.all?.every((kind) => known.complete && allTrusted(each, rule, kind)) ?? true;
  const all = (each: Written): void => {
    const settled = withChoices(each, sees(each, CHOICES));
    for (const rule of [CHOICES, ...HOST_RULES, ...SHARING_RULES, ...APP_RULES]) {
      const whole = rule === CHOICES ? each : settled;
      if (sees(whole, rule)) for (const clash of rule.find(trusted(whole, rule), replicasBefore)) tell(clash);
    }
    if (!known.complete) return;
    for (const clash of danglingReferences(each.tables))
      if (!known.names.has(clash.target) && !isWrong(each, clash.from, [clash.pointer])) tell(clash);
  };
  all(written);
  for (const double of doubles.slice(0, MOST_DOUBLES)) {
    const tables = copyOf(written.tables);
    tables[double.kind].set(double.name, double.resource as never);
    const id: ObjectId = `${double.kind}/${double.name}`;
    all({ tables, wrong: new Map([...written.wrong, [id, double.wrong]]) });
  }
}

/** An object whose name another has. */
interface Double {
  readonly kind: TableKind;
  readonly name: string;
  readonly resource: Resource<unknown>;
  readonly wrong: readonly string[];
}

/** What is written in sound files and, as far as it can be read, in broken ones; tells what each of the latter has wrong by itself. */
function withDoubtful(
  draft: Draft,
  { doubtful }: Reading,
  tell: (clash: Clash) => void,
): { readonly written: Written; readonly doubles: readonly Double[] } {
  const tables = copyOf(draft.written);
  const wrong = new Map<ObjectId, readonly string[]>(draft.wrong);
  const doubles: Double[] = [];
  const read = (manifest: Manifest | DoubtfulManifest): void => {
    const { kind, name } = manifest;
    if (kind === 'Fleet') return;
    const id: ObjectId = `${kind}/${name}`;
    const out = 'wrong' in manifest ? [...manifest.wrong] : [];
    const say: Say = (pointer, code, message, hint) => {
      if (!overlaps(out, pointer)) tell({ code, at: nearestOrigin(manifest, pointer), message, hint, holds: [] });
      out.push(pointer);
    };
    const own = emptyTables();
    insert(own, manifest, draft.fleet.spec.owners, say);
    const resource = own[kind].get(name) as Resource<unknown>;
    const first = tables[kind].get(name);
    if (first === undefined) {
      tables[kind].set(name, resource as never);
      wrong.set(id, out);
      return;
    }
    const hint = `the other is in ${place(first.origin)}; rename one`;
    tell({ code: 'DUPLICATE_NAME', at: manifest.origin, message: `there are two objects ${id}`, hint, holds: [] });
    doubles.push({ kind, name, resource, wrong: out });
  };
  for (const manifest of [...draft.doubles, ...doubtful]) read(manifest);
  return { written: { tables, wrong }, doubles };
}

/** The objects that some file names, whether it can be used or not; complete unless a file may name others. */
function namesOf(
  { written, heldObjects }: Draft,
  { broken, complete }: Reading,
): { readonly names: ReadonlySet<string>; readonly complete: boolean } {
  const claims = broken.flatMap((file) => file.claims);
  const claimed = claims.map(({ kind = '', name = '' }) => `${kind}/${name}`);
  const { App, Zone, Network, Host, Tuning } = written;
  const known = Object.entries({ App, Zone, Network, Host, Tuning }).flatMap(([kind, table]) =>
    [...(table as ReadonlyMap<string, unknown>).keys()].map((name) => `${kind}/${name}`),
  );
  return {
    names: new Set([...known, ...claimed, ...heldObjects]),
    complete: complete && claims.every(({ kind, name }) => kind !== undefined && name !== undefined),
  };
}

function overlaps(wrong: readonly string[], pointer: string): boolean {
  return wrong.some((each) => each === pointer || each.startsWith(`${pointer}/`) || pointer.startsWith(`${each}/`));
}

function isWrong({ wrong }: Written, id: string, pointers: readonly string[]): boolean {
  const out = wrong.get(id as ObjectId) ?? [];
  return pointers.some((pointer) => overlaps(out, pointer));
}

function allTrusted(written: Written, { by }: Rule, kind: TableKind): boolean {
  return [...written.tables[kind].keys()].every((name) => !isWrong(written, `${kind}/${name}`, by[kind] ?? []));
}

/** With the Zones and Networks that Apps ask for, where it can be told which these are; without the Apps of which it cannot. */
function withChoices(written: Written, tell: boolean): Written {
  const tables = copyOf(written.tables);
  const found = tell ? choose(trusted(written, CHOICES)).found : new Map<string, never>();
  for (const [name, app] of tables.App) {
    const chosen = found.get(name);
    if (chosen) tables.App.set(name, chosen);
    else if (isOpen(app)) tables.App.delete(name);
  }
  return { ...written, tables };
}

/** The objects of which a rule may believe what it judges by. */
function trusted(written: Written, { by }: Rule): Tables {
  const tables = copyOf(written.tables);
  for (const [kind, pointers] of Object.entries(by))
    for (const name of tables[kind as TableKind].keys())
      if (isWrong(written, `${kind}/${name}`, pointers)) tables[kind as TableKind].delete(name);
  return tables;
}

function keysOf(
  code: string,
  { file, line, column }: { readonly file: string; readonly line: number; readonly column: number },
  message: string,
): readonly string[] {
  const at = `${code} ${file}:${String(line)}:${String(column)}`;
  return ONCE.has(code) ? [`${at} ${message}`, at] : [`${at} ${message}`];
}
