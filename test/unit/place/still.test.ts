import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { AppSpec } from '../../../reconciler/model/catalog.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { AddressRecord, Delta } from '../../../reconciler/model/reservations.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import { startRun } from '../../../reconciler/place/run.ts';
import { stillNowhere } from '../../../reconciler/place/still.ts';
import type { PlaceInput } from '../../../reconciler/place/input.ts';
import { catalogOf, reportOf, resources } from '../../support/catalog.ts';
import { NOW } from '../../support/placing.ts';
import { createRemembering, toldOf } from '../../support/remembering.ts';

/** `high-1@h2 1500`: what a replica takes of the CPU of a host; without a host it is gone. */
type Move = `${'high' | 'low'}-${number}${'' | `@${string} ${number}`}`;

/** What changes after an App has found no place, and what is said of it then. */
interface Case {
  readonly name: string;
  /** What differs from an App of level 1 that asks for 3 of 4 cores. */
  readonly app?: Partial<AppSpec>;
  /** What runs besides `AT`. */
  readonly there?: readonly Move[];
  readonly then?: readonly Move[];
  /** What the book says of addresses by then; at first all of Network few are owned. */
  readonly addresses?: Readonly<Record<string, AddressRecord | undefined>>;
  /** The very words, those that a look at everything finds now, or nothing: it has to be looked for. */
  readonly said: 'as before' | 'anew' | 'nothing';
}

/** What runs: h2 comes nearest with 2.5 cores, h1 has 2 and h3 has 1. */
const AT: readonly Move[] = ['high-1@h1 2000', 'high-2@h2 1500', 'high-3@h3 3000', 'high-4@h4 4000'];

const cases: readonly Case[] = [
  { name: 'nothing', said: 'as before' },
  { name: 'less room on a host that is not the nearest', then: ['high-5@h3 500'], said: 'as before' },
  { name: 'more there, and another is still nearer', then: ['high-3@h3 2500'], said: 'as before' },
  { name: 'less room on the nearest', then: ['high-5@h2 100'], said: 'anew' },
  { name: 'another that comes nearer', then: ['high-1@h1 1200'], said: 'anew' },
  { name: 'another that comes as near, and is the first by name', then: ['high-1@h1 1500'], said: 'anew' },
  { name: 'room on one', then: ['high-1'], said: 'nothing' },
  { name: 'a less critical one with as much as is missing', then: ['high-1@h1 900', 'low-1@h1 1100'], said: 'nothing' },
  { name: 'a less critical one with less', then: ['high-3@h3 2500', 'low-1@h3 400'], said: 'as before' },
  {
    name: 'a more critical one where a less critical one was',
    there: ['low-1@h3 500'],
    then: ['low-1', 'high-5@h3 500'],
    said: 'as before',
  },
  { name: 'a host that is drained and has the room by now', then: ['high-4'], said: 'anew' },
  { name: 'a host that is drained and has some', then: ['high-4@h4 2000'], said: 'as before' },
  {
    name: 'room where a limit of its spread is reached',
    app: { replicas: 2, spread: { host: 1 }, resources: resources(1900) },
    there: ['high-1@h1 2200'],
    then: ['high-2'],
    said: 'anew',
  },
  {
    name: 'room for cores of its own',
    app: { resources: { ...resources(3000), pinned: true } },
    then: ['high-1'],
    said: 'nothing',
  },
  {
    name: 'nothing, where its Network has no address',
    app: { network: 'few', resources: resources(2000) },
    said: 'as before',
  },
  {
    name: 'another host than the one with the room',
    app: { network: 'few', resources: resources(2000) },
    then: ['high-5@h3 500'],
    said: 'as before',
  },
  {
    name: 'the host with the room, which has no address',
    app: { network: 'few', resources: resources(2000) },
    then: ['high-5@h2 100'],
    said: 'nothing',
  },
  {
    name: 'an address that comes to rest',
    app: { network: 'few', resources: resources(2000) },
    addresses: { '10.2.0.10': { until: NOW + 1000 } },
    said: 'anew',
  },
  {
    name: 'an address that is free',
    app: { network: 'few', resources: resources(2000) },
    addresses: { '10.2.0.10': undefined },
    said: 'nothing',
  },
];

function deltasOf(moves: readonly Move[]): readonly Delta[] {
  return moves.map((move) => {
    const [, replica = '', app = '', ordinal = '', host, cpu] = /^((\w+)-(\d+))(?:@(\w+) (\d+))?$/.exec(move) ?? [];
    const demand = { cpu: Number(cpu), memory: 0, pids: 0 };
    const rest = { zone: 'main', network: 'net', address: `10.1.${app === 'low' ? '1' : '0'}.${ordinal}`, epoch: 1 };
    return {
      type: 'placement',
      replica,
      placement: host === undefined ? undefined : { replica, app, host, demand, ...rest },
    };
  });
}

function holds({ app = {}, there = [], then = [], addresses = {}, said }: Case): void {
  const big: Partial<AppSpec> = { level: 1, resources: resources(3000), ...app };
  const hosts = { h1: {}, h2: {}, h3: {}, h4: { drain: true } };
  const others = { high: { level: 0, replicas: 9 }, low: { level: 3, replicas: 9 } };
  const few = { vlan: 20, cidr: '10.2.0.0/16', pool: [['10.2.0.10', '10.2.0.11']] as const };
  const catalog = catalogOf({ hosts, networks: { net: {}, few }, apps: { ...others, big } });
  const reports = Object.keys(hosts).map((host) => reportOf(host, { node0: 4 }));
  const remembering = createRemembering();
  const { waiting } = remembering;
  const book = toldOf(createBook(), remembering);
  for (const { record } of hostViews(catalog, reports, book)) book.apply([{ type: 'host', host: record.host, record }]);
  for (const address of ['10.2.0.10', '10.2.0.11'])
    book.apply([{ type: 'address', key: `few/${address}`, record: { replica: 'x-0' } }]);
  book.apply(deltasOf([...AT, ...there]));
  const scope = { apps: new Set(['big']), hosts: new Set<string>() };
  const views = hostViews(catalog, reports, book);
  const input: PlaceInput = { catalog, snapshot: book, hosts: views, reports, assignments: [], now: NOW, scope };
  // once more, for what is placed of it in the first
  for (let more = 0; more < 2; more += 1)
    book.apply(decide(book, { id: '', now: NOW, proposals: place(input, undefined, waiting).proposals }).deltas);
  const [first] = place(input).unplaceable;
  assert.ok(first, 'it found no place');
  book.apply(deltasOf(then));
  for (const [address, record] of Object.entries(addresses))
    book.apply([{ type: 'address', key: `few/${address}`, record }]);
  const resource = catalog.apps.get('big') ?? assert.fail();
  const why = stillNowhere(startRun(input, undefined, waiting), resource);
  const [anew] = place(input).unplaceable;
  if (said === 'nothing') {
    assert.equal(why, undefined);
    return;
  }
  assert.ok(why, 'it is remembered');
  assert.deepEqual([why.message, why.reasons], [anew?.message, anew?.reasons], 'as a look at everything says');
  assert.equal(why.message === first.message, said === 'as before', why.message);
}

describe('what is said of an App that found no place after', () => {
  for (const one of cases)
    it(one.name, () => {
      holds(one);
    });
});
