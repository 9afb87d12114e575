import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createInterning } from '../../../reconciler/loop/interning.ts';
import type { TuningSpec } from '../../../reconciler/model/catalog.ts';
import { HOST_MEMORY, RECLAIM_KEY } from '../../../reconciler/model/memory.ts';
import type { Assignment, Report } from '../../../reconciler/model/replica.ts';
import { createWhereabouts } from '../../../reconciler/model/whereabouts.ts';
import { knobsChanged, knobTurns, type KnobTurns } from '../../../reconciler/plan/knobs.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, reportOf, type Sketch } from '../../support/catalog.ts';

const names = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `h${String(n).padStart(2, '0')}`);

/** Hosts that were told something once, and a Tuning of theirs that changes. */
class Fleet {
  readonly told = new Map<string, Assignment>();
  readonly said = new Map<string, Report>();
  readonly lost = new Set<string>();
  hosts: NonNullable<Sketch['hosts']>;
  turns: KnobTurns | undefined;

  constructor(count: number, zones = 1) {
    const pools = names(count).map((host, n) => [host, { labels: { pool: `z${String(n % zones)}` } }] as const);
    this.hosts = Object.fromEntries(pools);
    this.zones = Object.fromEntries(
      Array.from({ length: zones }, (_, n) => [`z${String(n)}`, { hosts: { matchLabels: { pool: `z${String(n)}` } } }]),
    );
    this.pass({});
    for (const host of this.told.keys()) this.say(host);
  }
  readonly zones: NonNullable<Sketch['zones']>;

  /** A pass of a controller; gives the hosts that are told something new. */
  pass(sysctls: Readonly<Record<string, string>>, knobs: TuningSpec['knobs'] = []): readonly string[] {
    const catalog = catalogOf({ hosts: this.hosts, zones: this.zones, tunings: { t: { sysctls, knobs } } });
    const previous = new Map(this.told);
    const seen = { previous, reports: [...this.said.values()], lost: this.lost, now: 0 };
    const at = createWhereabouts([], previous.values(), this.said.values());
    this.turns = knobTurns({ catalog, at, lost: this.lost, hosts: [...catalog.hosts.keys()], whole: false });
    const { assignments } = project({ catalog, author: '', placements: new Map(), ...seen });
    const fresh = assignments.filter((one) => previous.get(one.host) !== one);
    for (const one of fresh) this.told.set(one.host, one);
    return fresh.map(({ host }) => host);
  }

  /** A host has done what it was told, or as `change` says. */
  say(host: string, change: Partial<Report> = {}): void {
    const generation = this.told.get(host)?.generation ?? 0;
    const ready = { type: 'Ready', status: true, reason: '', message: '', observedGeneration: generation } as const;
    const report = reportOf(host, {}, { generation, conditions: [ready], ...change });
    // as a controller keeps it
    this.said.set(host, createInterning().report(report, createWhereabouts([], this.told.values())));
  }

  /** Everybody does what it was told, pass by pass; gives how many were told something in each. */
  finish(sysctls: Readonly<Record<string, string>>): readonly number[] {
    const counts: number[] = [];
    for (let fresh = this.pass(sysctls); fresh.length > 0; fresh = this.pass(sysctls)) {
      counts.push(fresh.length);
      for (const host of fresh) this.say(host);
    }
    return counts;
  }
}

const X = { 'vm.swappiness': '1' };

