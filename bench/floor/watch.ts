/** A bare watcher of one kind of drift: it knows the right values and only puts them back. Run in a host as `node watch.js KIND`; prints `ready`. */
import { execFileSync } from 'node:child_process';
import { openSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { docker, dockerEvents } from './docker.ts';
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
} else if (kind === 'cgroup') {
  const ids = execFileSync('docker', ['ps', '-q', '--no-trunc', '--filter', 'ancestor=plumbline/busybox:1'], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
  hold(
    ids.map((id) => {
      const pid = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', id], { encoding: 'utf8' }).trim();
      const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        .split('\n')
        .find((each) => each.includes(':pids:'));
      return `/sys/fs/cgroup/pids${line?.split(':')[2] ?? ''}/pids.max`;
    }),
  );
} else if (kind === 'sysctl') {
  hold(
    ['tcp_keepalive_time', 'tcp_keepalive_intvl', 'tcp_fin_timeout', 'tcp_syn_retries', 'tcp_retries2'].map(
      (name) => `/proc/sys/net/ipv4/${name}`,
    ),
  );
} else {
  void (async () => {
    for await (const { id } of dockerEvents({ type: ['container'], event: ['die'] }))
      void docker('POST', `/containers/${id}/start`);
  })();
}
process.stdout.write('ready\n');
setInterval(() => undefined, 60_000);
