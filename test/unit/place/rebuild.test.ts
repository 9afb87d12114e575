import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { keptBy, rebuildProposals, unheard } from '../../../reconciler/place/rebuild.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';

/** What a host was told: these replicas, each with an address. */
function told(host: string, generation: number, ...replicas: readonly (readonly [string, string])[]): Assignment {
  const { cpu, memory, pids } = resources(100);
  const common = { app: 'web', zone: 'main', host, network: 'net', demand: { cpu, memory, pids }, epoch: 1 };
  const placed = replicas.map(([id, address]) => ({ id, placement: { ...common, replica: id, address } }));
  return { host, generation, replicas: placed } as unknown as Assignment;
}

describe('an emptied store', () => {
  const catalog = catalogOf({ hosts: hostsOf(3) });
  const kept = told('h1', 4, ['web-0', '10.1.0.17']);

  it('waits for hosts that have not reported, and for those that do not say what they were told', () => {
    const reports = [reportOf('h1', {}, { generation: 4 }), reportOf('h2')];
    assert.deepEqual(unheard(catalog, reports), ['h1', 'h3']);
    const all = [reportOf('h1', {}, { generation: 4, kept }), reportOf('h2'), reportOf('h3')];
    assert.deepEqual(unheard(catalog, all), []);
    assert.deepEqual(keptBy(all, []), [kept]);
    assert.deepEqual(keptBy(all, [kept]), [], 'the store has it');
  });

  it('learns who is where, and of two that claim one address believes the one that was told more', () => {
    const reports = ['h1', 'h2', 'h3'].map((host) => reportOf(host));
    const rival = told('h2', 9, ['web-1', '10.1.0.17'], ['web-2', '10.1.0.18']);
    const proposals = rebuildProposals(catalog, hostViews(catalog, reports, createBook()), [kept, rival]);
    const book = createBook();
    book.apply(decide(book, { id: 'a', now: 0, proposals }).deltas);
    assert.deepEqual(
      [...book.placements.values()].map(({ replica, host, address }) => `${replica} ${host} ${address}`),
      ['web-1 h2 10.1.0.17', 'web-2 h2 10.1.0.18'],
    );
    assert.equal(book.hosts.size, 3);
  });

  it('leases the blocks of a Network again to the zones whose replicas are in them', () => {
    const leasing = catalogOf({ hosts: hostsOf(1), networks: { net: { blockSize: 28 } } });
    const proposals = rebuildProposals(leasing, hostViews(leasing, [reportOf('h1')], createBook()), [kept]);
    const book = createBook();
    book.apply(decide(book, { id: 'a', now: 0, proposals }).deltas);
    assert.deepEqual(book.addresses.get('net/10.1.0.16/28'), { zone: 'main' });
  });
});
