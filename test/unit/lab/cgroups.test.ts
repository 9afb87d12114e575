import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { joinFiles, killGroup, makeGroup, members, parseLayout, removeGroup } from '../../../lab/cgroups.ts';
import type { CgroupLayout } from '../../../lab/cgroups.ts';

const line = (path: string, type: string, root = '/'): string =>
  `36 35 0:30 ${root} ${path} rw,relatime shared:9 - ${type} ${type} rw`;
const mounts = (...lines: readonly string[]): string => [line('/', 'ext4'), ...lines].join('\n');

describe('parseLayout', () => {
  const base = '/sys/fs/cgroup';
  const cases: readonly { readonly name: string; readonly text: string; readonly layout: CgroupLayout | undefined }[] =
    [
      { name: 'v2', text: mounts(line(base, 'cgroup2')), layout: { version: 2, roots: [base] } },
      {
        name: 'v1 with a hybrid v2 tree and co-mounted controllers',
        text: mounts(
          line(base, 'tmpfs'),
          line(`${base}/unified`, 'cgroup2'),
          line(`${base}/cpu,cpuacct`, 'cgroup'),
          line(`${base}/memory`, 'cgroup'),
          line(`${base}/systemd`, 'cgroup'),
        ),
        layout: { version: 1, roots: ['cpu,cpuacct', 'memory', 'systemd', 'unified'].map((name) => join(base, name)) },
      },
      {
        name: 'the same hierarchy mounted twice in one place',
        text: mounts(line(base, 'tmpfs'), line(`${base}/memory`, 'cgroup'), line(`${base}/memory`, 'cgroup')),
        layout: { version: 1, roots: [join(base, 'memory')] },
      },
      {
        name: 'v2 mounted over v1',
        text: mounts(line(base, 'tmpfs'), line(base, 'cgroup2')),
        layout: { version: 2, roots: [base] },
      },
      {
        name: 'cgroups elsewhere are not ours',
        text: mounts(line('/mnt/cgroup', 'cgroup2'), line('/sys/fs/cgroup-x', 'cgroup2')),
        layout: undefined,
      },
      { name: 'none', text: mounts(), layout: undefined },
    ];
  for (const { name, text, layout } of cases)
    it(name, () => {
      assert.deepEqual(parseLayout(text), layout);
    });
});

/** Directories that look like cgroups: files do not appear by themselves, so each test lays out what the kernel would. */
describe('groups', () => {
  let root = '';
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'plumb-cgroups-'));
  });
  after(() => {
    rmSync(root, { recursive: true });
  });
  const put = (dir: string, files: Readonly<Record<string, string>>): void => {
    mkdirSync(join(root, dir), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, dir, name), text);
  };
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');

  it('v2: each level delegates what it is offered, the leaf nothing', () => {
    const offered = { 'cgroup.controllers': 'cpuset cpu io memory pids rdma', 'cgroup.subtree_control': 'memory pids' };
    put('v2', offered);
    put('v2/lab', { ...offered, 'cgroup.subtree_control': '' });
    put('v2/lab/h1', { 'cgroup.controllers': 'memory', 'cgroup.subtree_control': '' });
    makeGroup({ version: 2, roots: [join(root, 'v2')] }, 'lab/h1');
    // plain files keep the last write: the last controller that was missing
    assert.equal(read('v2/cgroup.subtree_control'), '+io');
    assert.equal(read('v2/lab/cgroup.subtree_control'), '+pids');
    assert.equal(read('v2/lab/h1/cgroup.subtree_control'), '');
  });

  it('v1: an empty cpuset takes its parent’s, a set one is left', () => {
    const layout: CgroupLayout = { version: 1, roots: [join(root, 'cpuset'), join(root, 'memory')] };
    put('cpuset', { 'cpuset.cpus': '0-3\n', 'cpuset.mems': '0\n' });
    put('cpuset/lab', { 'cpuset.cpus': '0-1\n', 'cpuset.mems': '\n' });
    put('cpuset/lab/h1', { 'cpuset.cpus': '\n', 'cpuset.mems': '\n' });
    put('memory', {});
    makeGroup(layout, 'lab/h1');
    assert.equal(read('cpuset/lab/cpuset.cpus'), '0-1\n');
    assert.equal(read('cpuset/lab/cpuset.mems'), '0\n');
    assert.equal(read('cpuset/lab/h1/cpuset.cpus'), '0-1\n');
    assert.ok(existsSync(join(root, 'memory/lab/h1')));
    makeGroup(layout, 'lab/h1');
    assert.deepEqual(
      joinFiles(layout, 'lab/h1'),
      ['cpuset', 'memory'].map((name) => join(root, name, 'lab/h1/cgroup.procs')),
    );
  });

  it('members are those of the whole tree in every hierarchy, once', () => {
    const layout: CgroupLayout = { version: 1, roots: [join(root, 'a'), join(root, 'b')] };
    put('a/lab', { 'cgroup.procs': '11\n12\n' });
    put('a/lab/h1/host', { 'cgroup.procs': '13\n' });
    put('b/lab/h1/docker/x', { 'cgroup.procs': '11\n14\n' });
    put('b/other', { 'cgroup.procs': '15\n' });
    assert.deepEqual(
      members(layout, 'lab').toSorted((p, q) => p - q),
      [11, 12, 13, 14],
    );
    assert.deepEqual(members(layout, 'lab/h9'), []);
  });

  it('removes trees from below; what cannot go is said', () => {
    const layout: CgroupLayout = { version: 1, roots: [join(root, 'c'), join(root, 'd')] };
    put('c/lab/h1/docker', {});
    put('d', {});
    put('c/labs', {});
    assert.equal(removeGroup(layout, 'lab'), true);
    assert.equal(existsSync(join(root, 'c/lab')), false);
    assert.equal(existsSync(join(root, 'c/labs')), true);
    put('c/lab/h1', { busy: '' }); // rmdir fails, as it does on a cgroup with processes
    assert.equal(removeGroup(layout, 'lab'), false);
  });

  it('never kills the process it runs in', () => {
    put('e/lab', { 'cgroup.procs': `${String(process.pid)}\n` });
    assert.throws(() => killGroup({ version: 1, roots: [join(root, 'e')] }, 'lab'), { code: 'LAB_FAILED' });
  });
});
