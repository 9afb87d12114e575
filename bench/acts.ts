/**
 * What a hand does in a host, and how long until it is put right. Run in a host as `node acts.js KIND COUNT`; KIND is tag,
 * cgroup, sysctl or kill. Prints the milliseconds of each act as a JSON list. Values differ from act to act, and the same
 * thing is touched no more than once in about a second: a fight is another matter.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { docker, dockerEvents } from './floor/docker.ts';
import { ovsdb } from './floor/ovsdb.ts';

const [kind = '', many = '20'] = process.argv.slice(2);
const count = Number(many);

/** Waits, without a pause, until the file says so again. */
async function until(path: string, text: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (readFileSync(path, 'utf8').trim() !== text) {
    if (Date.now() > end) throw new Error(`${path} was not put back to ${text}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function files(paths: readonly string[], value: (n: number) => string): Promise<number[]> {
  const wanted = paths.map((path) => readFileSync(path, 'utf8').trim());
  const samples: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const at = n % paths.length;
    const [path = '', text = ''] = [paths[at], wanted[at]];
    writeFileSync(path, value(n));
    const began = performance.now();
    await until(path, text);
    samples.push(performance.now() - began);
    await sleep(Math.max(60, 1300 / paths.length));
  }
  return samples;
}

async function tags(): Promise<number[]> {
  let heard: ((tag: number, at: number) => void) | undefined;
  const db = await ovsdb((params) => {
    const [, tables] = params as [unknown, { Port?: Record<string, { new?: { tag?: number } }> }];
    for (const { new: row } of Object.values(tables.Port ?? {}))
      if (row?.tag !== undefined) heard?.(row.tag, performance.now());
  });
  await db.call('monitor', ['Open_vSwitch', 'acts', { Port: { columns: ['tag'], select: { initial: false } } }]);
  const [found] = await db.transact({ op: 'select', table: 'Port', where: [['tag', '==', 100]], columns: ['name'] });
  const names = (found?.rows ?? []).map((row) => String(row['name']));
  const samples: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const wrong = 1000 + (n % 3000);
    const took = new Promise<number>((resolve) => {
      let began = 0;
      heard = (tag, at) => {
        if (tag === wrong) began = at;
        else if (tag === 100 && began > 0) resolve(at - began);
      };
    });
    await db.transact({
      op: 'update',
      table: 'Port',
      where: [['name', '==', names[n % names.length]]],
      row: { tag: wrong },
    });
    samples.push(await Promise.race([took, sleep(10_000).then(() => Number.NaN)]));
    await sleep(Math.max(60, 1300 / names.length));
  }
  db.close();
  return samples;
}

async function kills(): Promise<number[]> {
  const found = (await docker('GET', '/containers/json')) as { Id: string; Image: string }[];
  const ids = found.filter(({ Image }) => Image.startsWith('plumbline/busybox')).map(({ Id }) => Id);
  let heard: ((status: string, id: string, at: number) => void) | undefined;
  void (async () => {
    for await (const { status, id, timeNano } of dockerEvents({ type: ['container'], event: ['die', 'start'] }))
      heard?.(status, id, timeNano / 1e6);
  })();
  await sleep(200);
  const samples: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const victim = ids[n % ids.length] ?? '';
    const took = new Promise<number>((resolve) => {
      let died = 0;
      heard = (status, id, at) => {
        if (id !== victim) return;
        if (status === 'die') died = at;
        else if (died > 0) resolve(at - died);
      };
    });
    await docker('POST', `/containers/${victim}/kill`);
    samples.push(await Promise.race([took, sleep(20_000).then(() => Number.NaN)]));
    await sleep(Math.max(200, 2500 / ids.length));
  }
  return samples;
}

/** pids.max of all running containers of the test image. */
function limits(): string[] {
  const ids = execFileSync('docker', ['ps', '-q', '--no-trunc', '--filter', 'ancestor=plumbline/busybox:1'], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
  return ids.map((id) => {
    const pid = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', id], { encoding: 'utf8' }).trim();
    const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .split('\n')
      .find((each) => each.includes(':pids:'));
    return `/sys/fs/cgroup/pids${line?.split(':')[2] ?? ''}/pids.max`;
  });
}

const SYSCTLS = ['tcp_keepalive_time', 'tcp_keepalive_intvl', 'tcp_fin_timeout', 'tcp_syn_retries', 'tcp_retries2'].map(
  (name) => `/proc/sys/net/ipv4/${name}`,
);

const acts: Readonly<Record<string, () => Promise<number[]>>> = {
  tag: tags,
  cgroup: () => files(limits(), (n) => String(1000 + n)),
  sysctl: () => files(SYSCTLS, (n) => String(3 + (n % 100))),
  kill: kills,
};
process.stdout.write(`${JSON.stringify(await acts[kind]?.())}\n`);
process.exit(0);
