import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Book } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Proposal } from '../../../reconciler/model/reservations.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import type { PlaceResult } from '../../../reconciler/place/place.ts';
import type { Limits, Waiting } from '../../../reconciler/place/waiting.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { scene, told } from '../../support/crowded.ts';
import { NOW } from '../../support/placing.ts';
import { createRemembering, placeAlike, toldOf } from '../../support/remembering.ts';

const big = { level: 1, resources: resources(3500) };

/** A fleet of which somebody remembers who found no place. */
interface Crowd {
  /** Places, as it would without memory; `words` where these are compared as well. Commits all of it. */
  readonly pass: (sketch: Sketch, words?: boolean) => PlaceResult;
  readonly commit: (...proposals: readonly Proposal[]) => void;
  readonly book: Book;
  /** What was remembered at each turn in the last pass: the Apps, and at which hosts they were looked at again. */
  readonly asked: () => readonly string[];
  now: number;
}

function crowd(limits: Limits = {}): Crowd {
  const remembering = createRemembering(limits);
  const book = toldOf(createBook(), remembering);
  let asked: string[] = [];
  const still: Waiting['still'] = (apps, look) => {
    const at: string[] = [];
    const found = remembering.waiting.still(apps, (waiter, fresh) => {
      at.push(...fresh);
      return look(waiter, fresh);
    });
    if (found) asked.push([apps.map(({ name }) => name).join('+'), ...at].join(' '));
    return found;
  };
  const watched = { ...remembering, waiting: { ...remembering.waiting, still } };
  const commit = (...proposals: readonly Proposal[]): void =>
    book.apply(decide(book, { id: '', now: made.now, proposals }).deltas);
  const made: Crowd = {
    now: NOW,
    book,
    commit,
    asked: () => asked,
    pass: (sketch, words = true) => {
      const catalog = catalogOf(sketch);
      const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
      const hosts = hostViews(catalog, reports, book);
      asked = [];
      const input = { catalog, snapshot: book, hosts, reports, assignments: [], now: made.now };
      const result = placeAlike(input, watched, words);
      commit(...result.proposals);
      return result;
    },
  };
  return made;
}

const release = (replica: string, quarantineUntil = 0): Proposal => ({ op: 'release', replica, quarantineUntil });
const messageOf = ({ unplaceable }: PlaceResult): string => unplaceable.map(({ message }) => message).join();
const idsOf = ({ unplaceable }: PlaceResult): readonly string[] => unplaceable.map(({ replica }) => replica);

