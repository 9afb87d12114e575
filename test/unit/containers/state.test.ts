import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseStop } from '../../../providers/containers/life.ts';
import { namespaces } from '../../../providers/containers/namespaces.ts';
import { containerBody, dockerName, sandboxBody } from '../../../providers/containers/spec.ts';
import { exitCodeOf, refOfRow, rowsByRef } from '../../../providers/containers/state.ts';
import type { ContainerRow } from '../../../providers/containers/wire.ts';
import { wantContainer, wantSandbox } from '../../support/containers.ts';

function row(name: string, labels: Readonly<Record<string, string>> = {}): ContainerRow {
  return { id: name, name, image: '', imageId: '', labels, state: 'running', status: 'Up', networkMode: 'none' };
}

describe('a row of the container list', () => {
  for (const [status, code] of [
    ['Exited (0) 3 seconds ago', 0],
    ['Exited (137) About a minute ago', 137],
    ['Exited (-1) 1 second ago', -1],
    ['Up 3 seconds', undefined],
    ['Created', undefined],
    ['', undefined],
  ] as const)
    it(`"${status}" has exit code ${String(code)}`, () => {
      assert.equal(exitCodeOf(status), code);
    });

  it('belongs to the ref of its label, or blocks the one of its name', () => {
    const ours = { 'plumbline.fleet': 'f', 'plumbline.ref': 'container/web-0' };
    assert.equal(refOfRow(row('renamed', ours)), 'container/web-0');
    assert.equal(refOfRow(row('plumb-web-0')), 'container/web-0');
    assert.equal(refOfRow(row('plumb-web-0-sandbox')), 'sandbox/web-0');
    assert.equal(refOfRow(row('web-0')), undefined);
    assert.equal(refOfRow(row('plumb-')), undefined);
    assert.equal(dockerName('sandbox/web-0'), 'plumb-web-0-sandbox');
  });

  it('of two with one label answers the one of the right name', () => {
    const ours = { 'plumbline.fleet': 'f', 'plumbline.ref': 'container/web-0' };
    const rows = [row('copy', ours), row('plumb-web-0', ours), row('copy2', ours)];
    for (const order of [rows, rows.toReversed()])
      assert.equal(rowsByRef(order).get('container/web-0')?.id, 'plumb-web-0');
  });
});

describe('bodies of containers', () => {
  it('grant nothing beyond Docker’s defaults', () => {
    const container = wantContainer('web-0');
    const text = JSON.stringify([
      containerBody(container.spec, 'f', container.ref, 's1'),
      sandboxBody(wantSandbox('web-0').spec, 'f', 'sandbox/web-0', { ipv6: true, protect: true }),
    ]);
    assert.doesNotMatch(text, /Privileged|CapAdd|PidMode|Devices/);
    assert.match(text, /no-new-privileges/);
  });

  it('ask for no weight of block I/O, without which a cgroup v2 kernel may be', () => {
    const resources = { cpu: 100, shares: 102, memory: 2 ** 25, swap: 0, pids: 64, blockIoWeight: 300 };
    const { spec, ref } = wantContainer('web-0', { resources });
    const text = JSON.stringify(containerBody(spec, 'f', ref, 's1'));
    assert.match(text, /"PidsLimit":64/);
    assert.doesNotMatch(text, /Weight/);
  });

  it('say how soon it is ended where memory runs out, and leave to later what a daemon may refuse', () => {
    const score = (oomScoreAdj: number): unknown => {
      const resources = { cpu: 100, shares: 102, memory: 2 ** 25, swap: 0, pids: 64, oomScoreAdj };
      const { spec, ref } = wantContainer('web-0', { resources });
      return (containerBody(spec, 'f', ref, 's1') as { HostConfig: { OomScoreAdj?: number } }).HostConfig.OomScoreAdj;
    };
    assert.deepEqual([200, 0, -500].map(score), [200, undefined, undefined]);
  });

  it('leave IPv6 alone where there is none or the App sets it', () => {
    const spec = wantSandbox('web-0', { sysctls: { 'net.ipv6.conf.all.disable_ipv6': '0' } }).spec;
    const sysctls = (ipv6: boolean): unknown => {
      const body = sandboxBody(spec, 'f', 'sandbox/web-0', { ipv6, protect: false });
      return (body as { HostConfig: { Sysctls: unknown } }).HostConfig.Sysctls;
    };
    assert.deepEqual(sysctls(false), spec.sysctls);
    assert.deepEqual(sysctls(true), {
      'net.ipv6.conf.all.disable_ipv6': '0',
      'net.ipv6.conf.default.disable_ipv6': '1',
    });
  });
});

describe('what stops a container', () => {
  for (const [label, stop] of [
    ['SIGHUP 1500', { signal: 'SIGHUP', grace: 1500 }],
    ['SIGRTMIN+3 0', { signal: 'SIGRTMIN+3', grace: 0 }],
    ['nonsense', { signal: 'SIGTERM', grace: 10_000 }],
    [undefined, { signal: 'SIGTERM', grace: 10_000 }],
  ] as const)
    it(`is read from ${String(label)}`, () => {
      assert.deepEqual(parseStop(label), stop);
    });
});

