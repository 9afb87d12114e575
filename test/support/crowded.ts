import { explain } from '../../reconciler/place/explain.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import type { PlaceResult } from '../../reconciler/place/place.ts';
import { catalogOf, hostsOf } from './catalog.ts';
import type { Sketch } from './catalog.ts';
import { createFleet } from './fleet.ts';
import type { Fleet } from './fleet.ts';

export type Apps = NonNullable<Sketch['apps']>;

/** `batch-0@h1`, with `>db-0` while it gives its place to that. */
export function where({ book }: Fleet): readonly string[] {
  const text = ({ replica, host, yields }: Placement): string =>
    `${replica}@${host}${yields === undefined ? '' : `>${yields}`}`;
  return [...book.placements.values()].map(text).sort();
}

export const told = ({ proposals }: PlaceResult): readonly string[] =>
  proposals.flatMap((one) =>
    one.op === 'yield'
      ? [`yield ${one.replica} ${one.to ?? ''}`.trim()]
      : one.op === 'release'
        ? [`release ${one.replica}`]
        : one.op === 'place' || one.op === 'move'
          ? [`${one.op} ${one.placement.replica} ${one.placement.host}`]
          : [],
  );

/** A fleet that is full, and what may be asked of it. */
export interface Scene {
  readonly fleet: Fleet;
  readonly catalog: (apps: Apps, change?: Partial<Sketch>) => Catalog;
  readonly messages: (result: PlaceResult) => string;
  readonly ask: (apps: Apps, replica: string, change?: Partial<Sketch>) => string;
  readonly work: (host: string) => void;
}

/** Hosts of 4 cores with what runs there, then what is wanted more. */
export function scene(before: Apps, hosts = 2, rest: Partial<Sketch> = {}): Scene {
  const names = Array.from({ length: hosts }, (_, at) => `h${String(at + 1)}`);
  const fleet = createFleet(names);
  const catalog = (apps: Apps, change: Partial<Sketch> = {}) =>
    catalogOf({ hosts: hostsOf(hosts), ...rest, ...change, apps });
  fleet.settle(catalog(before));
  const messages = ({ unplaceable }: PlaceResult): string => unplaceable.map(({ message }) => message).join('\n');
  const ask: Scene['ask'] = (apps, replica, change) => {
    const { assignments, reports } = fleet.words();
    const seen = { reports: [...reports.values()], assignments: [...assignments.values()] };
    const at = catalog(apps, change);
    const views = hostViews(at, seen.reports, fleet.book);
    return explain({ catalog: at, snapshot: fleet.book, hosts: views, ...seen, now: 0 }, replica)?.message ?? '';
  };
  const work = (host: string): void => {
    fleet.adopt(host);
    for (let step = 0; step < 9; step += 1) fleet.work(host);
    fleet.report(host);
  };
  return { fleet, catalog, messages, ask, work };
}
