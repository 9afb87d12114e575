import type { Book } from '../model/book.ts';
import type { AppSpec, Catalog, Companion, Resource } from '../model/catalog.ts';
import type { Neighbour, Neighbours } from '../model/reservations.ts';
import type { SpreadLevel } from '../model/topology.ts';
import type { HostTable } from './table.ts';

/** What an App's replicas ask of another App: to be near, or apart; both sides keep apart, whichever of them says so. */
export interface Rule extends Companion {
  readonly apart: boolean;
}

/** What rules make of the hosts, by row. */
export interface Neighbourhood {
  readonly rules: readonly Rule[];
  /** 0, or which of the rules, counted from 1, forbids a replica there. */
  readonly barredBy: Uint8Array;
  /** How many wishes a replica there would go without. */
  readonly unmet: Uint8Array;
}

const NO_RULES: readonly Rule[] = [];

/** The rules of each App, those of others that concern it included. */
export function rulesOf({ apps }: Pick<Catalog, 'apps'>): (app: string) => readonly Rule[] {
  const rules = new Map<string, Rule[]>();
  const add = (to: string, rule: Rule): void => {
    const list = rules.get(to) ?? [];
    rules.set(to, list);
    const known = list.findIndex(
      (one) => one.app === rule.app && one.within === rule.within && one.apart && rule.apart,
    );
    const there = list[known];
    if (!there) list.push(rule);
    else if (rule.required) list[known] = rule;
  };
  for (const { name, spec } of apps.values()) {
    for (const companion of spec.affinity ?? []) add(name, { ...companion, apart: false });
    for (const companion of spec.antiAffinity ?? []) {
      add(name, { ...companion, apart: true });
      add(companion.app, { ...companion, app: name, apart: true });
    }
  }
  return (app) => rules.get(app) ?? NO_RULES;
}

/** The rules that a commit checks again; undefined without any. */
export function neighboursOf(rules: readonly Rule[]): Neighbours | undefined {
  const pick = (apart: boolean): readonly Neighbour[] =>
    rules.filter((rule) => rule.required && rule.apart === apart).map(({ app, within }) => ({ app, within }));
  const near = pick(false);
  const apart = pick(true);
  if (near.length + apart.length === 0) return undefined;
  return { ...(near.length > 0 ? { near } : {}), ...(apart.length > 0 ? { apart } : {}) };
}

/** Row → number of its switch, rack or host. */
function domainOf(table: HostTable, level: SpreadLevel): (row: number) => number {
  if (level === 'host') return (row) => row;
  const of = level === 'rack' ? table.rackOf : table.switchOf;
  return (row) => of[row] ?? 0;
}

/** What the rules of an App make of hosts, by what the book has of the others; undefined without rules. */
export function neighbourhood(
  table: HostTable,
  book: Book,
  rows: Int32Array,
  rules: readonly Rule[],
): Neighbourhood | undefined {
  if (rules.length === 0) return undefined;
  const barredBy = new Uint8Array(table.views.length);
  const unmet = new Uint8Array(table.views.length);
  for (const [index, { app, within, apart, required }] of rules.entries()) {
    const domain = domainOf(table, within);
    const broken = new Map<number, boolean>();
    for (const row of rows) {
      let breaks = broken.get(domain(row));
      if (breaks === undefined) {
        const count = book.count(app, within, table.views[row]?.record[within] ?? '');
        breaks = apart ? count > 0 : count === 0;
        broken.set(domain(row), breaks);
      }
      if (!breaks) continue;
      if (!required) unmet[row] = (unmet[row] ?? 0) + 1;
      else if (barredBy[row] === 0) barredBy[row] = index + 1;
    }
  }
  return { rules, barredBy, unmet };
}

/** The rule that forbids a replica on the host of a row. */
export function ruleAgainst(around: Neighbourhood | undefined, row: number): Rule | undefined {
  return around?.rules[(around.barredBy[row] ?? 0) - 1];
}

const WITHIN: Readonly<Record<SpreadLevel, string>> = {
  switch: 'behind one switch',
  rack: 'in one rack',
  host: 'on one host',
};

/** `in one rack with cache`. */
export function ruleText({ app, within }: Neighbour): string {
  return `${WITHIN[within]} with ${app}`;
}

/** App → how critical it is for placing: as much as the most critical of those that must be near to it. */
export function levelsOf(apps: Catalog['apps']): ReadonlyMap<string, number> {
  const levels = new Map([...apps].map(([name, { spec }]) => [name, spec.level]));
  const lift = (name: string, level: number): void => {
    for (const { app, required } of apps.get(name)?.spec.affinity ?? []) {
      if (!required || (levels.get(app) ?? -1) <= level) continue;
      levels.set(app, level);
      lift(app, level);
    }
  };
  for (const [name, { spec }] of apps) lift(name, spec.level);
  return levels;
}

/**
 * The Apps in the order in which they are placed: by level, then as `compare` says, and none before those that it is to be
 * near to. An App that a more critical one must be near to counts as critical as that.
 */
export function inOrderOfNeed(
  apps: Catalog['apps'],
  compare: (a: Resource<AppSpec>, b: Resource<AppSpec>) => number,
): readonly Resource<AppSpec>[] {
  const levels = levelsOf(apps);
  const level = (name: string): number => levels.get(name) ?? Infinity;
  const ordered: Resource<AppSpec>[] = [];
  const seen = new Set<string>();
  const visit = (app: Resource<AppSpec>): void => {
    if (seen.has(app.name)) return;
    seen.add(app.name);
    for (const { app: other } of app.spec.affinity ?? []) {
      const target = apps.get(other);
      if (target && level(other) <= level(app.name)) visit(target);
    }
    ordered.push(app);
  };
  for (const app of [...apps.values()].sort((a, b) => level(a.name) - level(b.name) || compare(a, b))) visit(app);
  return ordered;
}
