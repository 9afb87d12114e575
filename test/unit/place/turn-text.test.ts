import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Placement, ReplicaReport } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { startRun } from '../../../reconciler/place/run.ts';
import { turnText } from '../../../reconciler/place/turn-text.ts';
import { assignedTo, assignmentOf } from '../../support/assigned.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { NOW } from '../../support/placing.ts';

/** What is otherwise than that all serve where they are: web-0 on h1, web-1 on h2 … */
interface Otherwise {
  readonly sketch?: Sketch;
  /** Replicas without a place. */
  readonly homeless?: readonly string[];
  readonly placed?: Readonly<Record<string, Partial<Placement>>>;
  readonly said?: Readonly<Record<string, Partial<ReplicaReport>>>;
  readonly lost?: readonly string[];
}

/** Why none of five may go, of which two may be away. */
function told({ sketch = {}, homeless = [], placed = {}, said = {}, lost = [] }: Otherwise): string {
  const catalog = catalogOf({ hosts: hostsOf(5), apps: { web: { replicas: 5, maxUnavailable: 2 } }, ...sketch });
  const all = assignedTo('', 5).map((one, at) => ({
    ...one,
    placement: { ...one.placement, host: `h${String(at + 1)}` },
  }));
  const assignments = all.map((one) => ({ ...assignmentOf(one.placement.host, 1, 0), replicas: [one] }));
  const reports = all.map((one) => {
    const serves = { id: one.id, phase: 'Ready', ready: true, restarts: 0, incarnation: incarnationOf(one) } as const;
    return reportOf(one.placement.host, {}, { generation: 1, replicas: [{ ...serves, ...said[one.id] }] });
  });
  const placements = all
    .filter(({ id }) => !homeless.includes(id))
    .map(({ id, placement }) => [id, { ...placement, ...placed[id] }] as const);
  const book = createBook({ hosts: new Map(), placements: new Map(placements), addresses: new Map() });
  const hosts = hostViews(catalog, reports, book, new Set(lost));
  const run = startRun({ catalog, snapshot: book, hosts, reports, assignments, now: NOW });
  return turnText(run, catalog.apps.get('web') ?? assert.fail());
}

const MOST = 'App web lets 2 replicas be away at a time';
const MEND = ': mend that, or let more be away (spec.maxUnavailable)';
const down = { ready: false } as const;

const cases: readonly (Otherwise & { readonly name: string; readonly text: string })[] = [
  { name: 'nobody is named where all serve', text: MOST },
  { name: 'one without a place', homeless: ['web-1'], text: `${MOST}, web-1 (no place) is${MEND}` },
  { name: 'one on a host that is lost', lost: ['h2'], text: `${MOST}, web-1 (h2 is lost) is${MEND}` },
  {
    name: 'one that fails',
    said: { 'web-1': { ...down, reason: 'CrashLoop' } },
    text: `${MOST}, web-1 (CrashLoop on h2) is${MEND}`,
  },
  {
    name: 'one that only starts says no more, and asks for nothing',
    said: { 'web-1': { ...down, reason: 'Waiting' } },
    text: `${MOST}, web-1 is`,
  },
  {
    name: 'one that makes room',
    placed: { 'web-1': { yields: 'db-0' } },
    text: `${MOST}, web-1 (makes room for db-0) is`,
  },
  {
    name: 'one that has not left the host that it comes from',
    placed: { 'web-1': { host: 'h5', from: 'h2', epoch: 2 } },
    text: `${MOST}, web-1 (on its way from h2) is`,
  },
  {
    name: 'one that comes from a host that is lost waits for that',
    placed: { 'web-1': { host: 'h5', from: 'h2', epoch: 2 } },
    lost: ['h2'],
    text: `${MOST}, web-1 (h2 is lost) is${MEND}`,
  },
  {
    name: 'those that may stay away come first',
    said: { 'web-0': down, 'web-3': { ...down, reason: 'CrashLoop' } },
    text: `${MOST}, web-3 (CrashLoop on h4) and web-0 are${MEND}`,
  },
  {
    name: 'of many as many as a person wants to read',
    said: { 'web-0': down, 'web-1': down, 'web-2': down },
    homeless: ['web-4'],
    text: `${MOST}, web-4 (no place), web-0 and 2 more are${MEND}`,
  },
  {
    name: 'where the Zone lets no more be away, that',
    sketch: { zones: { main: { disruption: { maxUnavailable: { count: 1 } } } } },
    said: { 'web-1': down },
    text: 'Zone main lets 1 replica be away, 1 is: plumb status zone/main shows which',
  },
];

describe('why a replica may not move now', () => {
  for (const { name, text, ...otherwise } of cases) it(name, () => assert.equal(told(otherwise), text));
});
