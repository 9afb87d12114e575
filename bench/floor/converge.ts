/**
 * The floor: the same containers by the same daemon calls, by hand. Run in a host as `node converge.js COUNT`; prints
 * {made, wired, plugged, ms, cpu}, all in milliseconds. Sandboxes first, eight at a time; then all ports in one OVSDB transaction; then the containers.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { docker } from './docker.ts';
import { ovsdb } from './ovsdb.ts';

const began = performance.now();
const count = Number(process.argv[2]);
const names = Array.from({ length: count }, (_, n) => `floor-${String(n)}`);
const SYSCTLS = {
  'net.core.somaxconn': '1024',
  'net.ipv4.tcp_keepalive_time': '600',
  'net.ipv4.tcp_syn_retries': '3',
  'net.ipv4.ip_local_port_range': '20000 60999',
  'net.ipv4.tcp_fin_timeout': '20',
};

async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T, at);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}

function run(program: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'] });
    child
      .on('error', reject)
      .on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${String(code)}`))));
    child.stdin.on('error', () => undefined); // who needs no input may end before it comes
    child.stdin.end(input);
  });
}

/** Where the container's cgroup is, learned once from the first. */
let pattern: string | undefined;
async function pidOf(id: string): Promise<number> {
  if (pattern !== undefined) return Number(readFileSync(pattern.replace('ID', id), 'utf8').split('\n')[0]);
  const { State } = (await docker('GET', `/containers/${id}/json`)) as { State: { Pid: number } };
  const line = readFileSync(`/proc/${String(State.Pid)}/cgroup`, 'utf8')
    .split('\n')
    .find((each) => each.includes(':pids:'));
  pattern = `/sys/fs/cgroup/pids${(line?.split(':')[2] ?? '').replace(id, 'ID')}/cgroup.procs`;
  return State.Pid;
}

const sandboxes = await inParallel(names, 8, async (name) => {
  const { Id } = (await docker('POST', `/containers/create?name=${name}-sandbox`, {
    Image: 'plumbline/pause:1',
    Hostname: name,
    HostConfig: { NetworkMode: 'none', Sysctls: SYSCTLS, RestartPolicy: { Name: 'no' } },
  })) as { Id: string };
  await docker('POST', `/containers/${Id}/start`);
  return { name, id: Id, pid: await pidOf(Id) };
});

const made = performance.now() - began;
await run(
  'ip',
  ['-batch', '-'],
  sandboxes
    .map(
      ({ pid }, n) =>
        `link add fl${String(n)} type veth peer name eth0 netns ${String(pid)}\nlink set fl${String(n)} up\n`,
    )
    .join(''),
);
await inParallel(sandboxes, 6, async ({ pid }, n) => {
  const inside = ['-t', String(pid), '-n'];
  const lines = [
    `link set eth0 address 02:64:0a:01:01:${(n + 10).toString(16).padStart(2, '0')}`,
    `addr add 10.1.1.${String(n + 10)}/16 dev eth0`,
    'link set lo up',
    'link set eth0 up',
  ];
  await run('nsenter', [...inside, 'ip', '-batch', '-'], `${lines.join('\n')}\n`);
  await run('nsenter', [...inside, 'ethtool', '-K', 'eth0', 'tx', 'off']);
});

const wired = performance.now() - began;
const db = await ovsdb();
const bridge = [['name', '==', 'br-int']];
const inserts = names.flatMap((name, n) => [
  { op: 'insert', table: 'Interface', row: { name: `fl${String(n)}` }, 'uuid-name': `i${String(n)}` },
  {
    op: 'insert',
    table: 'Port',
    row: {
      name: `fl${String(n)}`,
      tag: 100,
      interfaces: ['named-uuid', `i${String(n)}`],
      external_ids: ['map', [['floor', name]]],
    },
    'uuid-name': `p${String(n)}`,
  },
]);
const ports = ['set', names.map((_, n) => ['named-uuid', `p${String(n)}`])];
const reply = await db.transact(
  ...inserts,
  { op: 'mutate', table: 'Bridge', where: bridge, mutations: [['ports', 'insert', ports]] },
  { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
  { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] },
);
const target = Number(reply.at(-1)?.rows?.[0]?.['next_cfg']);
for (;;) {
  const [answer] = await db.transact({ op: 'select', table: 'Open_vSwitch', where: [], columns: ['cur_cfg'] });
  if (Number(answer?.rows?.[0]?.['cur_cfg']) >= target) break;
  await new Promise((resolve) => setTimeout(resolve, 5));
}

const plugged = performance.now() - began;
await inParallel(sandboxes, 8, async ({ name, id }) => {
  const { Id } = (await docker('POST', `/containers/create?name=${name}`, {
    Image: 'plumbline/busybox:1',
    Cmd: ['sleep', '1000000'],
    HostConfig: {
      NetworkMode: `container:${id}`,
      CpuShares: 102,
      CpuPeriod: 100_000,
      CpuQuota: 50_000,
      Memory: 64 * 2 ** 20,
      MemorySwap: 64 * 2 ** 20,
      PidsLimit: 64,
      RestartPolicy: { Name: 'no' },
    },
  })) as { Id: string };
  await docker('POST', `/containers/${Id}/start`);
});
const ms = performance.now() - began;
const { user, system } = process.cpuUsage();
process.stdout.write(`${JSON.stringify({ made, wired, plugged, ms, cpu: (user + system) / 1000 })}\n`);
process.exit(0);
