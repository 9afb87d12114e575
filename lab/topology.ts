import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { PlumbError } from '../reconciler/model/errors.ts';

/** Where labs live unless `dir` says otherwise: a disk (Docker's overlay cannot stand on overlay) that no host of a lab hides. */
export const LAB_BASE = '/var/tmp/plumbline-lab';

/** What `plumb lab up` was asked for. */
export interface LabWish {
  readonly name?: string;
  readonly dir?: string;
  readonly hosts?: number;
  readonly racks?: number;
}

/** A lab as it is written to lab.json before anything else is made: all other names derive from `name`. */
export interface Topology {
  readonly version: 1;
  readonly name: string;
  readonly dir: string;
  readonly racks: readonly string[];
  readonly hosts: readonly { readonly name: string; readonly rack: string }[];
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
// mount options split at commas and colons
const DIR = /^\/[A-Za-z0-9._/-]+$/;
// sun_path holds 107 bytes; the longest name below is h64/run/docker/containerd/containerd-debug.sock
const DIR_MAX = 59;
/** Directories that each host sees through a layer of its own; a lab below one would hide itself. */
const PRIVATE = ['/etc', '/run', '/var/run', '/var/lib', '/proc', '/sys', '/dev'];

function usage(message: string): PlumbError {
  return new PlumbError('USAGE', message);
}

/** Name and absolute directory of a lab; each follows from the other when only one is given. Throws USAGE. */
export function labPlace(wish: Pick<LabWish, 'name' | 'dir'>): { readonly name: string; readonly dir: string } {
  const dir = wish.dir === undefined ? undefined : resolve(wish.dir);
  const name =
    wish.name ?? (dir === undefined ? 'lab' : `d${createHash('sha256').update(dir).digest('hex').slice(0, 10)}`);
  if (!NAME.test(name))
    throw usage(
      `lab name "${name}" must be 1 to 40 small letters, digits and dashes, and begin and end with a letter or digit`,
    );
  const place = dir ?? join(LAB_BASE, name);
  if (!DIR.test(place))
    throw usage(`lab directory "${place}" may hold only letters, digits, dots, dashes, underscores and slashes`);
  if (place.length > DIR_MAX)
    throw usage(
      `lab directory "${place}" is longer than ${String(DIR_MAX)} characters, too long for the sockets below it`,
    );
  const hidden = PRIVATE.find((root) => `${place}/`.startsWith(`${root}/`));
  if (hidden !== undefined)
    throw usage(`lab directory "${place}" lies below ${hidden}, which each lab host hides; take one below /var/tmp`);
  return { name, dir: place };
}

function count(what: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw usage(`${what} must be a whole number from 1 to ${String(most)}, not ${String(value)}`);
  return value;
}

/** Hosts h1…hN in racks r1…rM; racks are filled one after the other, so three hosts in two racks are h1 h2 | h3. Throws USAGE. */
export function planTopology(wish: LabWish): Topology {
  const { name, dir } = labPlace(wish);
  const n = count('--hosts', wish.hosts ?? 3, 64);
  const m = count('--racks', wish.racks ?? Math.min(2, n), n);
  return {
    version: 1,
    name,
    dir,
    racks: Array.from({ length: m }, (_, i) => `r${String(i + 1)}`),
    hosts: Array.from({ length: n }, (_, i) => ({
      name: `h${String(i + 1)}`,
      rack: `r${String(Math.floor((i * m) / n) + 1)}`,
    })),
  };
}

/** Cgroup of a lab, relative to the root of each hierarchy; all its processes are below it and nothing else is. */
export function labGroup(name: string): string {
  return `plumb-${name}`;
}

/** Locally administered MAC of a host's NIC, the same at every boot. */
export function nicAddress(lab: string, host: string): string {
  const bytes = createHash('sha256').update(`${lab}/${host}`).digest();
  return [0x0a, ...bytes.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Address of the network's core on the management network, where controllers and stores run. */
export const CORE_ADDRESS = '192.0.2.254';

/** A host's address on the management network: a network of RFC 5737, which no real machine has. */
export function managementAddress({ hosts }: Topology, host: string): string {
  return `192.0.2.${String(hosts.findIndex(({ name }) => name === host) + 1)}`;
}

/** Files of one host as seen from outside it. */
export interface HostPaths {
  readonly root: string;
  /** The host's /run: docker.sock, openvswitch/db.sock. Emptied at boot. */
  readonly run: string;
  /** Upper layers of the host's /etc and /var/lib. */
  readonly etc: string;
  readonly lib: string;
  /** The host's /var/lib/docker. */
  readonly docker: string;
  readonly ovsdb: string;
  readonly dockerSocket: string;
  readonly ovsdbSocket: string;
  readonly logs: string;
  /** Present while the host's cable is cut. */
  readonly cut: string;
}

/** Where a host of the lab in `dir` keeps what. */
export function hostPaths(dir: string, host: string): HostPaths {
  const root = join(dir, host);
  const run = join(root, 'run');
  return {
    root,
    run,
    etc: join(root, 'etc'),
    lib: join(root, 'lib'),
    docker: join(root, 'docker'),
    ovsdb: join(root, 'ovs', 'conf.db'),
    dockerSocket: join(run, 'docker.sock'),
    ovsdbSocket: join(run, 'openvswitch', 'db.sock'),
    logs: join(root, 'log'),
    cut: join(root, 'cut'),
  };
}