describe('an App that found no room', () => {
  it('is looked for again once one that has room for it with others is to go', () => {
    const before = { x: { level: 0, resources: resources(1000) }, y: { level: 3, resources: resources(3000) } };
    const { fleet, catalog, messages } = scene(before, 1);
    const after = catalog({ ...before, big });
    for (let more = 0; more < 3; more += 1) assert.match(messages(fleet.pass(after)), /^App big finds no host/);
    const { x: _gone, ...rest } = before;
    assert.deepEqual(told(fleet.pass(catalog({ ...rest, big }))), ['yield y-0 big-0']);
  });

  it('is looked for again once one is to go that errors in the repository kept', () => {
    const before = { x: { level: 0, resources: resources(1000) }, y: { level: 3, resources: resources(3000) } };
    const { fleet, catalog, messages, work } = scene(before, 1);
    const { x: _gone, ...rest } = before;
    const held = catalog({ ...rest, big }, { heldObjects: ['App/x'] });
    for (let more = 0; more < 3; more += 1) assert.match(messages(fleet.pass(held)), /^App big finds no host/);
    work('h1');
    assert.match(messages(fleet.pass(held)), /^App big finds no host/);
    assert.deepEqual(told(fleet.pass(catalog({ ...rest, big }))), ['yield y-0 big-0']);
  });

  it('is counted where it is, not where it was to be when nothing of that was committed', () => {
    const remembering = createRemembering();
    const book = createBook();
    const wide = { replicas: 2, spread: { host: 1 }, resources: resources(3500) };
    const catalog = catalogOf({ hosts: hostsOf(2), apps: { wide } });
    const reports = [reportOf('h1'), reportOf('h2', { cpu: 3000 })];
    const records = hostViews(catalog, reports, book).map(({ record }) => ({ op: 'host' as const, record }));
    toldOf(book, remembering).apply(decide(book, { id: '', now: NOW, proposals: records }).deltas);
    const input = {
      catalog,
      snapshot: book,
      hosts: hostViews(catalog, reports, book),
      reports,
      assignments: [],
      now: NOW,
    };
    for (let more = 0; more < 3; more += 1) {
      const { proposals, unplaceable } = placeAlike(input, remembering);
      assert.deepEqual(
        [proposals.map(({ op }) => op), unplaceable.map(({ replica }) => replica)],
        [['place'], ['wide-1']],
      );
    }
  });

  it('is asked for at no other hosts than those of which something has changed, and placed where that is room', () => {
    const { pass, commit, book, asked } = crowd();
    const hosts = hostsOf(4);
    const small = { level: 1, replicas: 4, spread: { host: 1 }, resources: resources(1000) };
    pass({ hosts, apps: { small } });
    const both = { hosts, apps: { small, big } };
    pass(both);
    for (let more = 0; more < 2; more += 1) {
      assert.deepEqual(idsOf(pass(both)), ['big-0']);
      assert.deepEqual(asked(), ['big']);
    }
    pass({ hosts, apps: { small: { ...small, image: 'other' }, big } });
    assert.deepEqual(asked(), ['big'], 'where a replica has another image nobody finds room by that');
    const { host } = book.placements.get('small-3') ?? assert.fail();
    commit(release('small-3'));
    assert.equal(pass(both).placements.get('big-0')?.host, host);
    assert.deepEqual(asked(), [], 'it may have room by then');
  });

  it('says of a host that has the room what Git says of it now', () => {
    const { pass } = crowd();
    const apps = { small: { level: 0, resources: resources(1000), hosts: { matchLabels: { small: 'yes' } } }, big };
    const hosts = (h1: object) => ({ h1, h2: { labels: { small: 'yes' } } });
    const drained = { hosts: hosts({ drain: true }), apps };
    for (let more = 0; more < 2; more += 1) assert.match(messageOf(pass(drained)), /h1 has the room, but is drained$/);
    assert.match(
      messageOf(pass({ hosts: hosts({ schedulable: false }), apps })),
      /h1 has the room, but is not schedulable$/,
    );
  });
});

describe('a gang that found no place', () => {
  const small = { level: 1, replicas: 2, spread: { host: 1 }, resources: resources(1000) };
  const pair = { a: { ...big, gang: 'job' }, b: { ...big, gang: 'job' } };

  it('is not looked for while nothing changes, and found a place once anything does', () => {
    const { pass, commit, asked } = crowd();
    const hosts = hostsOf(2);
    pass({ hosts, apps: { small } });
    const all = { hosts, apps: { small, ...pair } };
    pass(all);
    for (let more = 0; more < 3; more += 1) {
      assert.deepEqual(idsOf(pass(all)), ['a-0', 'b-0']);
      assert.deepEqual(asked(), ['a+b']);
    }
    commit(release('small-0'), release('small-1'));
    assert.deepEqual(idsOf(pass({ hosts, apps: pair })), []);
  });

  it('leaves others alone by what it tried', () => {
    const { pass, asked } = crowd();
    const hosts = hostsOf(2);
    pass({ hosts, apps: { small } });
    const tail = { ...big, gang: 'job', resources: resources(500) };
    const all = { hosts, apps: { small, ...pair, b: tail, c: { ...big, level: 2 } } };
    pass(all);
    pass(all);
    assert.deepEqual(asked(), ['a+b', 'c']);
  });

  it('waits for its turn where many have to be looked for whenever anything changes, those first that have waited longest', () => {
    const { pass, asked } = crowd({ turns: 1 });
    const hosts = hostsOf(2);
    const gangs = { a: { ...big, gang: 'one' }, b: { ...big, gang: 'two' } };
    const crowded = { small, ...gangs };
    pass({ hosts, apps: { small } });
    pass({ hosts, apps: crowded });
    pass({ hosts, apps: crowded });
    assert.deepEqual(asked(), ['a', 'b']);
    const rest = { hosts, apps: { ...gangs, small: { ...small, resources: resources(1200) } } };
    const turns: (readonly string[])[] = [];
    for (let more = 0; more < 5; more += 1) {
      pass(rest, false);
      turns.push(asked());
    }
    // once in the pass that changes something, and once in the next, which cannot know what came of that
    assert.deepEqual(turns, [['b'], ['a'], ['b'], ['a', 'b'], ['a', 'b']]);
  });
});

