import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook, type Book } from '../../../reconciler/model/book.ts';
import { formOf } from '../../../reconciler/model/form.ts';
import type { Assignment, ReplicaReport, Report } from '../../../reconciler/model/replica.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { NOW, step } from '../../support/placing.ts';

/** What hosts are told of a sketch whose replicas have their places. */
function told(sketch: Sketch, { placements }: Book): readonly Assignment[] {
  return project({ catalog: catalogOf(sketch), author: '', placements, previous: new Map(), reports: [], now: NOW })
    .assignments;
}

describe('a replica that is to take less', () => {
  it('gives memory back only when the kernel holds the replica to less', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    const MI = 2 ** 20;
    step({ hosts, apps: { web: { resources: resources(100, 512) } } }, { book });
    const seen = (memory: number): Report =>
      reportOf(
        'h1',
        {},
        {
          observed: [{ known: true, ref: 'cgroup/web-0', owned: true, state: { id: 'x', memory, unsupported: [] } }],
        },
      );
    const apps = { web: { resources: resources(100, 128) } };
    step({ hosts, apps }, { book, reports: [seen(512 * MI)] });
    assert.equal(book.used('h1').memory, 512 * MI);
    step({ hosts, apps }, { book, reports: [seen(128 * MI)] });
    assert.equal(book.used('h1').memory, 128 * MI);
  });

  it('keeps its memory while its host runs it in another form than it was told, where its cgroup is not kept', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    const MI = 2 ** 20;
    const large = { hosts, apps: { web: { resources: resources(100, 512) } } };
    const small = { hosts, apps: { web: { resources: resources(100, 128) } } };
    step(large, { book });
    const formIn = (assignments: readonly Assignment[]): string =>
      formOf(assignments[0]?.replicas[0] ?? assert.fail('not told'));
    const says = (more: Partial<ReplicaReport>): readonly Report[] => [
      reportOf('h1', {}, { replicas: [{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0, ...more }] }),
    ];
    const [before, after] = [told(large, book), told(small, book)];
    step(small, { book, assignments: after, reports: says({ fingerprint: 'f', form: formIn(before) }) });
    assert.equal(book.used('h1').memory, 512 * MI);
    step(small, { book, assignments: after, reports: says({ fingerprint: 'f', form: formIn(after) }) });
    assert.equal(book.used('h1').memory, 128 * MI);
  });

  it('gives back what a replica was told to do without, not what it is about to be told', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    const large = { hosts, apps: { web: { resources: resources(500, 64, 50) } } };
    step(large, { book });
    const small = { hosts, apps: { web: { resources: resources(100, 64, 16) } } };
    step(small, { book, assignments: told(large, book) });
    assert.deepEqual([book.used('h1').cpu, book.used('h1').pids], [500, 50]);
    step(small, { book, assignments: told(small, book) });
    assert.deepEqual([book.used('h1').cpu, book.used('h1').pids], [100, 16]);
  });
});

it('a replica that waits for another address is looked at again, whoever it waits for', () => {
  const book = createBook();
  const hosts = hostsOf(1);
  step({ hosts, apps: { web: {}, api: { replicas: 1 } } }, { book });
  const zones = { main: { disruption: { maxUnavailable: { count: 1 } } } };
  const networks = { net: { pool: [['10.1.9.1', '10.1.9.99']] as const } };
  const assignments = told({ hosts, apps: { web: {}, api: {} } }, book);
  const before = new Map(book.placements);
  const { busy } = step({ hosts, zones, networks, apps: { web: {}, api: {} } }, { book, assignments });
  assert.deepEqual(book.placements, before, 'nobody has heard of either: the Zone lets none go');
  assert.deepEqual([...busy].sort(), ['api', 'web']);
});
