import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hostPaths, labGroup, labPlace, nicAddress, planTopology } from '../../../lab/topology.ts';

const usage = (pattern: RegExp): object => ({ code: 'USAGE', message: pattern });

describe('planTopology', () => {
  it('fills racks one after the other', () => {
    const { hosts, racks } = planTopology({ hosts: 3, racks: 2 });
    assert.deepEqual(racks, ['r1', 'r2']);
    assert.deepEqual(
      hosts.map(({ name, rack }) => `${name}:${rack}`),
      ['h1:r1', 'h2:r1', 'h3:r2'],
    );
  });

  it('gives every rack a host, none more than one above another, in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 }), (n, m) => {
        fc.pre(m <= n);
        const { hosts, racks } = planTopology({ hosts: n, racks: m });
        const sizes = racks.map((rack) => hosts.filter((host) => host.rack === rack).length);
        assert.equal(hosts.length, n);
        assert.ok(Math.min(...sizes) >= 1 && Math.max(...sizes) - Math.min(...sizes) <= 1);
        const numbers = hosts.map(({ rack }) => Number(rack.slice(1)));
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
      }),
    );
  });

  it('has two racks unless one host or a number says otherwise', () => {
    assert.equal(planTopology({}).racks.length, 2);
    assert.equal(planTopology({ hosts: 1 }).racks.length, 1);
  });

  for (const [wish, said] of [
    [{ hosts: 0 }, /--hosts .* 1 to 64, not 0/],
    [{ hosts: 65 }, /--hosts/],
    [{ hosts: 1.5 }, /--hosts/],
    [{ hosts: 2, racks: 3 }, /--racks .* 1 to 2, not 3/],
    [{ name: 'A' }, /lab name "A"/],
    [{ name: '-a' }, /lab name/],
    [{ name: 'a'.repeat(41) }, /lab name/],
    [{ name: '../x' }, /lab name/],
    [{ dir: '/var/tmp/a,b' }, /may hold only/],
    [{ dir: '/var/tmp/a:b' }, /may hold only/],
    [{ dir: `/var/tmp/${'a'.repeat(60)}` }, /too long for the sockets/],
    [{ dir: '/var/lib/x' }, /lies below \/var\/lib/],
    [{ dir: '/run/x' }, /lies below \/run/],
    [{ dir: '/etc' }, /lies below \/etc/],
  ] as const)
    it(`refuses ${JSON.stringify(wish)}`, () => {
      assert.throws(() => planTopology(wish), usage(said));
    });
});

describe('labPlace', () => {
  it('takes the name from the directory and the directory from the name', () => {
    assert.deepEqual(labPlace({}), { name: 'lab', dir: '/var/tmp/plumbline-lab/lab' });
    assert.deepEqual(labPlace({ name: 'x' }), { name: 'x', dir: '/var/tmp/plumbline-lab/x' });
    assert.deepEqual(labPlace({ name: 'x', dir: '/tmp/y/' }), { name: 'x', dir: '/tmp/y' });
    assert.equal(labPlace({ dir: '/tmp/a' }).name, labPlace({ dir: '/tmp/b/../a' }).name);
    assert.notEqual(labPlace({ dir: '/tmp/a' }).name, labPlace({ dir: '/tmp/b' }).name);
  });
});

describe('what derives from the name', () => {
  it('differs between labs', () => {
    assert.equal(labGroup('x'), 'plumb-x');
    assert.notEqual(nicAddress('x', 'h1'), nicAddress('y', 'h1'));
    assert.notEqual(nicAddress('x', 'h1'), nicAddress('x', 'h2'));
  });

  it('is a locally administered unicast address', () => {
    assert.match(nicAddress('x', 'h1'), /^0a(:[0-9a-f]{2}){5}$/);
  });

  it('keeps every socket connectable in the longest directory', () => {
    const dir = `/var/tmp/${'a'.repeat(50)}`;
    const { dir: place } = planTopology({ dir });
    const { run } = hostPaths(place, 'h64');
    assert.ok(`${run}/openvswitch/ovs-vswitchd.4194304.ctl`.length <= 107);
    assert.ok(`${run}/docker/containerd/containerd-debug.sock`.length <= 107);
  });
});
