import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resources } from '../../support/catalog.ts';
import { scene, told, where, type Apps } from '../../support/crowded.ts';

const big = resources(3000);

const half = resources(2000);

describe('a gang that finds no room', () => {
  const low: Apps = { batch: { replicas: 2, level: 3, maxUnavailable: 2, resources: big } };
  const gang: Apps = { ...low, job: { replicas: 2, level: 0, gang: 'job', resources: big } };

  it('has all stopped who are in its way, and comes as one when the last has left', () => {
    const { fleet, catalog, work, messages } = scene(low);
    const first = fleet.pass(catalog(gang));
    assert.deepEqual(told(first), ['yield batch-0 job-0', 'yield batch-1 job-1']);
    assert.match(messages(first), /job-0 gets its place on h1 once batch-0 \(level 3\) has left it/);
    assert.match(messages(first), /job-1 gets its place on h2 once batch-1 \(level 3\) has left it/);
    work('h1');
    assert.deepEqual(told(fleet.pass(catalog(gang))), [], 'the other one runs still');
    work('h2');
    const last = fleet.pass(catalog(gang));
    assert.deepEqual(
      last.proposals.map(({ op }) => op),
      ['release', 'release', 'gang'],
    );
    assert.deepEqual(where(fleet), ['job-0@h1', 'job-1@h2']);
    assert.deepEqual(told(fleet.settle(catalog(gang))), []);
  });

  it('takes one place for two of it where that has the room, and leaves the others', () => {
    const { fleet, catalog } = scene({ batch: { replicas: 2, level: 3, resources: resources(4000) } });
    const more: Apps = {
      batch: { replicas: 2, level: 3, resources: resources(4000) },
      job: { ...gang['job'], resources: half },
    };
    assert.deepEqual(told(fleet.pass(catalog(more))), ['yield batch-0 job-0']);
    fleet.settle(catalog(more));
    assert.deepEqual(where(fleet), ['batch-1@h2', 'job-0@h1', 'job-1@h1']);
  });

  it('has nobody stopped where it does not all fit, and says who could make room', () => {
    const one: Apps = { ...gang, batch: { ...low['batch'], maxUnavailable: 1 } };
    const { fleet, catalog, messages, ask } = scene({ batch: one['batch'] ?? {} });
    const result = fleet.pass(catalog(one));
    assert.deepEqual(told(result), []);
    const why = /batch-1 \(level 3\) could make room on h2, but App batch lets 1 replica be away at a time/;
    assert.match(messages(result), why);
    assert.match(ask(one, 'job-1'), why);
    const large: Apps = { ...low, job: { ...gang['job'], replicas: 5 } };
    assert.deepEqual(told(fleet.pass(catalog(large))), []);
  });

  it('leaves the room that it uses beside to nobody else meanwhile', () => {
    const { fleet, catalog } = scene(low);
    const apps: Apps = {
      ...low,
      job: { replicas: 3, level: 0, gang: 'job', resources: resources(1000) },
      small: { level: 1, replicas: 2, resources: resources(1000), maxUnavailable: 2 },
    };
    // a core is free on each host, and the third of the gang needs the place of one of the others
    assert.deepEqual(told(fleet.pass(catalog(apps))), ['yield batch-0 job-2', 'yield batch-1 small-0']);
    fleet.settle(catalog(apps));
    const there = [...fleet.book.placements.keys()].sort();
    assert.deepEqual(there, ['batch-1', 'job-0', 'job-1', 'job-2', 'small-0', 'small-1']);
  });

  it('lets all be when it is wanted no more', () => {
    const { fleet, catalog } = scene(low);
    fleet.pass(catalog(gang));
    assert.deepEqual(told(fleet.pass(catalog(low))), ['yield batch-0', 'yield batch-1']);
  });
});
