import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { hasLetGo } from '../../../reconciler/model/handover.ts';
import { foreign, PROTOCOL, readAssignment, readReport } from '../../../reconciler/model/protocol.ts';
import type { Assignment, Report } from '../../../reconciler/model/replica.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { rebuild } from '../../../reconciler/place/rebuild.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';

const assignment = (protocol?: number): Assignment => ({
  ...(protocol === undefined ? {} : { protocol }),
  host: 'h1',
  fleet: 'f',
  generation: 7,
  revision: 'r',
  author: '',
  resync: 0,
  replicas: [],
  networks: [],
  tuning: [],
  keep: { apps: [], owners: [] },
});

const read = (report: unknown): Report => readReport('h1', JSON.stringify(report));

describe('the protocol', () => {
  it('understands its neighbours, and documents without a version as the first', () => {
    assert.equal(
      PROTOCOL,
      2,
      'once it rises, the first is no neighbour any more: record the last one, and say so here',
    );
    for (const protocol of [undefined, PROTOCOL - 1, PROTOCOL, PROTOCOL + 1]) {
      const given = assignment(protocol);
      assert.equal(readAssignment(given), given);
      assert.equal(foreign(read(reportOf('h1', {}, protocol === undefined ? {} : { protocol }))), undefined);
    }
  });

  it('refuses others, naming both versions and what to do', () => {
    assert.throws(
      () => readAssignment(assignment(PROTOCOL + 2)),
      (error) =>
        error instanceof PlumbError &&
        error.code === 'PROTOCOL_MISMATCH' &&
        /Assignment of h1 speaks protocol 4, and this plumb 1 to 3: upgrade this one, one version at a time/.test(
          error.message,
        ),
    );
    assert.throws(() => readAssignment(assignment(PROTOCOL - 2)), /protocol 0, .*: upgrade the one that wrote it/);
  });

  const catalog = catalogOf({ hosts: hostsOf(2) });
  const strange = read(reportOf('h1', {}, { protocol: PROTOCOL + 2, generation: 7, kept: assignment() }));

  it('places nothing on a host whose agent it does not understand, and takes nothing there for gone', () => {
    assert.match(foreign(strange) ?? '', /agent of h1 speaks protocol 4/);
    const [h1] = hostViews(catalog, [reportOf('h1')], createBook());
    assert.equal(h1?.record.state, 'open');
    const book = createBook();
    book.apply([{ type: 'host', host: 'h1', record: h1.record }]);
    const views = hostViews(catalog, [strange, reportOf('h2')], book);
    assert.deepEqual(
      views.map(({ record, lost }) => [record.host, record.state, record.allocatable.cpu, lost]),
      [
        ['h1', 'closed', h1.record.allocatable.cpu, true],
        ['h2', 'open', h1.record.allocatable.cpu, undefined],
      ],
    );
    assert.equal(hasLetGo('web-0', assignment(), strange), false);
    assert.equal(hasLetGo('web-0', undefined, strange), false);
  });

  const web = { id: 'web-0', app: 'web', spec: {}, placement: { host: 'h1', replica: 'web-0' } };
  const kept = { ...assignment(), replicas: [web] };
  const moved = (placement: object) => ({
    ...kept,
    replicas: [{ ...web, placement: { ...web.placement, ...placement } }],
  });
  const unlike: readonly (readonly [what: string, report: unknown])[] = [
    ['of another host', reportOf('h2')],
    ['of no host', { ...reportOf('h1'), host: undefined }],
    ['a number', 7],
    ['a list', []],
    ['empty', {}],
    ['without facts', { ...reportOf('h1'), facts: undefined }],
    ['of a capacity that is no number', reportOf('h1', { cpu: Number.NaN })],
    ['of less than nothing', reportOf('h1', { memory: -1 })],
    ['with replicas that are no list', { ...reportOf('h1'), replicas: {} }],
    ['with a replica that is nothing', { ...reportOf('h1'), replicas: [null] }],
    ['with a replica without a name', { ...reportOf('h1'), replicas: [{ phase: 'Ready' }] }],
    ['with a thing without a ref', { ...reportOf('h1'), observed: [{}] }],
    ['without conditions', { ...reportOf('h1'), conditions: null }],
    ["with another's Assignment", { ...reportOf('h1'), kept: { ...kept, host: 'h2' } }],
    ["with another's placement", { ...reportOf('h1'), kept: moved({ host: 'h2' }) }],
    ["with another replica's placement", { ...reportOf('h1'), kept: moved({ replica: 'db-0' }) }],
    ['with an Assignment without networks', { ...reportOf('h1'), kept: { ...kept, networks: undefined } }],
  ];
  for (const [what, report] of unlike)
    it(`believes only the host of what is no Report of it: ${what}`, () => {
      const told = read(report);
      assert.match(foreign(told) ?? '', /^what is stored as the Report of h1 is none/);
      assert.deepEqual([told.host, told.replicas, told.observed, told.kept], ['h1', [], [], undefined]);
      assert.equal(foreign(readReport('h1', 'no JSON')), foreign(told));
    });
  it('believes what a host kept of itself', () => {
    assert.deepEqual(read({ ...reportOf('h1'), kept }).kept, kept);
  });

  it('waits for such a host when the store was emptied', () => {
    const { awaited } = rebuild({
      catalog,
      reports: [strange, reportOf('h2')],
      snapshot: createBook(),
      stored: [],
      now: 0,
    });
    assert.deepEqual(awaited, ['h1']);
  });
});
