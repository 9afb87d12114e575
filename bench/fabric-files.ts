import type { AppSpec, Catalog, HostSpec, NetworkSpec, Resource } from '../reconciler/model/catalog.ts';
import { formatBytes, formatCpu } from '../reconciler/model/units.ts';

/** Apps of a folder, and hosts of a file. */
const TEAM = 50;
const RACK = 100;

function manifest(kind: string, name: string, rest: string): string {
  return `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`;
}

function appText({ name, spec: { image, replicas, level, zone, network, resources } }: Resource<AppSpec>): string {
  const { cpu, memory, pids } = resources;
  const asks = `    cpu:\n      cores: ${formatCpu(cpu)}\n    memory:\n      limit: ${formatBytes(memory)}\n    pids: ${String(pids)}\n`;
  const where = `  level: ${String(level)}\n  zone: ${zone}\n  network:\n    name: ${network}\n`;
  return manifest(
    'App',
    name,
    `spec:\n  image: ${image}\n  replicas: ${String(replicas)}\n${where}  resources:\n${asks}`,
  );
}

function hostText({ name, spec: { topology } }: Resource<HostSpec>): string {
  const where = Object.entries(topology).map(([level, of]) => `    ${level}: ${of}\n`);
  return manifest('Host', name, `  labels:\n    pool: main\nspec:\n  topology:\n${where.join('')}`);
}

function networkText({ name, spec: { vlan, cidr } }: Resource<NetworkSpec>): string {
  return manifest('Network', name, `spec:\n  vlan: ${String(vlan)}\n  cidr: ${cidr}\n`);
}

/** Path of an App's file. */
export function appPath(rank: number): string {
  return `apps/team-${String(Math.floor(rank / TEAM))}/a${String(rank)}.yaml`;
}

/** Path → text of a repository that says what a catalog of `fabric` does: each App in a file, a hundred hosts in one. */
export function fabricFiles({ apps, hosts, networks }: Catalog): ReadonlyMap<string, string> {
  const files = new Map([
    ['fleet.yaml', manifest('Fleet', 'bench', 'spec:\n  budget:\n    deletions: 100%\n')],
    ['zone.yaml', manifest('Zone', 'main', 'spec:\n  hosts:\n    matchLabels:\n      pool: main\n')],
  ]);
  for (const network of networks.values()) files.set(`networks/${network.name}.yaml`, networkText(network));
  const all = [...hosts.values()];
  for (let at = 0; at < all.length; at += RACK)
    files.set(
      `hosts/f${String(at / RACK)}.yaml`,
      all
        .slice(at, at + RACK)
        .map(hostText)
        .join('---\n'),
    );
  for (const [rank, app] of [...apps.values()].entries()) files.set(appPath(rank), appText(app));
  return files;
}
