import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disk, type Files } from '../../providers/cgroups/files.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Observed } from '../../reconciler/model/change.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { CgroupSpec } from '../../reconciler/model/resources.ts';

/** Why tests of the files of cgroup v1 are skipped here; false where they run. */
export const NO_V1: string | false =
  process.getuid?.() !== 0
    ? 'needs root'
    : fs.existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? 'the files named here are cgroup v1; v2: cgroup-v2.test'
      : false;

const V1: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: {
    'cpu.shares': '1024',
    'cpu.cfs_quota_us': '-1',
    'cpu.cfs_period_us': '100000',
    'cpu.cfs_burst_us': '0',
    'cpu.idle': '0',
  },
  memory: {
    'memory.limit_in_bytes': '9223372036854771712',
    'memory.memsw.limit_in_bytes': '9223372036854771712',
    'memory.soft_limit_in_bytes': '9223372036854771712',
    'memory.usage_in_bytes': '4194304',
    'memory.memsw.usage_in_bytes': '4194304',
    'memory.swappiness': '60',
  },
  pids: { 'pids.max': 'max' },
  blkio: {
    'blkio.bfq.weight': '100',
    'blkio.throttle.read_bps_device': '',
    'blkio.throttle.write_bps_device': '',
    'blkio.throttle.read_iops_device': '',
    'blkio.throttle.write_iops_device': '',
  },
  freezer: { 'freezer.state': 'THAWED' },
  hugetlb: {
    'hugetlb.2MB.limit_in_bytes': '9223372036853727232',
    'hugetlb.1GB.limit_in_bytes': '9223372035781033984',
  },
};
const V2: Readonly<Record<string, string>> = {
  'cpu.weight': '100',
  'cpu.max': 'max 100000',
  'cpu.max.burst': '0',
  'cpu.idle': '0',
  'memory.max': 'max',
  'memory.swap.max': 'max',
  'memory.low': '0',
  'memory.high': 'max',
  'memory.oom.group': '0',
  'memory.current': '4194304',
  'memory.reclaim': '',
  'pids.max': 'max',
  'cgroup.freeze': '0',
  'io.weight': 'default 100',
  'io.max': '',
  'hugetlb.2MB.max': 'max',
  'hugetlb.1GB.max': 'max',
};

/** Block devices of a fake machine, by name: their numbers, and whether they are disks. */
const BLOCK: Readonly<Record<string, readonly [string, boolean]>> = {
  sda: ['8:0', true],
  sdb: ['8:16', true],
  loop0: ['7:0', false],
};

/** A container id made of one digit. */
export function idOf(digit: string): string {
  return digit.repeat(64);
}

/** A folder in which a cgroup tree is played by plain files, with a container's cgroup at `path`, and a machine's /sys at `sys`. */
export function fakeTree(version: 'v1' | 'v2', path: string, lacking: readonly string[] = []): string {
  const root = fs.mkdtempSync(join(tmpdir(), 'cgroup-'));
  for (const [name, [number, disk]] of Object.entries(BLOCK)) {
    fs.mkdirSync(join(root, 'sys/block', name, disk ? 'device' : 'loop'), { recursive: true });
    fs.writeFileSync(join(root, 'sys/block', name, 'dev'), `${number}\n`);
  }
  if (version === 'v2') {
    fs.writeFileSync(join(root, 'cgroup.controllers'), 'cpu io memory pids\n');
    fill(join(root, path), V2, lacking);
  } else for (const [controller, files] of Object.entries(V1)) fill(join(root, controller, path), files, lacking);
  if (version === 'v1') fs.writeFileSync(join(root, 'memory', path, '../memory.swappiness'), '40\n');
  return root;
}

function fill(directory: string, files: Readonly<Record<string, string>>, lacking: readonly string[]): void {
  fs.mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files))
    if (!lacking.includes(name)) fs.writeFileSync(join(directory, name), `${text}\n`);
}

/** An errno error as node throws it. */
export function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Plain files as the kernel's: a descriptor of what is no longer there tells of nothing. */
export const played: Files = {
  ...disk,
  read: (descriptor, into) => {
    if (fs.fstatSync(descriptor).nlink === 0) throw errno('ESRCH');
    return disk.read(descriptor, into);
  },
};

