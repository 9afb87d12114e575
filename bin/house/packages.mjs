import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} Need a program that must be there
 * @property {string} program
 * @property {readonly string[]} [or] programs that do the same
 * @property {readonly string[]} debian packages that bring it; the first that the distribution has is taken
 * @property {string} why
 * @property {(path: string) => boolean} [fits] whether the program found will do
 * @property {boolean} [optional] some distributions do not have it
 * @property {() => boolean} [when] whether this machine needs it at all
 */

/** What real hosts need. @type {readonly Need[]} */
export const NEEDS = [
  { program: 'dockerd', debian: ['docker.io'], why: 'runs the containers' },
  { program: 'docker-init', or: ['tini', 'tini-static'], debian: ['tini'], why: 'is the first process of a lab host' },
  // Debian 13 has the client in a package of its own
  { program: 'docker', debian: ['docker-cli', 'docker.io'], why: 'shows the containers and breaks them by hand' },
  { program: 'apparmor_parser', debian: ['apparmor'], why: 'loads the profile dockerd insists on', when: hasAppArmor },
  { program: 'iptables', debian: ['iptables'], why: 'is something dockerd does not start without' },
  { program: 'ovs-vswitchd', debian: ['openvswitch-switch'], why: 'wires the containers into VLANs' },
  {
    program: 'busybox',
    debian: ['busybox-static'],
    why: 'becomes the test image; no registry is needed',
    fits: isStatic,
  },
  { program: 'redis-server', debian: ['redis-server'], why: 'is the store of a fleet' },
  { program: 'ethtool', debian: ['ethtool'], why: 'switches checksum offload off where it breaks TCP' },
  { program: 'arping', debian: ['iputils-arping'], why: 'speaks for a foreign address in tests', fits: isIputils },
  { program: 'ping', debian: ['iputils-ping'], why: 'shows that the network works' },
  { program: 'ip', debian: ['iproute2'], why: 'sets up links and addresses' },
  { program: 'tc', debian: ['iproute2'], why: 'shows whether a rate limit is really in the kernel' },
  { program: 'nsenter', debian: ['util-linux'], why: 'enters the namespaces of a host' },
  { program: 'sysctl', debian: ['procps'], why: 'sets knobs by hand' },
  { program: 'git', debian: ['git'], why: 'holds what is wanted' },
];

/** What some tests need, which skip themselves without it. @type {readonly Need[]} */
export const TEST_NEEDS = [
  { program: 'linux.uml', debian: ['user-mode-linux'], why: 'is a kernel with cgroup v2', optional: true, when: isX64 },
  {
    program: 'systemctl',
    debian: ['systemd'],
    why: 'comes with the first process of a guest of that kernel',
    when: isX64,
  },
  { program: 'dbus-daemon', debian: ['dbus'], why: 'is the bus by which Docker asks it for cgroups', when: isX64 },
  { program: 'docker-registry', debian: ['docker-registry'], why: 'is a registry to pull images from', optional: true },
  { program: 'openssl', debian: ['openssl'], why: 'makes certificates for it' },
  { program: 'sshd', debian: ['openssh-server'], why: 'serves a repository over ssh' },
  { program: 'cc', debian: ['gcc'], why: 'helps that kernel on a CPU with AMX', when: hasAmx },
];

/** What a test starts by itself from a folder of its own, since its package would take the place of another one. */
export const UNPACKED = [
  {
    name: 'openvswitch-switch-dpdk',
    file: 'usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk',
    why: 'is an Open vSwitch with DPDK',
  },
];

/** Directories that hold system programs, also when a user's PATH does not name them. */
const SYSTEM = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * The path of a program, or undefined.
 * @param {string} program
 * @param {string} [path] as the environment variable PATH
 */
export function which(program, path = [process.env['PATH'] ?? '', ...SYSTEM].join(':')) {
  for (const folder of path.split(':')) {
    if (folder === '') continue;
    const file = join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not here: look in the next directory
    }
  }
  return undefined;
}

/**
 * What is missing, in the order of the list.
 * @param {readonly Need[]} needs
 * @param {string} [path] as the environment variable PATH
 */
export function missing(needs, path) {
  return needs.filter((need) => {
    if (need.when?.() === false) return false;
    const found = [need.program, ...(need.or ?? [])]
      .map((name) => which(name, path))
      .find((file) => file !== undefined);
    return found === undefined || need.fits?.(found) === false;
  });
}

/**
 * Lines that say what will be installed and why, one a package.
 * @param {readonly { program: string, why: string, name: string }[]} chosen each need with the package that was chosen for it
 */
export function explain(chosen) {
  const names = [...new Set(chosen.map((need) => need.name))];
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name) => {
    const reasons = chosen.filter((need) => need.name === name).map((need) => `${need.program} ${need.why}`);
    return `  ${name.padEnd(width)}  ${reasons.join('; ')}`;
  });
}

/**
 * The family of this Linux: `debian` for Debian, Ubuntu and their children, else its own name.
 * @param {string} [osRelease] text of /etc/os-release
 */
export function family(osRelease = readOsRelease()) {
  /** @type {(key: string) => string} */
  const field = (key) => new RegExp(`^${key}=["']?([^"'\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  const like = [field('ID'), ...field('ID_LIKE').split(' ')];
  return like.includes('debian') || like.includes('ubuntu') ? 'debian' : field('PRETTY_NAME') || process.platform;
}

function readOsRelease() {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Whether an ELF program has no interpreter, so that it runs alone in an image.
 * @param {string} path
 */
export function isStatic(path) {
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(4096);
    const length = readSync(file, header, 0, header.length, 0);
    if (length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2) return false;
    const offset = Number(header.readBigUInt64LE(32));
    const size = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    const interpreter = 3; // PT_INTERP
    for (let at = offset; at < offset + size * count && at + 4 <= length; at += size)
      if (header.readUInt32LE(at) === interpreter) return false;
    return true;
  } finally {
    closeSync(file);
  }
}

/**
 * Thomas Habets' arping has the same name and other options.
 * @param {string} path
 */
function isIputils(path) {
  return spawnSync(path, ['-V'], { encoding: 'utf8', timeout: 5000 }).stdout.includes('iputils');
}

function hasAppArmor() {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch {
    return false;
  }
}

function isX64() {
  return process.arch === 'x64';
}

function hasAmx() {
  return isX64() && / amx_tile/.test(readFileSync('/proc/cpuinfo', 'utf8'));
}
