import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inTheWay } from '../../../providers/host/in-use.ts';

/** What the kernel says is in use: 1200 threads, 3000 files, 500 requests, 40000 connections. */
const FILES: Readonly<Record<string, string>> = {
  loadavg: '0.50 0.40 0.30 2/1200 4711\n',
  'sys/fs/file-nr': '3000\t0\t9223372036854775807\n',
  'sys/fs/aio-nr': '500\n',
  'sys/net/netfilter/nf_conntrack_count': '40000\n',
};
const read = (file: string): string | undefined => FILES[file];

describe('a limit of the machine that is to be lowered', () => {
  for (const { key, used, before } of [
    { key: 'kernel.pid_max', used: 1200, before: '32768' },
    { key: 'kernel.threads-max', used: 1200, before: '60000' },
    { key: 'fs.file-max', used: 3000, before: '9223372036854775807' },
    { key: 'fs.aio-max-nr', used: 500, before: '65536' },
    { key: 'net.netfilter.nf_conntrack_max', used: 40_000, before: '262144' },
    { key: 'net.nf_conntrack_max', used: 40_000, before: '262144' },
    { key: 'net/netfilter/nf_conntrack_max', used: 40_000, before: '262144' },
  ])
    it(`${key} goes down to what is in use and no further`, () => {
      assert.equal(inTheWay(key, String(used), before, read), undefined);
      const told = inTheWay(key, String(used - 1), before, read);
      assert.equal(told?.used, used);
      assert.match(told.why, new RegExp(`^${String(used)} [a-z ]+; a limit below that would fail what runs$`));
    });

  it('may be raised although more is in use than either allows', () => {
    assert.equal(inTheWay('kernel.pid_max', '1000', '900', read), undefined);
    assert.equal(inTheWay('kernel.pid_max', '900', '900', read), undefined);
  });

  it('of connections is none at 0, and so neither in the way nor lowered by it', () => {
    assert.equal(inTheWay('net.netfilter.nf_conntrack_max', '0', '262144', read), undefined);
    assert.equal(inTheWay('net.netfilter.nf_conntrack_max', '39999', '0', read)?.used, 40_000);
  });

  it('is lowered where no file tells what is in use, and where nothing is known of it', () => {
    assert.equal(
      inTheWay('net.netfilter.nf_conntrack_max', '1', '262144', () => undefined),
      undefined,
    );
    assert.equal(inTheWay('fs.inotify.max_user_watches', '1', '262144', read), undefined);
    assert.equal(inTheWay('vm.swappiness', '1', '60', read), undefined);
  });

  it('stays as it is to be where a value is no number: that is the kernel’s to refuse', () => {
    assert.equal(inTheWay('kernel.pid_max', 'many', '32768', read), undefined);
  });
});