/** The kernel's rules on plain files: what it refuses, and what it makes of a value. `log` gets the names of written files. */
export function kernelRules(log: string[] = []): Files {
  const number = (path: string): number => Number(fs.readFileSync(path, 'utf8'));
  const write = (path: string, text: string): void => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const beside = (file: string): string => join(path, '..', file);
    const value = Number(text);
    if (!fs.existsSync(path)) throw errno('ENOENT');
    if (name === 'memory.limit_in_bytes') {
      if (value > number(beside('memory.memsw.limit_in_bytes'))) throw errno('EINVAL');
      if (value < number(beside('memory.usage_in_bytes'))) throw errno('EBUSY');
    }
    if (name === 'memory.memsw.limit_in_bytes' && value < number(beside('memory.limit_in_bytes')))
      throw errno('EINVAL');
    if (name === 'memory.max' && text !== 'max' && value < number(beside('memory.current')))
      throw new Error('killed it');
    if (name === 'memory.reclaim') throw errno('EAGAIN');
    if (name === 'memory.swappiness' && value > 200) throw errno('EINVAL');
    if (cfs(name)) {
      const [quota, period] = name.startsWith('cpu.max')
        ? ['cpu.max', 'cpu.max']
        : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'];
      checkBurst(name, text, { quota: beside(quota), period: beside(period), burst: beside(BURST[quota] ?? '') });
    }
    if (
      WEIGHTS[name] !== undefined &&
      fs.existsSync(beside('cpu.idle')) &&
      fs.readFileSync(beside('cpu.idle'), 'utf8').startsWith('1')
    )
      throw errno('EINVAL');
    if (name === 'cpu.cfs_quota_us' && value > 0 && value < 1000) throw errno('EINVAL');
    if (name === 'blkio.bfq.weight' && (value < 1 || value > 1000)) throw errno('ERANGE');
    log.push(name);
    const before = fs.readFileSync(path, 'utf8').trim();
    fs.writeFileSync(path, `${LISTS.test(name) ? listed(before, text) : said(name, text)}\n`);
    if (name === 'cpu.idle')
      for (const [file, [idle, usual]] of Object.entries(WEIGHTS))
        if (fs.existsSync(beside(file)) && before !== text)
          fs.writeFileSync(beside(file), `${text === '1' ? idle : usual}\n`);
  };
  return {
    ...played,
    write,
    settle: (path, text) =>
      new Promise((resolve) => {
        write(path, text);
        resolve();
      }),
  };
}

/** What the kernel makes of a weight where a cgroup becomes idle, and where it is so no longer. */
const WEIGHTS: Readonly<Record<string, readonly [string, string]>> = {
  'cpu.shares': ['3', '1024'],
  'cpu.weight': ['0', '100'],
};
/** The file of the burst beside that of a quota. */
const BURST: Readonly<Record<string, string>> = { 'cpu.cfs_quota_us': 'cpu.cfs_burst_us', 'cpu.max': 'cpu.max.burst' };
const cfs = (name: string): boolean => /^cpu\.(cfs_.*_us|max|max\.burst)$/.test(name);
/** Files with a line for each device. */
const LISTS = /^(blkio\.throttle\..*|io\.max)$/;

/** As the kernel: no quota below the burst, whichever of both is written. */
function checkBurst(
  name: string,
  text: string,
  paths: { readonly quota: string; readonly period: string; readonly burst: string },
): void {
  const said = (path: string): string => (path.endsWith(`/${name}`) ? text : fs.readFileSync(path, 'utf8'));
  const quota = said(paths.quota).trim().split(' ')[0] ?? '';
  if (quota === 'max' || Number(quota) < 0 || !fs.existsSync(paths.burst)) return;
  if (Number(said(paths.burst)) > Number(quota)) throw errno('EINVAL');
}

/** The lines of a list with that of one device in its place; none where nothing limits it. */
function listed(before: string, text: string): string {
  const [device = '', ...values] = text.split(' ');
  const rest = before.split('\n').filter((line) => line !== '' && !line.startsWith(`${device} `));
  const none = values.every((value) => value === '0' || value.endsWith('=max'));
  return [...rest, ...(none ? [] : [text])].join('\n');
}

function said(name: string, text: string): string {
  // LONG_MAX, rounded down to pages of the size
  if (/^hugetlb.*limit_in_bytes$/.test(name) && text === '-1') return V1['hugetlb']?.[name] ?? '';
  if (/limit_in_bytes$/.test(name) && text === '-1') return '9223372036854771712';
  if (/^memory\.(.*limit_in_bytes|max|low|high|swap\.max)$/.test(name) && /^[0-9]+$/.test(text))
    return String(Math.floor(Number(text) / 4096) * 4096);
  return name === 'io.weight' ? `default ${text}` : text;
}

/** A context whose world is the given observations. */
export function contextOf(items: readonly Observed[], wanted?: readonly Ref[]): Context {
  const world = new Map(items.map((item) => [item.ref, item]));
  const signal = new AbortController().signal;
  return { signal, fleet: 'test', world: { get: (ref) => world.get(ref) }, ...(wanted ? { wanted } : {}) };
}

/** The world's container of a replica. */
export function container(replica: string, id: string, status = 'running'): Observed {
  const state = { id, status, fingerprint: '', image: '', sandbox: '' };
  return { known: true, ref: `container/${replica}`, state, owned: true, version: id };
}

/** Limits of a replica; the given ones instead of the usual. */
export function limits(replica: string, some: Partial<CgroupSpec> = {}): CgroupSpec {
  const usual = { cpu: 500, shares: 512, quota: 750, memory: 64 * 2 ** 20, swap: 0, pids: 100 };
  return { replica, ...usual, reservation: 32 * 2 ** 20, blockIoWeight: 300, ...some };
}