describe('an App that is to be near to others, or apart from them', () => {
  it('is not looked for while nothing changes, and found a place once anything does', () => {
    const { pass, commit, asked } = crowd();
    const hosts = hostsOf(2);
    const web = { antiAffinity: [{ app: 'db', within: 'host' as const, required: true }] };
    const all = { hosts, apps: { db: { level: 0, replicas: 2, spread: { host: 1 } }, web } };
    pass(all);
    pass(all);
    assert.deepEqual(idsOf(pass(all)), ['web-0']);
    assert.deepEqual(asked(), ['web']);
    commit(release('db-1'));
    const { host } = pass({ ...all, apps: { ...all.apps, db: { level: 0 } } }).placements.get('web-0') ?? {};
    assert.ok(host);
  });
});

describe('an App whose Network has no address left', () => {
  const networks = {
    net: {},
    few: { vlan: 20, cidr: '10.2.0.0/16', pool: [['10.2.0.10', '10.2.0.11']] as const, quarantine: 5_000 },
  };
  const sketch = {
    hosts: hostsOf(4),
    networks,
    apps: { few: { network: 'few', replicas: 2 }, more: { network: 'few', level: 3, resources: resources(1000) } },
  };

  it('is not looked for on hosts until there may be one, and says how many there are', () => {
    const all = crowd();
    const { pass, commit, asked } = all;
    pass(sketch);
    pass(sketch);
    assert.deepEqual(idsOf(pass(sketch)), ['more-0']);
    assert.deepEqual(asked(), ['more']);
    const { few, more } = sketch.apps;
    const fewer = { ...sketch, apps: { few: { ...few, replicas: 1 }, more } };
    commit(release('few-1', all.now + 5_000));
    assert.match(messageOf(pass(fewer)), /2 wanted, 2 there, 1 in use, 1 resting, the first until/);
    pass(fewer);
    assert.deepEqual(asked(), ['more']);
    all.now += 5_000;
    assert.deepEqual(idsOf(pass(fewer)), []);
  });

  it('is told what it lacks besides once the host has the room no more', () => {
    const { pass } = crowd();
    for (let more = 0; more < 3; more += 1) assert.match(messageOf(pass(sketch)), /^Network few has no address left/);
    const x = { level: 0, replicas: 4, spread: { host: 1 }, resources: resources(3500) };
    const full = { ...sketch, apps: { ...sketch.apps, x } };
    for (let more = 0; more < 3; more += 1) assert.match(messageOf(pass(full)), /^App more finds no host/);
  });
});

describe('Apps of which more is to be remembered than there is room for', () => {
  it('are placed as soon as there is room, and their words are made anew in turns', () => {
    const { pass, commit, asked } = crowd({ rows: 0, turns: 1 });
    const hosts = hostsOf(2);
    const small = { level: 1, replicas: 2, spread: { host: 1 }, resources: resources(1000) };
    const wide = { ...big, level: 2 };
    const apps = { small, big, wide };
    pass({ hosts, apps: { small } });
    pass({ hosts, apps });
    pass({ hosts, apps });
    assert.deepEqual(asked(), ['big', 'wide']);
    const other = { ...small, resources: resources(1200) };
    const lacks = (result: PlaceResult): readonly boolean[] =>
      result.unplaceable.map(({ message }) => message.includes('lacks 700m CPU'));
    const grown = { hosts, apps: { ...apps, small: other } };
    const seen: (readonly boolean[])[] = [];
    for (let more = 0; more < 4; more += 1) seen.push(lacks(pass(grown, false)));
    assert.deepEqual(seen.at(-1), [true, true]);
    assert.ok(
      seen.some((some) => some.includes(false) && some.includes(true)),
      JSON.stringify(seen),
    );
    commit(release('small-0'), release('small-1'));
    const { small: _gone, ...rest } = apps;
    assert.deepEqual(idsOf(pass({ hosts, apps: rest }, false)), []);
  });
});
