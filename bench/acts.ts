/**
 * What a hand does in a host, and how long until it is put right. Run in a host as `node acts.js KIND COUNT`; KIND is tag, ovs,
 * kill, one of `floor/held.ts` or one that is unannounced. Prints the milliseconds of each act as a JSON list. Values differ from act to act, and the same
 * thing is touched no more than once in about a second: a fight is another matter.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { idleIn, MAX_IDLE, MONITOR, setIdle } from './floor/config.ts';
import { docker, dockerEvents } from './floor/docker.ts';
import { HELD, type HeldFiles } from './floor/held.ts';
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

/** Writes into files of a kind in turn; none where this host has no such file. */
async function files({ paths: find, wrong, one }: HeldFiles): Promise<number[]> {
  const paths = find();
  const wanted = paths.map((path) => readFileSync(path, 'utf8').trim());
  const samples: number[] = [];
  for (let n = 0; n < count && paths.length > 0; n += 1) {
    const at = n % paths.length;
    const [path = '', text = ''] = [paths[at], wanted[at]];
    writeFileSync(path, wrong(n, text));
    const began = performance.now();
    await until(path, text);
    samples.push(performance.now() - began);
    await sleep(one ? 1300 : Math.max(60, 1300 / paths.length));
  }
  return samples;
}

/** Changes max-idle of Open vSwitch's other_config. */
async function configs(): Promise<number[]> {
  let heard: ((value: string | undefined, at: number) => void) | undefined;
  const db = await ovsdb((params) => heard?.(idleIn(params), performance.now()));
  await db.call('monitor', ['Open_vSwitch', 'acts', MONITOR]);
  const samples: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const wrong = String(20_000 + n);
    const took = new Promise<number>((resolve) => {
      let began = 0;
      heard = (value, at) => {
        if (value === wrong) began = at;
        else if (value === MAX_IDLE && began > 0) resolve(at - began);
      };
    });
    await db.transact(setIdle(wrong));
    samples.push(await Promise.race([took, sleep(10_000).then(() => Number.NaN)]));
    await sleep(1300);
  }
  db.close();
  return samples;
}

/** Replicas of the App whose containers run, ten at most. */
function some(): readonly string[] {
  const names = execFileSync('docker', ['ps', '--filter', 'name=plumb-web-', '--format', '{{.Names}}'], {
    encoding: 'utf8',
  });
  const all = names.split('\n').filter((name) => /^plumb-web-\d+$/.test(name));
  return all.slice(0, Math.min(count, 10));
}

/** Changes something of each replica, of which nothing tells, all at once; how long until each says again what it said. */
async function unannounced(say: (pid: string) => string, change: (pid: string) => void): Promise<number[]> {
  const one = async (name: string): Promise<number> => {
    const pid = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', name], { encoding: 'utf8' }).trim();
    const right = say(pid);
    change(pid);
    const began = performance.now();
    while (say(pid) !== right) {
      if (performance.now() - began > 120_000) return Number.NaN;
      await sleep(200);
    }
    return performance.now() - began;
  };
  return Promise.all(some().map(one));
}

const inside = (pid: string, script: string): string =>
  execFileSync('nsenter', [`--net=/proc/${pid}/ns/net`, 'sh', '-c', script], { encoding: 'utf8' }).trim();
const KEEPALIVE = '/proc/sys/net/ipv4/tcp_keepalive_time';
const of = (pid: string, file: string): string => `/proc/${pid}/${file}`;
const HOME =
  ['/sys/fs/cgroup/memory/cgroup.procs', '/sys/fs/cgroup/cgroup.procs'].find((path) => existsSync(path)) ?? '';

/** Of these nothing tells: a sysctl inside a sandbox, the OOM score and class of a process, and one that left its cgroup. */
const UNANNOUNCED: Readonly<Record<string, () => Promise<number[]>>> = {
  sandbox: () =>
    unannounced(
      (pid) => inside(pid, `cat ${KEEPALIVE}`),
      (pid) => void inside(pid, `echo 77 > ${KEEPALIVE}`),
    ),
  oom: () =>
    unannounced(
      (pid) => readFileSync(of(pid, 'oom_score_adj'), 'utf8'),
      (pid) => {
        writeFileSync(of(pid, 'oom_score_adj'), '77');
      },
    ),
  class: () =>
    unannounced(
      // the fields behind the name: state is the first, priority the 38th, class the 39th
      (pid) => readFileSync(of(pid, 'stat'), 'utf8').split(') ').at(-1)?.split(' ').slice(37, 39).join(' ') ?? '',
      (pid) => void execFileSync('chrt', ['-b', '-p', '0', pid]),
    ),
  escape: () =>
    unannounced(
      (pid) => readFileSync(of(pid, 'cgroup'), 'utf8'),
      (pid) => {
        writeFileSync(HOME, pid);
      },
    ),
};

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

const acts: Readonly<Record<string, () => Promise<number[]>>> = {
  tag: tags,
  ovs: configs,
  kill: kills,
  ...UNANNOUNCED,
  ...Object.fromEntries(Object.entries(HELD).map(([name, held]) => [name, () => files(held)])),
};
process.stdout.write(`${JSON.stringify(await acts[kind]?.())}\n`);
process.exit(0);
