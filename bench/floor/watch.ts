/** A bare watcher of one kind of drift: it knows the right values and only puts them back. Run in a host as `node watch.js KIND`; prints `ready`. */
import { openSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { idleIn, MAX_IDLE, MONITOR, setIdle } from './config.ts';
import { docker, dockerEvents } from './docker.ts';
import { HELD } from './held.ts';
import { ovsdb } from './ovsdb.ts';

const [kind] = process.argv.slice(2);

function hold(paths: readonly string[]): void {
  for (const path of paths) {
    const right = readFileSync(path, 'utf8').trim();
    openSync(path, 'r'); // a dentry that is dropped takes its watch along
    watch(path, () => {
      if (readFileSync(path, 'utf8').trim() !== right) writeFileSync(path, right);
    });
  }
}

if (kind === 'tag') {
  const db = await ovsdb((params) => {
    const [, tables] = params as [unknown, { Port?: Record<string, { new?: { tag?: number } }> }];
    for (const [uuid, { new: row }] of Object.entries(tables.Port ?? {}))
      if (row?.tag !== undefined && row.tag !== 100)
        void db.transact({ op: 'update', table: 'Port', where: [['_uuid', '==', ['uuid', uuid]]], row: { tag: 100 } });
  });
  await db.call('monitor', ['Open_vSwitch', 'floor', { Port: { columns: ['tag'], select: { initial: false } } }]);
} else if (kind === 'ovs') {
  const db = await ovsdb((params) => {
    const value = idleIn(params);
    if (value !== undefined && value !== MAX_IDLE) void db.transact(setIdle(MAX_IDLE));
  });
  await db.call('monitor', ['Open_vSwitch', 'floor', MONITOR]);
} else if (HELD[kind ?? '']) {
  hold(HELD[kind ?? '']?.paths() ?? []);
} else {
  void (async () => {
    for await (const { id } of dockerEvents({ type: ['container'], event: ['die'] }))
      void docker('POST', `/containers/${id}/start`);
  })();
}
process.stdout.write('ready\n');
setInterval(() => undefined, 60_000);
