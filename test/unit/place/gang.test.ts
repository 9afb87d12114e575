import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { explain } from '../../../reconciler/place/explain.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { holds, hostsUsed, step } from '../../support/placing.ts';
import type { Case } from '../../support/placing.ts';

const large = { gang: 'job', resources: resources(2000) };
const cases: readonly Case[] = [
  {
    name: 'all of one App find a place',
    sketch: { hosts: hostsOf(2), apps: { job: { ...large, replicas: 4 } } },
    hosts: ['h1', 'h1', 'h2', 'h2'],
  },
  {
    name: 'none where one finds nothing, and the room is left to others',
    sketch: {
      hosts: hostsOf(2),
      networks: { net: { pool: [['10.1.0.10', '10.1.0.14']] } },
      apps: { job: { ...large, replicas: 5, level: 0 }, web: { replicas: 5 } },
    },
    hosts: ['h1', 'h1', 'h1', 'h2', 'h2'],
    reasons: ['job-0: ', 'job-1: ', 'job-2: ', 'job-3: ', 'job-4: cpu 2 h1'],
  },
  {
    name: 'several Apps together, those that may be placed sooner too',
    sketch: {
      hosts: hostsOf(1),
      apps: { ps: { gang: 'job', level: 0 }, web: {}, worker: { ...large, level: 3, replicas: 2 } },
    },
    hosts: ['h1'],
    reasons: ['ps-0: ', 'worker-0: ', 'worker-1: cpu 1 h1'],
  },
  {
    name: 'who must be near to one of a gang finds it although it asks before',
    sketch: {
      hosts: hostsOf(2),
      apps: {
        log: { level: 0, affinity: [{ app: 'ps', within: 'host', required: true }] },
        ps: { gang: 'job' },
        worker: { gang: 'job', level: 3 },
      },
    },
    hosts: ['h1', 'h1', 'h2'],
  },
];

describe('gangs', () => {
  for (const one of cases)
    it(one.name, () => {
      holds(one);
    });

  it('are one proposal; what has a place keeps it when more is asked for', () => {
    const book = createBook();
    const hosts = hostsOf(2);
    const first = step({ hosts, apps: { job: { ...large, replicas: 3 } } }, { book });
    assert.deepEqual(
      first.proposals.map(({ op }) => op),
      ['host', 'host', 'gang'],
    );
    const more = step({ hosts, apps: { job: { ...large, replicas: 5 } } }, { book });
    assert.deepEqual(hostsUsed(more), ['h1', 'h1', 'h2']);
    assert.deepEqual(
      more.unplaceable.map(({ replica }) => replica),
      ['job-3', 'job-4'],
    );
  });

  it('tell those that would find a place who does not', () => {
    const sketch: Sketch = { hosts: hostsOf(1), apps: { job: { ...large, replicas: 3 } } };
    const catalog = catalogOf(sketch);
    const snapshot = createBook();
    const reports = [reportOf('h1')];
    const hosts = hostViews(catalog, reports, snapshot);
    const told = explain({ catalog, snapshot, hosts, reports, assignments: [], now: 0 }, 'job-0');
    assert.match(told?.message ?? '', /^gang job is placed together or not at all\. App job finds no host among 1: /);
  });
});
