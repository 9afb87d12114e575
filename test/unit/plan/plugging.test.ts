import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkSpec } from '../../../reconciler/model/catalog.ts';
import { formOf, plugOf } from '../../../reconciler/model/form.ts';
import type { RolloutRecord } from '../../../reconciler/model/release.ts';
import type { Assignment, Placement, Report } from '../../../reconciler/model/replica.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import type { PortSpec } from '../../../reconciler/model/resources.ts';
import { expand } from '../../../reconciler/plan/expand.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';

const HOSTS = hostsOf(2);

function placementsOf(apps: NonNullable<Sketch['apps']>): ReadonlyMap<string, Placement> {
  const { cpu, memory, pids } = resources(100);
  const ids = Object.entries(apps).flatMap(([app, { replicas = 1 }]) =>
    Array.from({ length: replicas }, (_, at) => ({
      app,
      replica: `${app}-${String(at)}`,
      host: `h${String((at % 2) + 1)}`,
    })),
  );
  const common = { zone: 'main', network: 'net', demand: { cpu, memory, pids }, epoch: 1 };
  return new Map(ids.map((one, at) => [one.replica, { ...common, ...one, address: `10.1.0.${String(10 + at)}` }]));
}

/** A fleet that is told and then does as it was told, but for replicas that fail once they are plugged in anew. */
class Story {
  previous = new Map<string, Assignment>();
  records: readonly RolloutRecord[] = [];
  now = 0;
  readonly failing = new Set<string>();
  readonly apps: NonNullable<Sketch['apps']>;
  constructor(apps: NonNullable<Sketch['apps']>) {
    this.apps = apps;
    for (let rounds = 0; rounds < 3; rounds += 1) this.pass({});
  }

  reports(mtu: number): readonly Report[] {
    return [...this.previous.values()].map(({ host, generation, replicas }) =>
      reportOf(
        host,
        {},
        {
          generation,
          replicas: replicas.map((one) => {
            const bad = this.failing.has(one.id) && this.mtuOf(one.id) === mtu;
            return {
              id: one.id,
              phase: 'Ready' as const,
              ready: !bad,
              restarts: 0,
              fingerprint: 'f',
              ...(bad ? { reason: 'ProbeFailed' } : {}),
              incarnation: incarnationOf(one),
              form: formOf(one),
            };
          }),
        },
      ),
    );
  }

  /** One pass; gives the replicas whose port has the MTU. */
  pass(net: Partial<NetworkSpec>, whole = false): readonly string[] {
    this.now += 1000;
    const { previous, records, now } = this;
    const catalog = catalogOf({ hosts: HOSTS, apps: this.apps, networks: { net } });
    const reports = this.reports(net.mtu ?? 1500);
    const placements = placementsOf(this.apps);
    const made = project({ catalog, author: 'Ann', placements, previous, reports, records, now, whole });
    if (!whole) {
      this.previous = new Map(made.assignments.map((assignment) => [assignment.host, assignment]));
      this.records = made.records;
    }
    const ports = made.assignments.flatMap((one) => expand(one).filter(({ ref }) => ref.startsWith('port/')));
    return ports
      .filter(({ spec }) => (spec as PortSpec).mtu === (net.mtu ?? 1500))
      .map(({ ref }) => ref.slice(5))
      .sort();
  }

  mtuOf(id: string): number | undefined {
    const ports = [...this.previous.values()].flatMap((one) => expand(one));
    return (ports.find(({ ref }) => ref === `port/${id}`)?.spec as PortSpec | undefined)?.mtu;
  }
}

