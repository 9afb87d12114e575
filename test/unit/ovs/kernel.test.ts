import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { systemKernel, type Kernel } from '../../../providers/ovs/kernel.ts';

/** What files of the kernel say, below a root of its own. */
function withKernel(files: Readonly<Record<string, string>>, then: (kernel: Kernel, put: Put) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'plumbline-kernel-'));
  const put: Put = (path, text) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  try {
    for (const [path, text] of Object.entries(files)) put(path, text);
    then(systemKernel(join(root, 'sys'), join(root, 'proc')), put);
  } finally {
    rmSync(root, { recursive: true });
  }
}
type Put = (path: string, text: string) => void;

const TRIE = 'Main:\n  +-- 0.0.0.0/0\n     |-- 10.1.0.5\n        /32 host LOCAL\n';
const ROUTES =
  'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\n';
const OWN = 'proc/7/root/sys/class/net/eth0';
const FILES = {
  'sys/class/net/pl1/carrier': '1\n',
  'sys/class/net/pl1/ifindex': '9\n',
  'sys/class/net/pl1/iflink': '2\n',
  'proc/7/net/fib_trie': TRIE,
  'proc/7/net/route': ROUTES,
  [`${OWN}/ifindex`]: '2\n',
  [`${OWN}/address`]: '02:64:0a:01:00:05\n',
  [`${OWN}/mtu`]: '1500\n',
};
const WHOLE = { address: true, gateway: true, mac: '02:64:0a:01:00:05', mtu: 1500 };

describe('what the kernel says of a sandbox', () => {
  it('is its address, its gateway and its link', () => {
    withKernel(FILES, (kernel) => {
      assert.equal(kernel.device('pl1'), 'up');
      assert.deepEqual(kernel.inside(7, 'pl1', '10.1.0.5', '10.1.0.1', 'read'), WHOLE);
      const { address, gateway } = kernel.inside(7, 'pl1', '10.1.0.6', '10.1.0.2', 'read');
      assert.deepEqual([address, gateway], [false, false]);
    });
  });

  it('is its link as it was read last where that is enough, and all else as it is now', () => {
    withKernel(FILES, (kernel, put) => {
      assert.deepEqual(kernel.inside(7, 'pl1', '10.1.0.5', '10.1.0.1', 'known'), WHOLE, 'never read before');
      put(`${OWN}/mtu`, '1400\n');
      put('proc/7/net/fib_trie', 'Main:\n');
      const known = kernel.inside(7, 'pl1', '10.1.0.5', '10.1.0.1', 'known');
      assert.deepEqual([known.mtu, known.address], [1500, false]);
      assert.equal(kernel.inside(7, 'pl1', '10.1.0.5', '10.1.0.1', 'read').mtu, 1400);
      assert.equal(kernel.inside(7, 'pl1', '10.1.0.5', '10.1.0.1', 'known').mtu, 1400);
    });
  });

  it('says nothing of a link that is not the other end of the device', () => {
    withKernel({ ...FILES, [`${OWN}/ifindex`]: '3\n' }, (kernel) => {
      const { mac, mtu } = kernel.inside(7, 'pl1', '10.1.0.5', '10.1.0.1', 'known');
      assert.deepEqual([mac, mtu], [undefined, undefined]);
    });
  });
});