describe('the freezer of a container, by its cgroup', () => {
  for (const [name, line, file, words] of [
    ['v1', '4:memory:/docker/ID\n3:freezer:/docker/ID', 'freezer/docker/ID/freezer.state', ['THAWED', 'FROZEN']],
    ['v2', '0::/system.slice/docker-ID.scope', 'system.slice/docker-ID.scope/cgroup.freeze', ['0', '1']],
  ] as const)
    it(name, () => {
      const root = mkdtempSync(join(tmpdir(), 'plumbline-cgroup-'));
      try {
        const id = 'a'.repeat(64);
        mkdirSync(join(root, 'proc/7'), { recursive: true });
        writeFileSync(join(root, 'proc/7/cgroup'), `${line.replaceAll('ID', id)}\n`);
        const path = join(root, 'cgroup', file.replace('ID', id));
        mkdirSync(join(path, '..'), { recursive: true });
        writeFileSync(path, `${words[0]}\n`);
        const kernel = namespaces(join(root, 'proc'), join(root, 'cgroup'));
        kernel.setFrozen(id, true);
        assert.deepEqual(
          [kernel.frozen(id), readFileSync(path, 'utf8')],
          [undefined, `${words[0]}\n`],
          'not learned yet',
        );
        kernel.learn(id, 7);
        assert.equal(kernel.frozen(id), false);
        kernel.setFrozen(id, true);
        assert.deepEqual([kernel.frozen(id), readFileSync(path, 'utf8')], [true, words[1]]);
        kernel.setFrozen(id, false);
        assert.deepEqual([kernel.frozen(id), readFileSync(path, 'utf8')], [false, words[0]]);
        assert.equal(kernel.frozen('b'.repeat(64)), undefined, 'gone');
        kernel.setFrozen('b'.repeat(64), false);
      } finally {
        rmSync(root, { recursive: true });
      }
    });
});

describe('processes of a container, by its cgroup', () => {
  const layouts = [
    { name: 'v1, cgroupfs', line: '4:memory:/docker/ID', place: 'memory/docker/ID' },
    {
      name: 'v1, named hierarchy',
      line: '1:name=systemd:/system.slice/docker-ID.scope',
      place: 'systemd/system.slice/docker-ID.scope',
    },
    { name: 'v2, systemd', line: '0::/system.slice/docker-ID.scope', place: 'system.slice/docker-ID.scope' },
    { name: 'two controllers in one', line: '5:cpu,cpuacct:/docker/ID', place: 'cpu,cpuacct/docker/ID' },
  ];
  for (const { name, line, place } of layouts)
    it(name, () => {
      const root = mkdtempSync(join(tmpdir(), 'plumbline-cgroup-'));
      const [first, second] = ['a'.repeat(64), 'b'.repeat(64)];
      try {
        mkdirSync(join(root, 'proc/7/ns'), { recursive: true });
        writeFileSync(join(root, 'proc/7/cgroup'), `9:freezer:/elsewhere\n${line.replace('ID', first)}\n`);
        symlinkSync('net:[4026532281]', join(root, 'proc/7/ns/net'));
        for (const [id, pids] of [
          [first, '7\n'],
          [second, '9\n12\n0\n'],
        ] as const) {
          mkdirSync(join(root, 'cgroup', place.replace('ID', id)), { recursive: true });
          writeFileSync(join(root, 'cgroup', place.replace('ID', id), 'cgroup.procs'), pids);
        }
        const kernel = namespaces(join(root, 'proc'), join(root, 'cgroup'));
        assert.equal(kernel.processes(second), undefined, 'not learned yet');
        kernel.learn(first, 7);
        assert.deepEqual(kernel.processes(second), [9, 12]);
        assert.deepEqual(kernel.processes('c'.repeat(64)), []);
        assert.equal(kernel.network(7), 'net:[4026532281]');
        assert.equal(kernel.network(8), undefined);
        const list = join(root, 'cgroup', place.replace('ID', first), 'cgroup.procs');
        const space = (pid: string, text: string): void => {
          mkdirSync(join(root, 'proc', pid, 'ns'), { recursive: true });
          rmSync(join(root, 'proc', pid, 'ns/net'), { force: true });
          symlinkSync(text, join(root, 'proc', pid, 'ns/net'));
        };
        assert.deepEqual(kernel.first(first), { pid: 7, network: 'net:[4026532281]' });
        writeFileSync(list, '8\n7\n');
        space('8', 'net:[3]');
        assert.equal(kernel.first(first)?.pid, 7, 'as long as it is there');
        space('7', 'net:[5]');
        assert.deepEqual(kernel.first(first), { pid: 8, network: 'net:[3]' }, 'its number is that of another by now');
        rmSync(join(root, 'proc/8'), { recursive: true });
        writeFileSync(list, '');
        assert.equal(kernel.first(first), undefined);
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    });
});
