import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { hasLetGo } from '../../../reconciler/model/handover.ts';
import { foreign, PROTOCOL, readAssignment, readReport } from '../../../reconciler/model/protocol.ts';
import type { Assignment, Report } from '../../../reconciler/model/replica.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { rebuild } from '../../../reconciler/place/rebuild.ts';
import { assignmentOf } from '../../support/assigned.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';
import { fullReport, NAMED } from '../../support/full-report.ts';
import type { Recording } from '../../support/recording.ts';

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

  const kept = assignmentOf('h1', 7, 1);
  const [web = assert.fail()] = kept.replicas;
  const moved = (placement: object) => ({
    ...kept,
    replicas: [{ ...web, placement: { ...web.placement, ...placement } }],
  });
  const ready = { id: 'web-0', phase: 'Ready', ready: true, restarts: 0 };
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
    [
      'with a thing that is known and has no state',
      { ...reportOf('h1'), observed: [{ ref: 'cgroup/web-0', known: true, owned: true }] },
    ],
    ['with a replica that settles at no time', { ...reportOf('h1'), replicas: [{ ...ready, settlesAt: 1e300 }] }],
    ['with conflicts that are no list', { ...reportOf('h1'), conflicts: 7 }],
    ['with a limitation of nothing', { ...reportOf('h1'), limitations: [{}] }],
    ['of no threads to a core', reportOf('h1', { threadsPerCore: 0 })],
    ['behind which there is no number', reportOf('h1', {}, { generation: 2 ** 53 })],
    ['of a version that is none', { ...reportOf('h1'), protocol: { toString: 1 } }],
    [
      'with an App of which nothing is said',
      { ...reportOf('h1'), kept: { ...kept, replicas: [{ ...web, spec: {} }] } },
    ],
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
    });
  it('says where it is none', () => {
    const none = (text: string): string => foreign(readReport('h1', text)) ?? '';
    assert.match(none('no JSON'), /is none: see who signs in/);
    const endless = JSON.stringify(reportOf('h1', { cpu: 7 })).replace('"cpu":7', '"cpu":1e999');
    assert.match(none(endless), /is none \(\/facts\/capacity\/cpu\): see who signs in/);
    const item = { id: 'web-0', phase: 'Ready', ready: true, restarts: 0, settlesAt: 'x' };
    assert.match(none(JSON.stringify({ ...reportOf('h1'), replicas: [item] })), / \(\/replicas\/0\/settlesAt\)/);
  });

  const newer = (value: unknown, key = ''): unknown => {
    if (Array.isArray(value)) return value.map((one) => newer(one));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([name, one]) => [name, newer(one, name)] as const);
    return { ...Object.fromEntries(members), ...(NAMED.has(key) ? {} : { newerThanYou: { of: ['what', 1] } }) };
  };
  it('leaves alone what a Report has that this version does not know, wherever it is', () => {
    const told = newer({ ...fullReport('h1'), protocol: PROTOCOL + 1 });
    assert.deepEqual(read(told), told);
  });

  it('understands all that the version before wrote and kept', () => {
    const file = fileURLToPath(
      new URL(`../../../../test/golden/protocol/${String(PROTOCOL - 1)}.json.gz`, import.meta.url),
    );
    const { redis } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Recording;
    const found = new Map(redis.map(([key, , content]) => [key.slice('plumb:{default}:'.length), content]));
    for (const host of ['h1', 'h2', 'h3']) {
      const text = found.get(`report:${host}`);
      assert.ok(typeof text === 'string');
      const told = found.get(`assignment:${host}`) as readonly (readonly string[])[];
      const [, body = ''] = told.find(([field]) => field === 'body') ?? [];
      const whole: unknown = { ...(JSON.parse(text) as object), kept: JSON.parse(body) as unknown };
      assert.deepEqual(readReport(host, JSON.stringify(whole)), whole);
    }
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
