import assert from 'node:assert/strict';
import { it } from 'node:test';
import { introduce } from '../../../../reconciler/loop/agent/introduce.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';
import { reportOf } from '../../../support/catalog.ts';

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };

it('a known host begins although the disk is full, an unknown one once it no longer is', async () => {
  for (const known of [true, false]) {
    let full = true;
    const reports = known ? [reportOf('h1')] : [];
    const report = (next: Report): Promise<void> => {
      if (full) return Promise.reject(new PlumbError('DISK_FULL', 'full'));
      reports.push(next);
      return Promise.resolve();
    };
    const mailbox = { report, reports: () => Promise.resolve(reports) };
    const { facts } = reportOf('h1');
    const { signal } = new AbortController();
    const introduced = introduce({ host: 'h1', facts, mailbox, last: mailbox, clock: Date.now, log }, signal);
    if (known) await introduced;
    full = false;
    await introduced;
    assert.deepEqual([reports.length, reports[0]?.host], [1, 'h1']);
  }
});
