import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measure, type BenchOptions, type BenchResult } from './bench.ts';
import { app, setRig, type Rig } from './rig.ts';

const COUNT = 20;
const SYSCTLS =
  '--sysctl net.core.somaxconn=1024 --sysctl net.ipv4.tcp_keepalive_time=600 --sysctl net.ipv4.tcp_syn_retries=3 --sysctl "net.ipv4.ip_local_port_range=20000 60999" --sysctl net.ipv4.tcp_fin_timeout=20';

/** The same job as a playbook with one loop a step, each step asking first whether it is done. */
function playbook(memory: string): string {
  const n = '{{ item }}';
  const step = (name: string, script: string): string => `
    - name: ${name}
      ansible.builtin.shell: |
${script
  .trim()
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
      args: { executable: /bin/bash }
      loop: "{{ range(${String(COUNT)}) | list }}"
      register: done
      changed_when: done.rc == 0 and done.stdout != 'same'
`;
  return `- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: bridge
      ansible.builtin.command: ovs-vsctl --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev
      changed_when: false
${step(
  'sandbox',
  `docker inspect a${n}-sandbox >/dev/null 2>&1 && echo -n same && exit 0
docker run -d --name a${n}-sandbox --network none --hostname a${n} ${SYSCTLS} plumbline/pause:1`,
)}${step(
    'port',
    `ovs-vsctl port-to-br fl${n} >/dev/null 2>&1 && echo -n same && exit 0
pid=$(docker inspect -f '{% raw %}{{.State.Pid}}{% endraw %}' a${n}-sandbox)
ip link add fl${n} type veth peer name eth0 netns $pid && ip link set fl${n} up
nsenter -t $pid -n ip addr add 10.1.1.$((${n} + 10))/16 dev eth0 && nsenter -t $pid -n ip link set eth0 up
nsenter -t $pid -n ethtool -K eth0 tx off
ovs-vsctl add-port br-int fl${n} tag=100`,
  )}${step(
    'container',
    `docker inspect a${n} >/dev/null 2>&1 && echo -n same && exit 0
docker run -d --name a${n} --network container:a${n}-sandbox --cpu-shares 102 --cpus 0.5 --memory ${memory} --memory-swap ${memory} --pids-limit 64 plumbline/busybox:1 sleep 1000000`,
  )}${step(
    'limits',
    `want=$(numfmt --from=iec ${memory.toUpperCase()})
test "$(docker inspect -f '{% raw %}{{.HostConfig.Memory}}{% endraw %}' a${n})" = $want && echo -n same && exit 0
docker update --memory ${memory} --memory-swap ${memory} a${n}`,
  )}`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Makes sure that Ansible is there, saying so. */
function needAnsible(log: (line: string) => void): void {
  try {
    execFileSync('ansible-playbook', ['--version'], { stdio: 'ignore' });
  } catch {
    log('installing ansible with apt, to compare with');
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'ansible'], { stdio: 'ignore' });
  }
}

interface Samples {
  readonly cold: number[];
  readonly same: number[];
  readonly change: number[];
}

async function ansible(rig: Rig, samples: Samples): Promise<void> {
  const play = async (memory: string): Promise<unknown> => {
    const file = join(rig.dir, 'play.yaml');
    writeFileSync(file, playbook(memory));
    return rig.run('env', 'ANSIBLE_LOCALHOST_WARNING=False', 'LC_ALL=C.UTF-8', 'ansible-playbook', file);
  };
  await rig.clear();
  samples.cold.push(await timed(() => play('64m')));
  samples.same.push(await timed(() => play('64m')));
  samples.change.push(await timed(() => play('96m')));
}

async function plumb(rig: Rig, samples: Samples): Promise<void> {
  const apply = (): Promise<unknown> => rig.run(...rig.plumb('apply'));
  await rig.clear();
  rmSync(join(rig.dir, 'state'), { recursive: true, force: true });
  rig.commit({ 'web.yaml': app(COUNT) });
  samples.cold.push(await timed(apply));
  samples.same.push(await timed(apply));
  rig.commit({ 'web.yaml': app(COUNT, '96Mi') });
  samples.change.push(await timed(apply));
}

/** The same job by Ansible, as its users would write it: cold, with nothing to do, and with one change, side by side. */
export async function run({ signal, rounds, log }: BenchOptions): Promise<BenchResult> {
  needAnsible(log);
  const rig = await setRig('ansible', { 'web.yaml': app(1) }, signal);
  try {
    const theirs: Samples = { cold: [], same: [], change: [] };
    const ours: Samples = { cold: [], same: [], change: [] };
    await plumb(rig, { cold: [], same: [], change: [] });
    for (let round = 0; round < (rounds ?? 2); round += 1) {
      await ansible(rig, theirs);
      await plumb(rig, ours);
      log(
        `round ${String(round + 1)}: ansible ${theirs.cold.map(Math.round).join(' ')} ms cold, plumb ${ours.cold.map(Math.round).join(' ')} ms`,
      );
    }
    const measures = (['cold', 'same', 'change'] as const).flatMap((what) => [
      measure(`${what}: ansible`, 'ms', theirs[what]),
      measure(`${what}: plumb apply`, 'ms', ours[what], { yardstick: { name: 'ansible', samples: theirs[what] } }),
    ]);
    const notes = [
      `${String(COUNT)} containers with sandbox, port, limits and five sysctls; whole processes; change: the memory of all of them, in place`,
    ];
    return { name: 'ansible', measures, notes };
  } finally {
    await rig.down();
  }
}
