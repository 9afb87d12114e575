import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasLetGo, waitsFor } from '../../../reconciler/model/handover.ts';
import type { AssignedReplica, Assignment, Condition, Placement, Report } from '../../../reconciler/model/replica.ts';
import { appSpec, catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';

const placement: Placement = {
  replica: 'web-0',
  app: 'web',
  zone: 'main',
  host: 'h2',
  network: 'net',
  address: '10.1.0.10',
  demand: { cpu: 100, memory: 1, pids: 1 },
  epoch: 2,
  from: 'h1',
};
const origin = { revision: 'rev1', file: 'web.yaml', line: 1, column: 1 };
const replica: AssignedReplica = {
  id: 'web-0',
  app: 'web',
  owner: 'team',
  spec: appSpec(),
  placement,
  origin,
  fields: {},
};

function assigned(host: string, generation: number, replicas: readonly AssignedReplica[] = []): Assignment {
  const nothing = { networks: [], tuning: [], keep: { apps: [], owners: [] } };
  return { host, fleet: 'fleet', generation, revision: 'rev1', author: '', resync: 1, replicas, ...nothing };
}

const condition = (type: Condition['type'], reason: string): Condition => ({
  type,
  status: true,
  reason,
  message: '',
  observedGeneration: 6,
});
const gone = (change: Partial<Report> = {}): Report => reportOf('h1', {}, { generation: 6, ...change });

describe('a host has let a replica go', () => {
  const cases: readonly {
    readonly name: string;
    readonly assignment?: Assignment;
    readonly report?: Report;
    readonly let: boolean;
  }[] = [
    { name: 'when it was told, has heard it and sees nothing', report: gone(), let: true },
    { name: 'not while its Assignment has it', assignment: assigned('h1', 6, [replica]), report: gone(), let: false },
    { name: 'not while it has not reported', let: false },
    { name: 'not while it may work at an older Assignment', report: gone({ generation: 5 }), let: false },
    {
      name: 'not while it changes something, which may be begun by an older Assignment',
      report: gone({ conditions: [condition('Reconciling', 'Applying')] }),
      let: false,
    },
    { name: 'not while it cannot see', report: gone({ conditions: [condition('Stalled', 'Blind')] }), let: false },
    {
      name: 'although something else of it fails',
      report: gone({ conditions: [condition('Stalled', 'Failing')] }),
      let: true,
    },
    {
      name: 'not while something of it runs',
      report: gone({ replicas: [{ id: 'web-0', phase: 'Stopping', ready: false, restarts: 0 }] }),
      let: false,
    },
    {
      name: 'not while its port is there, or not known to be gone',
      report: gone({ observed: [{ known: false, ref: 'port/web-0', why: 'no answer' }] }),
      let: false,
    },
    {
      name: 'although its image is there, and another replica',
      report: gone({
        observed: [
          { known: true, ref: 'container/web-1', owned: true, state: {} },
          { known: true, ref: 'image/web-0', owned: false, state: {} },
        ],
      }),
      let: true,
    },
  ];
  for (const { name, assignment = assigned('h1', 6), report, let: has } of cases)
    it(name, () => assert.equal(hasLetGo('web-0', assignment, report), has));
});

describe('a replica that has moved', () => {
  const catalog = catalogOf({ hosts: hostsOf(2) });
  const running = gone({ replicas: [{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0 }] });
  const words = (
    report: Report,
    here: readonly AssignedReplica[] = [],
    of = catalog,
  ): Parameters<typeof waitsFor>[1] => ({
    catalog: of,
    reports: new Map([['h1', report]]),
    assignments: new Map([
      ['h1', assigned('h1', 6)],
      ['h2', assigned('h2', 3, here)],
    ]),
  });
  it('waits for the host that it comes from', () => {
    assert.equal(waitsFor(placement, words(running)), 'h1');
    assert.equal(waitsFor(placement, words(gone())), undefined);
    const { from: _from, ...first } = placement;
    assert.equal(waitsFor(first, words(running)), undefined, 'it comes from nowhere');
  });
  it('stays where it was let in, in this home and no earlier one', () => {
    assert.equal(waitsFor(placement, words(running, [replica])), undefined);
    const earlier = { ...replica, placement: { ...placement, epoch: 1 } };
    assert.equal(waitsFor(placement, words(running, [earlier])), 'h1');
  });
  it('does not wait for a host that has left the catalog, unless that cannot be read', () => {
    const { h1: _h1, ...hosts } = hostsOf(2);
    assert.equal(waitsFor(placement, words(running, [], catalogOf({ hosts }))), undefined);
    assert.equal(waitsFor(placement, words(running, [], catalogOf({ hosts, heldObjects: ['Host/h1'] }))), 'h1');
  });
});
