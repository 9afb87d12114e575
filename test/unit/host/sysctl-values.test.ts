import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { normalise, pathOf } from '../../../providers/host/key.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import { want, machine, seen, converge } from '../../support/sysctl-rig.ts';

describe('a size that the kernel rounds up', () => {
  const cases: readonly (readonly [string, string, (value: number) => number])[] = [
    ['net.netfilter.nf_conntrack_buckets', '300000', (value) => Math.ceil(value / 512) * 512],
    ['net.core.rps_sock_flow_entries', '20000', () => 32768],
  ];
  for (const [key, value, made] of cases)
    it(`stands for what was asked: ${key}`, async () => {
      const { provider, read, put } = machine({ [key]: '4096\n' }, (base) => ({
        ...base,
        write: (path, text) => {
          base.write(path, text === '4096\n' ? text : `${String(made(Number(text)))}\n`);
        },
      }));
      assert.deepEqual(await converge(provider, [want(key, value)]), [`update sysctl/${key}`]);
      assert.equal(read(key), `${String(made(Number(value)))}\n`);
      assert.deepEqual(await converge(provider, [want(key, value)]), []);
      put(key, '65536\n');
      assert.equal(provider.diff([want(key, value)], [await seen(provider, key)])[0]?.because, 'drift');
      await converge(provider, [want(key, value)]);
      await converge(provider, []);
      assert.equal(read(key), '4096\n');
    });
});

describe('a limit below what is in use', () => {
  const cases: readonly (readonly [string, string, string, number])[] = [
    ['kernel.pid_max', 'loadavg', '0.1 0.2 0.3 1/2345 99\n', 2345],
    ['kernel.threads-max', 'loadavg', '0.1 0.2 0.3 1/2345 99\n', 2345],
    ['fs.file-max', 'sys/fs/file-nr', '4096\t0\t9223372036854775807\n', 4096],
    ['fs.aio-max-nr', 'sys/fs/aio-nr', '128\n', 128],
    ['net.netfilter.nf_conntrack_max', 'sys/net/netfilter/nf_conntrack_count', '777\n', 777],
    ['net.nf_conntrack_max', 'sys/net/netfilter/nf_conntrack_count', '777\n', 777],
  ];
  const connections = (limit: string) => {
    const key = 'net.netfilter.nf_conntrack_max';
    const rig = machine({ [key]: `${limit}\n` });
    fs.writeFileSync(join(rig.at(key), '../nf_conntrack_count'), '5000\n');
    return { ...rig, key };
  };

  for (const [name, before, value] of [
    ['is raised towards what is in use, where a hand had put it further down', '1000', '4000'],
    ['is taken away altogether', '65536', '0'],
  ] as const)
    it(name, async () => {
      const { provider, key, read } = connections(before);
      await converge(provider, [want(key, value)]);
      assert.equal(read(key), value);
    });

  it('is refused where there was no limit', async () => {
    const { provider, key, read } = connections('0');
    await assert.rejects(converge(provider, [want(key, '4000')]), /5000 connections are tracked/);
    assert.equal(read(key), '0\n');
  });

  for (const [key, file, text, used] of cases)
    it(`${key} is refused with the figure, and taken from that on`, async () => {
      const { provider, read, at } = machine({ [key]: '65536\n' });
      const told = join(at(key), '../'.repeat(key.split('.').length + 1), file);
      fs.mkdirSync(join(told, '..'), { recursive: true });
      fs.writeFileSync(told, text);
      const low = want(key, String(used - 1));
      await assert.rejects(converge(provider, [low]), (error: PlumbError) => {
        assert.equal(error.code, 'KNOB_REFUSED');
        assert.match(
          error.message,
          new RegExp(`^${key} = ${String(used - 1)}: ${String(used)} .* below that would fail`),
        );
        return true;
      });
      assert.equal(read(key), '65536\n');
      assert.deepEqual(await converge(provider, []), [], 'nothing is ours');
      await converge(provider, [want(key, String(used))]);
      assert.equal(read(key), String(used));
    });
});

describe('names', () => {
  const cases: readonly [string, string | undefined][] = [
    ['vm.swappiness', 'vm/swappiness'],
    ['net/ipv4/ip_forward', 'net/ipv4/ip_forward'],
    ['net.ipv4.conf.eth0/1.rp_filter', 'net/ipv4/conf/eth0.1/rp_filter'],
    ['net/ipv4/conf/eth0.1/rp_filter', 'net/ipv4/conf/eth0.1/rp_filter'],
    ['kernel.threads-max', 'kernel/threads-max'],
    ['net/../../../etc/passwd', undefined],
    ['net.//.x', undefined],
    ['vm..x', undefined],
    ['/etc/passwd', undefined],
    ['vm', undefined],
    ['vm.a\0b', undefined],
  ];
  for (const [key, path] of cases)
    it(`${JSON.stringify(key)} is ${path ?? 'no name'}`, () => {
      assert.equal(pathOf(key), path);
    });
  it('never lead out of /proc/sys', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('.', '/', 'a', '-', '*', '\0', ' ') }), (key) => {
        const path = pathOf(key);
        if (path !== undefined) assert.ok(join('/r', path).startsWith('/r/') && !path.split('/').includes('..'));
      }),
    );
  });
  it('values are compared with white space folded', () => {
    assert.equal(normalise(' 4096\t87380\t 6291456\n'), '4096 87380 6291456');
  });
});