describe('a change of a Network', () => {
  const apps = { web: { replicas: 3, level: 1 }, batch: { replicas: 2, level: 3 } };
  const all = ['batch-0', 'batch-1', 'web-0', 'web-1', 'web-2'];

  it('is tried by the least critical App on as many as it may miss; all go on once one serves with it', () => {
    const story = new Story(apps);
    assert.deepEqual(story.pass({ mtu: 9000 }), ['batch-0']);
    assert.deepEqual(story.pass({ mtu: 9000 }), ['batch-0', 'batch-1', 'web-0']);
    assert.deepEqual(story.pass({ mtu: 9000 }), ['batch-0', 'batch-1', 'web-0', 'web-1']);
    assert.deepEqual(story.pass({ mtu: 9000 }), all);
    for (const { replicas } of story.previous.values())
      for (const replica of replicas) assert.equal(replica.holds, undefined, 'nothing is held any more');
    const { previous } = story;
    story.pass({ mtu: 9000 });
    for (const [host, one] of previous) assert.equal(story.previous.get(host), one, 'at rest');
  });

  it('is proven by none that stands still, and waits for none', () => {
    const story = new Story({ web: { replicas: 2, level: 1 }, batch: { replicas: 2, level: 3, frozen: true } });
    story.failing.add('web-0');
    for (let rounds = 0; rounds < 3; rounds += 1) assert.deepEqual(story.pass({ mtu: 9000 }), ['web-0']);
    story.failing.clear();
    assert.deepEqual(story.pass({ mtu: 9000 }), ['batch-0', 'web-0', 'web-1']);
  });

  it('stays with those that do not serve with it, and goes back with the manifest', () => {
    const story = new Story(apps);
    story.failing.add('batch-0');
    for (let rounds = 0; rounds < 5; rounds += 1) assert.deepEqual(story.pass({ mtu: 9000 }), ['batch-0']);
    assert.deepEqual(story.pass({}), all);
  });

  it('is given up by an App with a rollout block, which keeps to what the Network was', () => {
    const rollout = { minReady: 0, progressDeadline: 3000, autoRevert: true };
    const story = new Story({ web: { replicas: 3, rollout } });
    story.failing.add('web-0');
    assert.deepEqual(story.pass({ mtu: 9000 }), ['web-0']);
    for (let rounds = 0; rounds < 8; rounds += 1) story.pass({ mtu: 9000 });
    assert.deepEqual(story.pass({ mtu: 9000 }), []);
    assert.equal(story.records[0]?.stage, 'reverted');
    assert.deepEqual(story.pass({ mtu: 8000 }), ['web-0'], 'another try');
  });

  it('of its rates reaches turn by turn, more of them faster', () => {
    const story = new Story({ web: { replicas: 4 } });
    const limited = (net: Partial<NetworkSpec>): number => {
      story.pass(net);
      const replicas = [...story.previous.values()].flatMap((one) => one.replicas);
      return replicas.filter(({ spec }) => spec.egress === net.egress).length;
    };
    assert.deepEqual(
      [1, 2, 3].map(() => limited({ egress: 1_000_000 })),
      [1, 2, 3],
    );
    limited({ egress: 1_000_000 });
    assert.deepEqual(
      [1, 2].map(() => limited({ egress: 2_000_000 })),
      [1, 4],
    );
  });

  it('keeps the old bridge on a host until nothing is plugged into it', () => {
    const story = new Story({ web: { replicas: 3 } });
    const bridges = (): readonly string[] => {
      const refs = [...story.previous.values()].flatMap((one) => expand(one).map(({ ref }) => `${one.host} ${ref}`));
      return refs.filter((ref) => ref.includes('bridge/')).sort();
    };
    story.pass({ bridge: 'br-new' });
    assert.deepEqual(bridges(), ['h1 bridge/br-int', 'h1 bridge/br-new', 'h2 bridge/br-int', 'h2 bridge/br-new']);
    for (let rounds = 0; rounds < 4; rounds += 1) story.pass({ bridge: 'br-new' });
    assert.deepEqual(bridges(), ['h1 bridge/br-new', 'h2 bridge/br-new']);
  });

  it('is shown whole in a plan', () => {
    assert.deepEqual(new Story({ web: {}, api: {} }).pass({ mtu: 9000 }, true), ['api-0', 'web-0']);
  });

  it('is seen also by what an older controller assigned, without a change of its own', () => {
    const story = new Story(apps);
    for (const [host, one] of story.previous)
      story.previous.set(host, { ...one, replicas: one.replicas.map(({ plug: _plug, ...replica }) => replica) });
    assert.deepEqual(story.pass({ mtu: 9000 }), [], 'they are told first how they are plugged in');
    assert.deepEqual(story.pass({ mtu: 9000 }), ['batch-0']);
  });

  it('of what does not reach replicas is none to them', () => {
    const { spec } = catalogOf({}).networks.get('net') ?? assert.fail();
    assert.equal(plugOf({ ...spec, quarantine: 1, uplink: 'eth9', egress: 5 }), plugOf(spec));
    assert.notEqual(plugOf({ ...spec, gateway: '10.1.0.1' }), plugOf(spec));
  });
});
