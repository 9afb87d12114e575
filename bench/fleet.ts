import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Path → text of a repository with so many App files, in teams of 50, over 20 Networks and 40 Hosts. Deterministic. */
export function fleetOf(apps: number): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const add = (path: string, kind: string, name: string, rest: string): void => {
    files.set(path, `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`);
  };
  add('fleet.yaml', 'Fleet', 'bench', 'spec: {}\n');
  add('zone.yaml', 'Zone', 'main', 'spec:\n  hosts:\n    matchLabels:\n      pool: main\n');
  for (let n = 0; n < 20; n++) {
    const rest = `spec:\n  vlan: ${String(100 + n)}\n  cidr: 10.${String(n)}.0.0/16\n  gateway: 10.${String(n)}.0.1\n`;
    add(`networks/n${String(n)}.yaml`, 'Network', `n${String(n)}`, rest);
  }
  for (let h = 0; h < 40; h++) {
    const rest = `  labels:\n    pool: main\nspec:\n  topology:\n    rack: r${String(h % 8)}\n  capacity:\n    cpu: 64\n    memory: 256Gi\n`;
    add(`hosts/h${String(h)}.yaml`, 'Host', `h${String(h)}`, rest);
  }
  for (let a = 0; a < apps; a++) {
    const name = `app-${String(a)}`;
    const team = `team-${String(Math.floor(a / 50))}`;
    files.set(`apps/${team}/${name}.yaml`, appText(name, team, a));
  }
  return files;
}

/** One App of ordinary length: 40 lines. */
export function appText(name: string, team: string, seed: number, replicas: number = (seed % 4) + 1): string {
  return `# yaml-language-server: $schema=../../.plumb/schemas/app.json
apiVersion: plumbline/v1
kind: App
metadata:
  name: ${name}
  owner: ${team}
  labels:
    tier: ${['front', 'middle', 'back'][seed % 3] ?? 'front'}
spec:
  image: registry.example/${team}/${name}:1.${String(seed % 17)}.0
  command: [/usr/bin/server]
  args: [--port, "8080", --workers, "4"]
  env:
    MODE: production
    REGION: eu-${String(seed % 5)}
  replicas: ${String(replicas)}
  level: ${String(seed % 4)}
  zone: main
  network:
    name: n${String(seed % 20)}
    egress: 100M
  resources:
    cpu:
      cores: ${String(((seed % 8) + 1) * 100)}m
      quota: 2
    memory:
      limit: ${String(((seed % 6) + 1) * 64)}Mi
    pids: 256
  probes:
    readiness:
      http:
        port: 8080
        path: /health
      period: 2s
    liveness:
      tcp:
        port: 8080
  stop:
    grace: 20s
  update:
    maxUnavailable: 1
`;
}

/** Writes the files below a folder. */
export function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