describe('knobs of many hosts', () => {
  it('go to one host first, then to a tenth of its Zone at a time', () => {
    const fleet = new Fleet(31);
    assert.deepEqual(fleet.finish(X), [1, ...Array.from({ length: 10 }, () => 3)]);
    assert.deepEqual([fleet.turns?.waiting.size, fleet.turns?.why], [0, undefined]);
    assert.ok([...fleet.told.values()].every(({ tuning }) => tuning[0]?.value === '1'));
  });

  it('wait for the first to show that it does well with it', () => {
    const fleet = new Fleet(12);
    assert.deepEqual(fleet.pass(X), ['h00']);
    assert.deepEqual(fleet.pass(X), [], 'nothing is heard of it');
    assert.equal(
      fleet.turns?.why,
      'knobs of 11 hosts wait: h00 tries sysctl/vm.swappiness = 1, and has yet to show that it does well with it',
    );
    fleet.say('h00', {
      conditions: [{ type: 'Stalled', status: true, reason: '', message: '', observedGeneration: 2 }],
    });
    assert.deepEqual(fleet.pass(X), [], 'something fails there');
    fleet.say('h00', { conditions: [] });
    assert.deepEqual(fleet.pass(X), [], 'it has taken it in, and not done it');
    fleet.lost.add('h00');
    fleet.say('h00');
    assert.deepEqual(fleet.pass(X), [], 'it is lost');
    fleet.lost.clear();
    assert.deepEqual(fleet.pass(X), ['h01']);
    assert.deepEqual(fleet.pass({}), [], 'h01 has yet to take in what it was told');
    fleet.say('h01');
    assert.deepEqual(fleet.finish({}), [1, 1], 'what is taken back needs no trial, but goes in turns as well');
  });

  it('believe what a host sees of a knob while something else of it is not Ready', () => {
    const fleet = new Fleet(12);
    fleet.pass(X);
    const seen = (value: string): Partial<Report> => ({
      conditions: [],
      observed: [{ known: true, ref: 'sysctl/vm.swappiness', owned: true, state: { value } }],
    });
    fleet.say('h00', seen('60'));
    assert.deepEqual(fleet.pass(X), []);
    fleet.say('h00', seen('1'));
    assert.deepEqual(fleet.pass(X), ['h01']);
  });

  it('go to no more than a tenth while hosts are at work on it, though they have taken it in', () => {
    const fleet = new Fleet(40);
    fleet.pass(X);
    fleet.say('h00');
    const seen = (value: string, owned = true): Partial<Report> => ({
      conditions: [],
      observed: [{ known: true, ref: 'sysctl/vm.swappiness', owned, state: { value } }],
    });
    const some = fleet.pass(X);
    assert.equal(some.length, 4);
    for (const host of some) fleet.say(host, seen('60'));
    assert.deepEqual(fleet.pass(X), []);
    assert.match(fleet.turns?.why ?? '', /: 4 hosts of Zone z0 have yet to do what they were told$/);
    const [first = '', second = '', third = ''] = some;
    fleet.say(first, seen('1'));
    const lacking = { ref: 'sysctl/vm.swappiness', path: '/value', state: 'Refused', why: '' } as const;
    fleet.say(second, { ...seen('60'), limitations: [lacking] });
    const more = fleet.pass(X);
    assert.equal(more.length, 2, 'one has it, and one cannot');
    for (const host of [...some, ...more]) fleet.say(host);
    // taken back, which needs no trial
    const back = fleet.pass({});
    assert.equal(back.length, 4);
    for (const host of back) fleet.say(host, seen('1'));
    assert.deepEqual(fleet.pass({}), []);
    fleet.say(back[0] ?? third, seen('60', false));
    assert.equal(fleet.pass({}).length, 1);
  });

  it('count a rule of what is given back as held once its host knows it, and as not where it cannot give back', () => {
    const rule = { key: RECLAIM_KEY, value: 'above 20% for 5m, once in 1h', pointer: '/spec/memory/reclaim/slab' };
    const fleet = new Fleet(40);
    fleet.pass({}, [rule]);
    const lacking = { ref: HOST_MEMORY, path: '/above', state: 'Unsupported', why: '' } as const;
    fleet.say('h00', { limitations: [lacking] });
    assert.deepEqual(fleet.pass({}, [rule]), ['h01'], 'h00 proves nothing');
    assert.deepEqual(fleet.pass({}, [rule]), [], 'h01 has yet to take it in');
    fleet.say('h01', { conditions: [] });
    assert.equal(fleet.pass({}, [rule]).length, 4, 'something else of h01 is not Ready');
  });

  it('go on, one host at a time, where one cannot hold it', () => {
    const fleet = new Fleet(40);
    fleet.pass(X);
    const lacking = { ref: 'sysctl/vm.swappiness', path: '/value', state: 'Unsupported', why: '' } as const;
    fleet.say('h00', { limitations: [lacking] });
    assert.deepEqual(fleet.pass(X), ['h01']);
    fleet.say('h01');
    assert.equal(fleet.pass(X).length, 4);
  });

  it('wait for a host that is kept from it by somebody else', () => {
    const fleet = new Fleet(12);
    fleet.pass(X);
    const other = { ref: 'sysctl/vm.swappiness', path: '/value', state: 'Drifted', why: 'a fight' } as const;
    fleet.say('h00', { limitations: [other] });
    assert.deepEqual(fleet.pass(X), []);
  });

  it('are tried on a host that does well, and another value is another trial', () => {
    const fleet = new Fleet(12);
    fleet.said.delete('h00');
    fleet.lost.add('h01');
    assert.deepEqual(fleet.pass(X), ['h02']);
    fleet.say('h02');
    assert.deepEqual(fleet.pass({ 'vm.swappiness': '2' }), ['h02']);
    assert.deepEqual(fleet.pass({ 'vm.swappiness': '2' }), []);
  });

  it('go in each Zone by its own share, after one trial for all', () => {
    const fleet = new Fleet(40, 2);
    assert.deepEqual(fleet.finish(X).slice(0, 3), [1, 4, 4]);
  });

  it('come at once to a host that was never told anything, and in a plan of the whole', () => {
    const fleet = new Fleet(12);
    fleet.pass(X);
    fleet.hosts = { ...fleet.hosts, new1: { labels: { pool: 'z0' } } };
    assert.deepEqual(fleet.pass(X), ['new1']);
    const catalog = catalogOf({ hosts: fleet.hosts, tunings: { t: { sysctls: X } } });
    const at = createWhereabouts([], fleet.told.values(), fleet.said.values());
    const whole = knobTurns({ catalog, at, lost: new Set(), hosts: names(12), whole: true });
    assert.deepEqual([whole.waiting.size, whole.of('h11')[0]?.value], [0, '1']);
    const all = project({
      catalog,
      author: '',
      placements: new Map(),
      previous: fleet.told,
      reports: [],
      now: 0,
      whole: true,
    });
    assert.equal(knobsChanged(fleet.told, all.assignments), 11, 'h00 and new1 have them');
  });
});
