import type { AppSpec, Resource } from '../../model/catalog.ts';
import { limitsProcesses, uidOf } from '../specs/ulimits.ts';
import { fieldOrigin, listed, thoseByName } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

/** The first uid that a machine gives to no account of its own. */
const FIRST = 10_000;

/** Apps of one Zone whose processes the kernel counts together, by their uid, where one of them limits that count. */
export function uidClashes(tables: Tables): readonly Clash[] {
  const users = new Map<string, Resource<AppSpec>[]>();
  const uids = new Set<number>();
  for (const app of thoseByName(tables.App, ({ spec }) => uidOf(spec.user) !== undefined)) {
    const uid = uidOf(app.spec.user) ?? 0;
    uids.add(uid);
    const key = `${app.spec.zone} ${String(uid)}`;
    const known = users.get(key);
    if (known) known.push(app);
    else users.set(key, [app]);
  }
  let free = FIRST;
  while (uids.has(free)) free += 1;
  return [...users.values()].flatMap((apps) => {
    const limited = apps.filter(({ spec }) => limitsProcesses(spec));
    if (apps.length < 2 || limited.length === 0) return [];
    return limited.map((app) => {
      const others = apps.filter((other) => other !== app).map(({ name }) => name);
      return {
        code: 'UID_SHARED' as const,
        at: fieldOrigin(app, '/spec/user'),
        message: `App ${app.name} limits nproc, which counts what its uid ${String(uidOf(app.spec.user))} runs on a host, and so does ${listed(others)} in Zone ${app.spec.zone}`,
        hint: `give each a spec.user of its own (${String(free)} is free), or limit resources.pids`,
        // the others are not limited by it
        holds: [`App/${app.name}` as const],
      };
    });
  });
}
