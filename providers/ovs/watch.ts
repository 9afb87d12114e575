import { watch as watchFiles } from 'node:fs';
import type { Context } from '../../reconciler/model/provider.ts';
import { configName } from '../../reconciler/model/ovs-config.ts';
import { kindOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import { EXTERNAL_IDS } from '../../reconciler/model/resources.ts';
import type { OvsdbClient, ReplicaEvent } from './client.ts';
import { cookieOf, type Flows } from './flows.ts';
import { ORIGINAL } from './marks.ts';
import { guardedBridges, guardedPorts } from './observe.ts';
import type { Cell, RowChange, Tables } from './rows.ts';

/** Hints for all that is ours. */
const ALL: readonly Ref[] = ['port/*', 'bridge/*', 'ovs-config/*'];

function mapOf(cell: Cell | undefined): Readonly<Record<string, string>> {
  return typeof cell === 'object' && !Array.isArray(cell) ? (cell as Readonly<Record<string, string>>) : {};
}

function listOf(cell: Cell | undefined): readonly unknown[] {
  return Array.isArray(cell) ? cell : [];
}

function marksOf(row: RowChange['before']): readonly Ref[] {
  const ref = mapOf(row?.['external_ids'])[EXTERNAL_IDS.ref];
  return ref === undefined ? [] : [ref as Ref];
}

function changedKeys(before: Cell | undefined, after: Cell | undefined): readonly string[] {
  const [a, b] = [mapOf(before), mapOf(after)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]);
}

function bridgeHints({ before, after }: RowChange, tables: Tables): readonly Ref[] {
  const name = after?.['name'] ?? before?.['name'];
  const [old, now] = [new Set(listOf(before?.['ports'])), new Set(listOf(after?.['ports']))];
  // a port that moves to another bridge leaves no trace in its own row
  const moved = [...old, ...now].filter((uuid) => old.has(uuid) !== now.has(uuid));
  const refs = moved.map((uuid) => marksOf(tables.Port.get(String(uuid))).filter((ref) => kindOf(ref) === 'port'));
  // that sandboxes are plugged in changes nothing of the bridge itself
  const rest = Object.keys(after ?? {}).filter((key) => key !== 'ports');
  const same = rest.every((key) => before?.[key] === after?.[key]) && [...old].every((uuid) => now.has(uuid));
  const own = same && refs.length > 0 && refs.every((marks) => marks.length > 0);
  return [
    ...(typeof name === 'string' && !own ? [refOf('bridge', name)] : []),
    ...(typeof name === 'string' ? configHints({ before, after }, name) : []),
    ...refs.flat(),
  ];
}

function interfaceHints({ uuid }: RowChange, tables: Tables): readonly Ref[] {
  return [...tables.Port.values()].filter((row) => row.interfaces.includes(uuid)).flatMap((row) => marksOf(row));
}

/** The keys of other_config that changed, or of which the original did; all where the bridge is another. */
function configHints({ before, after }: Pick<RowChange, 'before' | 'after'>, bridge?: string): readonly Ref[] {
  if (bridge !== undefined && (before === undefined || after === undefined)) return ['ovs-config/*'];
  const config = changedKeys(before?.['other_config'], after?.['other_config']);
  const kept = changedKeys(before?.['external_ids'], after?.['external_ids'])
    .filter((key) => key.startsWith(ORIGINAL))
    .map((key) => key.slice(ORIGINAL.length));
  const named = (key: string): string => configName(bridge === undefined ? { key } : { key, bridge });
  return [...new Set([...config, ...kept])].map((key) => refOf('ovs-config', named(key)));
}

/** The refs that row changes may concern. */
export function hintsOf(changes: readonly RowChange[], tables: Tables): ReadonlySet<Ref> {
  const refs = changes.flatMap((change) => {
    switch (change.table) {
      case 'Bridge':
        return bridgeHints(change, tables);
      case 'Interface':
        return interfaceHints(change, tables);
      case 'Open_vSwitch':
        return configHints(change);
      default:
        return [...marksOf(change.before), ...marksOf(change.after)];
    }
  });
  return new Set(refs);
}

/** Milliseconds between two looks at the flow tables, which OVSDB says nothing of. */
const FLOWS_EVERY = 5000;
/** Milliseconds after a start of ovs-vswitchd at which its ports may have come up. */
const AFTER_START = [0, 200, 600, 1500] as const;

async function lostFlows(client: OvsdbClient, flows: Flows, { fleet, signal }: Context): Promise<boolean> {
  const tables = await client.tables(signal);
  for (const bridge of guardedBridges(tables, fleet)) {
    const there = await flows.cookies(bridge, 0, signal);
    if (guardedPorts(tables, fleet, bridge).some((port) => !there.has(cookieOf(fleet, port)))) return true;
  }
  return false;
}

/** Hints from the monitor, from starts of ovs-vswitchd (its sockets in `runDir`), and from lost flows, until the signal aborts. */
export async function* watchOvs(client: OvsdbClient, flows: Flows, runDir: string, ctx: Context): AsyncGenerator<Ref> {
  const waiting = new Set<Ref>();
  let wake: () => void = () => undefined;
  const hint = (refs: Iterable<Ref>): void => {
    for (const ref of refs) waiting.add(ref);
    wake();
  };
  const timers = new Set<NodeJS.Timeout>();
  const started = (): void => {
    for (const delay of AFTER_START) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        hint(['port/*', 'ovs-config/*']);
      }, delay);
      timers.add(timer);
    }
  };
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  hint(ALL); // what happened before the watch began
  client.follow((event: ReplicaEvent) => {
    hint(event.type === 'rows' ? hintsOf(event.changes, event.tables) : ALL);
  }, signal);
  try {
    const files = watchFiles(runDir, { signal, persistent: false }, (_type, name) => {
      if (name?.endsWith('.mgmt') === true && timers.size === 0) started();
    });
    files.on('error', () => undefined);
  } catch {
    // no such directory yet: the look at the flow tables below finds what this would have told sooner
  }
  const look = setInterval(() => {
    lostFlows(client, flows, ctx).then(
      (lost) => {
        if (lost) hint(['port/*']);
      },
      () => undefined, // who is away is found out by observing
    );
  }, FLOWS_EVERY);
  signal.addEventListener(
    'abort',
    () => {
      wake();
    },
    { once: true },
  );
  try {
    while (!signal.aborted) {
      if (waiting.size === 0) await new Promise<void>((resolve) => (wake = resolve));
      const refs = [...waiting];
      waiting.clear();
      yield* refs;
    }
  } finally {
    clearInterval(look);
    for (const timer of timers) clearTimeout(timer);
    stop.abort();
  }
}
