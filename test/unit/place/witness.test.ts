import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Assignment, Placement, Report } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { createWhereabouts } from '../../../reconciler/model/whereabouts.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { lingers, standingOf, witness, wordsOf } from '../../../reconciler/place/witness.ts';
import { assignedTo, assignmentOf } from '../../support/assigned.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';

const catalog = catalogOf({ hosts: hostsOf(2) });
const [web] = assignedTo('h1', 1);
assert.ok(web);
const { placement: home } = web;
const serves = { id: 'web-0', phase: 'Ready', ready: true, restarts: 0, incarnation: incarnationOf(web) } as const;
const said = (change: Partial<Report> = {}): Report => reportOf('h1', {}, { generation: 1, ...change });
const serving = said({ replicas: [serves] });

interface Seen {
  readonly reports?: readonly Report[];
  readonly assignments?: readonly Assignment[];
  readonly lost?: readonly string[];
}

function seenBy({ reports = [serving], assignments = [assignmentOf('h1', 1, 1)], lost = [] }: Seen) {
  const book = createBook({ hosts: new Map(), placements: new Map([['web-0', home]]), addresses: new Map() });
  const hosts = hostViews(catalog, reports, book, new Set(lost));
  const input = { catalog, snapshot: book, hosts, reports, assignments, now: 0 };
  return { input, seen: witness(input), views: new Map(hosts.map((view) => [view.record.host, view])) };
}

describe('how a replica does', () => {
  const cases: readonly (Seen & {
    readonly name: string;
    readonly placement?: Placement | undefined;
    readonly is: { readonly away: boolean; readonly down: boolean };
  })[] = [
    { name: 'it serves where its host says so', is: { away: false, down: false } },
    { name: 'it is down without a place', placement: undefined, is: { away: true, down: true } },
    { name: 'it is down where its host was not told of it', assignments: [], is: { away: true, down: true } },
    { name: 'nobody knows while its host has not reported', reports: [], is: { away: true, down: false } },
    { name: 'nobody knows while its host is lost', lost: ['h1'], is: { away: true, down: false } },
    {
      name: 'nobody knows by what its host said before it was told something else',
      assignments: [assignmentOf('h1', 2, 1)],
      is: { away: true, down: false },
    },
    {
      name: 'nobody takes one for down that fails where its host is lost',
      reports: [said({ replicas: [{ ...serves, ready: false, reason: 'CrashLoop' }] })],
      lost: ['h1'],
      is: { away: true, down: false },
    },
    {
      name: 'it is down where it fails',
      reports: [said({ replicas: [{ ...serves, ready: false, reason: 'CrashLoop' }] })],
      is: { away: true, down: true },
    },
  ];
  for (const { name, is, ...some } of cases)
    it(name, () => {
      const { seen, views } = seenBy(some);
      assert.deepEqual(standingOf(seen, views, 'web-0', 'placement' in some ? some.placement : home), is);
    });
});

describe('whether something of a replica may still be on its host', () => {
  const placed = { ...serves, phase: 'Placed', ready: false } as const;
  const port = { known: true, ref: 'port/web-0', owned: true, state: {} } as const;
  const image = { known: true, ref: 'image/web-0', owned: true, state: {} } as const;
  const cases: readonly {
    readonly name: string;
    readonly report?: Report;
    readonly at?: string;
    readonly is: boolean;
  }[] = [
    { name: 'a host that runs it', report: serving, is: true },
    { name: 'one that has yet to begin', report: said({ replicas: [placed] }), is: false },
    { name: 'one that says it is gone', report: said({ replicas: [{ ...placed, phase: 'Gone' }] }), is: false },
    { name: 'one that has a part of it', report: said({ observed: [port] }), is: true },
    { name: 'one that has something else of that name', report: said({ observed: [image] }), is: false },
    { name: 'one that has not reported', is: false },
    { name: 'one that has left Git', report: reportOf('h9', {}, { replicas: [serves] }), at: 'h9', is: false },
  ];
  for (const { name, report, at = 'h1', is } of cases)
    it(name, () => {
      const { input, seen } = seenBy({ reports: report ? [report] : [] });
      assert.equal(lingers(input, seen, { ...home, host: at }), is);
    });
});

describe('what hosts said and were told', () => {
  it('is what somebody keeps, where somebody does, and not what was given beside', () => {
    const whereabouts = createWhereabouts([], [assignmentOf('h2', 3, 0)], [reportOf('h2')]);
    const { input } = seenBy({});
    const kept = { ...input, kept: { book: createBook(), whereabouts } };
    for (const words of [wordsOf(kept), witness(kept)]) {
      assert.deepEqual([...words.reports.keys()], ['h2']);
      assert.equal(words.assignments.get('h2')?.generation, 3);
    }
    for (const words of [wordsOf(input), witness(input)]) {
      assert.deepEqual([...words.reports.keys()], ['h1']);
      assert.equal(words.assignments.get('h1')?.generation, 1);
    }
  });
});
