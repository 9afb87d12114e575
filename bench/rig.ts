import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labUp, type Lab } from '../lab/lab.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
export const PLUMB: string = join(HERE, '..', '..', 'bin', 'plumb');

/** A lab host and a repository of one App with so many replicas, limits and five sysctls. */
export interface Rig {
  readonly lab: Lab;
  readonly dir: string;
  readonly repo: string;
  /** Runs a command in the host; its standard output. Throws with what it said when it fails. */
  run(...argv: readonly string[]): Promise<string>;
  /** The command line of a verb on the rig's host, its repository and its state directory `DIR/state`. */
  plumb(verb: string, ...flags: readonly string[]): readonly string[];
  /** Path of a built script of the bench. */
  script(name: string): string;
  commit(files: Readonly<Record<string, string>>): void;
  /** Removes all containers and the bridge. */
  clear(): Promise<void>;
  down(): Promise<void>;
}

/** The App of the benches; the floor makes the same. */
export function app(replicas: number, memory = '64Mi'): string {
  return `apiVersion: plumbline/v1
kind: App
metadata: { name: web }
spec:
  image: plumbline/busybox:1
  command: [sleep, "1000000"]
  replicas: ${String(replicas)}
  zone: main
  network: { name: front }
  sysctls:
    net.core.somaxconn: 1024
    net.ipv4.tcp_keepalive_time: 600
    net.ipv4.tcp_syn_retries: 3
    net.ipv4.ip_local_port_range: 20000 60999
    net.ipv4.tcp_fin_timeout: 20
  resources:
    cpu: { cores: 100m, quota: 500m }
    memory: { limit: ${memory} }
    pids: 64
  stop: { signal: SIGKILL, grace: 1s }
  restart: { backoff: 1s, resetAfter: 1s }
  update: { maxUnavailable: 10 }
`;
}

/** The Fleet with these intervals. */
export function fleet(intervals: string): string {
  return `apiVersion: plumbline/v1\nkind: Fleet\nmetadata: { name: bench }\nspec: { budget: { deletions: 100% }, intervals: { ${intervals} } }\n`;
}

const BASE = {
  'fleet.yaml': fleet('poll: 10s'),
  'zone.yaml':
    'apiVersion: plumbline/v1\nkind: Zone\nmetadata: { name: main }\nspec: { hosts: { matchLabels: { pool: main } }, overcommit: { cpu: 20 } }\n',
  'host.yaml':
    'apiVersion: plumbline/v1\nkind: Host\nmetadata: { name: h1, labels: { pool: main } }\nspec: { capacity: { memory: 64Gi, cpu: 16 } }\n',
  'network.yaml':
    'apiVersion: plumbline/v1\nkind: Network\nmetadata: { name: front }\nspec: { vlan: 100, cidr: 10.1.0.0/16, ranges: [10.1.0.10-10.1.0.250], bridge: br-int, datapath: netdev }\n',
};

/** Sets it up. */
export async function setRig(name: string, files: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Rig> {
  const dir = mkdtempSync(`/var/tmp/plumb-bench-${name}-`);
  const repo = join(dir, 'repo');
  mkdirSync(repo);
  const git = (...argv: string[]): void => {
    execFileSync('git', ['-C', repo, '-c', 'user.name=Bench', '-c', 'user.email=bench@localhost', ...argv], {
      stdio: 'ignore',
    });
  };
  git('init', '-q', '-b', 'main');
  const commit = (changed: Readonly<Record<string, string>>): void => {
    for (const [file, text] of Object.entries(changed)) writeFileSync(join(repo, file), text);
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', 'Bench');
  };
  commit({ ...BASE, ...files });
  const lab = await labUp({ dir: join(dir, 'lab'), hosts: 1, racks: 1, signal });
  const run = async (...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.exec('h1', argv, { signal });
    if (code !== 0)
      throw new Error(
        `${argv.slice(0, 4).join(' ')} ended with ${String(code)}: ${stderr.slice(-800)} ${stdout.slice(-800)}`,
      );
    return stdout;
  };
  return {
    lab,
    dir,
    repo,
    run,
    commit,
    plumb: (verb, ...flags) => {
      const where = ['--repo', repo, '--ref', 'main', '--host', 'h1', '--state-dir', join(dir, 'state')];
      return [process.execPath, PLUMB, verb, ...flags, ...where];
    },
    script: (file) => join(HERE, file),
    clear: async () => {
      await run(
        'sh',
        '-c',
        'docker ps -aq | xargs -r -n 20 docker rm -f >/dev/null; ovs-vsctl --if-exists del-br br-int; ip -o link show type veth | grep -o "fl[0-9]*@" | tr -d @ | xargs -rn1 ip link del',
      );
    },
    down: async () => {
      await lab.down();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
