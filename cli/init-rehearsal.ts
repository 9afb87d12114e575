/** How large a rehearsed fleet is. */
export interface RehearsalSize {
  readonly hosts: number;
  readonly apps: number;
  /** Of each App. */
  readonly replicas: number;
}

/** Hosts of a rack, racks behind a switch, Apps of a team. */
const RACK = 100;
const SWITCH = 5;
const TEAM = 50;
/** Apps of a Network with 65,000 addresses. */
const NETWORK = 300;

const padded = (number: number, width = 4): string => String(number).padStart(width, '0');

function manifest(kind: string, name: string, rest: string): string {
  return `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`;
}

function hostText(at: number): string {
  const rack = Math.floor(at / RACK);
  const topology = `    rack: r${padded(rack, 2)}\n    switch: sw${padded(Math.floor(rack / SWITCH), 2)}\n`;
  return manifest('Host', `sim-${padded(at)}`, `  labels:\n    pool: main\nspec:\n  topology:\n${topology}`);
}

function appText(at: number, networks: number, replicas: number): string {
  return manifest(
    'App',
    `app-${padded(at)}`,
    `spec:
  image: registry.example/app-${padded(at)}:1
  args: [--port, "8080"]
  env:
    REGION: eu-${String(at % 5)}
  replicas: ${String(replicas)}
  level: ${String(at % 4)}
  zone: main
  network:
    name: n${padded(at % networks, 2)}
  resources:
    cpu:
      cores: ${String(((at % 8) + 1) * 100)}m
    memory:
      limit: ${String(((at % 6) + 1) * 64)}Mi
    pids: 64
  probes:
    readiness:
      http:
        port: 8080
`,
  );
}

/** Path → text of a repository for `plumb agent --simulated HOSTS`: racks of a hundred hosts, five behind a switch, each App in a file. */
export function rehearsalFiles({ hosts, apps, replicas }: RehearsalSize): Readonly<Record<string, string>> {
  const networks = Math.min(100, Math.max(1, Math.ceil(apps / NETWORK)));
  const files: Record<string, string> = {
    'fleet.yaml': manifest(
      'Fleet',
      'rehearsal',
      'spec:\n  intervals:\n    poll: 1s # how soon a commit is seen\n  budget:\n    deletions: 50%\n',
    ),
    'zone.yaml': manifest(
      'Zone',
      'main',
      'spec:\n  runtime: simulated\n  hosts:\n    matchLabels:\n      pool: main\n',
    ),
  };
  for (let at = 0; at < networks; at += 1) {
    const cidr = `10.${String(at)}.0.0/16`;
    files[`networks/n${padded(at, 2)}.yaml`] = manifest(
      'Network',
      `n${padded(at, 2)}`,
      `spec:\n  vlan: ${String(100 + at)}\n  cidr: ${cidr}\n  gateway: 10.${String(at)}.0.1\n`,
    );
  }
  for (let at = 0; at < hosts; at += RACK) {
    const rack = Array.from({ length: Math.min(RACK, hosts - at) }, (_, of) => hostText(at + of));
    files[`hosts/r${padded(at / RACK, 2)}.yaml`] = rack.join('---\n');
  }
  for (let at = 0; at < apps; at += 1)
    files[`apps/team-${padded(Math.floor(at / TEAM), 3)}/app-${padded(at)}.yaml`] = appText(at, networks, replicas);
  return files;
}
