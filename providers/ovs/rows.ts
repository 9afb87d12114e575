/** What a column holds; `?` is at most one, which an empty set stands for. */
export type Kind = 'text' | 'text?' | 'number' | 'number?' | 'uuid?' | 'uuids' | 'numbers' | 'map';

export interface Cells {
  readonly text: string;
  readonly 'text?': string | undefined;
  readonly number: number;
  readonly 'number?': number | undefined;
  readonly 'uuid?': string | undefined;
  readonly uuids: readonly string[];
  readonly numbers: readonly number[];
  readonly map: Readonly<Record<string, string>>;
}
export type Cell = Cells[Kind];

/** The tables and columns that are followed. Names are those of vswitch.ovsschema. */
export const COLUMNS = {
  Open_vSwitch: { next_cfg: 'number', cur_cfg: 'number', other_config: 'map', external_ids: 'map' },
  Bridge: { name: 'text', datapath_type: 'text', ports: 'uuids', other_config: 'map', external_ids: 'map' },
  Port: {
    name: 'text',
    tag: 'number?',
    trunks: 'numbers',
    vlan_mode: 'text?',
    interfaces: 'uuids',
    qos: 'uuid?',
    external_ids: 'map',
  },
  Interface: {
    name: 'text',
    type: 'text',
    ofport: 'number?',
    error: 'text?',
    ifindex: 'number?',
    link_state: 'text?',
    admin_state: 'text?',
    ingress_policing_rate: 'number',
  },
  QoS: { type: 'text', other_config: 'map', external_ids: 'map' },
} as const;

export type Table = keyof typeof COLUMNS;
type RowOf<Columns extends Record<string, Kind>> = { readonly [Name in keyof Columns]: Cells[Columns[Name]] };
export type Row<Name extends Table> = RowOf<(typeof COLUMNS)[Name]>;
export type Tables = { readonly [Name in Table]: Map<string, Row<Name>> };

/** One row that came, changed or went. */
export interface RowChange {
  readonly table: Table;
  readonly uuid: string;
  readonly before: Readonly<Record<string, Cell>> | undefined;
  readonly after: Readonly<Record<string, Cell>> | undefined;
}

export function emptyTables(): Tables {
  return { Open_vSwitch: new Map(), Bridge: new Map(), Port: new Map(), Interface: new Map(), QoS: new Map() };
}

function atom(value: unknown): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (Array.isArray(value) && value[0] === 'uuid' && typeof value[1] === 'string') return value[1];
  throw new TypeError(`not an OVSDB atom: ${JSON.stringify(value)}`);
}

/** The atoms of a set; one atom alone is a set of one. */
function atoms(value: unknown): readonly (string | number)[] {
  if (Array.isArray(value) && value[0] === 'set' && Array.isArray(value[1])) return value[1].map(atom);
  return [atom(value)];
}

function pairs(value: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(value) || value[0] !== 'map' || !Array.isArray(value[1]))
    throw new TypeError(`not an OVSDB map: ${JSON.stringify(value)}`);
  return value[1].map((pair: unknown) => {
    if (!Array.isArray(pair)) throw new TypeError(`not a pair: ${JSON.stringify(pair)}`);
    return [String(atom(pair[0])), String(atom(pair[1]))] as const;
  });
}

/** A cell from its JSON (RFC 7047, 5.1); undefined, as monitors leave default values out, is the kind's default. */
function decodeCell(kind: Kind, value: unknown): Cell {
  switch (kind) {
    case 'text':
      return value === undefined ? '' : String(atom(value));
    case 'number':
      return value === undefined ? 0 : Number(atom(value));
    case 'text?':
    case 'uuid?': {
      const first = value === undefined ? undefined : atoms(value)[0];
      return first === undefined ? undefined : String(first);
    }
    case 'number?': {
      const first = value === undefined ? undefined : atoms(value)[0];
      return first === undefined ? undefined : Number(first);
    }
    case 'uuids':
      return value === undefined ? [] : atoms(value).map(String);
    case 'numbers':
      return value === undefined ? [] : atoms(value).map(Number);
    case 'map':
      return value === undefined ? {} : Object.fromEntries(pairs(value));
  }
}

function toggled<T>(members: readonly T[], difference: readonly T[]): readonly T[] {
  const result = new Set(members);
  for (const member of difference) if (!result.delete(member)) result.add(member);
  return [...result];
}

/** A pair that is there already goes; any other comes or takes the key's place. */
function mapWith(map: Readonly<Record<string, string>>, difference: Readonly<Record<string, string>>): Cells['map'] {
  const result = new Map(Object.entries(map));
  for (const [key, value] of Object.entries(difference)) {
    if (result.get(key) === value) result.delete(key);
    else result.set(key, value);
  }
  return Object.fromEntries(result);
}

/** A cell after a `modify`, which says of sets and maps only what differs (ovsdb-server(7), update2). */
function modifyCell(kind: Kind, before: Cell, value: unknown): Cell {
  const given = decodeCell(kind, value);
  if (kind === 'uuids') return toggled(before as readonly string[], given as readonly string[]);
  if (kind === 'numbers') return toggled(before as readonly number[], given as readonly number[]);
  if (kind === 'map') return mapWith(before as Cells['map'], given as Cells['map']);
  return given;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function changeRow(columns: Readonly<Record<string, Kind>>, before: RowChange['before'], update: unknown) {
  if (!isObject(update)) throw new TypeError(`not a row update: ${JSON.stringify(update)}`);
  if ('delete' in update) return undefined;
  const modify = update['modify'];
  if (isObject(modify)) {
    if (before === undefined) throw new TypeError('an unknown row is modified');
    const changed = Object.entries(columns).filter(([name]) => name in modify);
    return {
      ...before,
      ...Object.fromEntries(changed.map(([name, kind]) => [name, modifyCell(kind, before[name], modify[name])])),
    };
  }
  const row = update['insert'] ?? update['initial'];
  if (!isObject(row)) throw new TypeError(`not a row update: ${JSON.stringify(update)}`);
  return Object.fromEntries(Object.entries(columns).map(([name, kind]) => [name, decodeCell(kind, row[name])]));
}

/** Brings the tables up to date with `<table-updates2>` and says which rows changed. Throws TypeError on what is not one. */
export function applyUpdates(tables: Tables, updates: unknown): readonly RowChange[] {
  if (!isObject(updates)) throw new TypeError('not table updates');
  const changes: RowChange[] = [];
  for (const table of Object.keys(COLUMNS) as Table[]) {
    const rows: Map<string, Readonly<Record<string, Cell>>> = tables[table];
    const updated = updates[table];
    if (!isObject(updated)) continue;
    for (const [uuid, update] of Object.entries(updated)) {
      const before = rows.get(uuid);
      const after = changeRow(COLUMNS[table], before, update);
      if (after === undefined) rows.delete(uuid);
      else rows.set(uuid, after);
      changes.push({ table, uuid, before, after });
    }
  }
  return changes;
}
