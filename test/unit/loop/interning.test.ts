import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createInterning } from '../../../reconciler/loop/interning.ts';
import { formOf } from '../../../reconciler/model/form.ts';
import { foreign } from '../../../reconciler/model/protocol.ts';
import type { Observed } from '../../../reconciler/model/change.ts';
import type { Assignment, Placement, Report } from '../../../reconciler/model/replica.ts';
import { createWhereabouts } from '../../../reconciler/model/whereabouts.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf } from '../../support/catalog.ts';

const catalog = catalogOf({ hosts: hostsOf(1), apps: { web: { replicas: 2 } } });

function placementOf(ordinal: number): Placement {
  const demand = { cpu: 100, memory: 2 ** 26, pids: 16 };
  const address = `10.1.0.${String(10 + ordinal)}`;
  const replica = `web-${String(ordinal)}`;
  return { replica, app: 'web', zone: 'main', host: 'h1', network: 'net', address, demand, epoch: 1 };
}

const placements = new Map([placementOf(0), placementOf(1)].map((one) => [one.replica, one]));

/** As it comes over a wire: nothing of it is shared. */
function told(): Assignment {
  const { assignments } = project({ catalog, author: '', placements, previous: new Map(), reports: [], now: 0 });
  return JSON.parse(JSON.stringify(assignments[0])) as Assignment;
}

function said(forms: readonly (string | undefined)[]): Report {
  const replicas = forms.map((form, at) => ({
    id: `web-${String(at)}`,
    phase: 'Ready' as const,
    ready: true,
    restarts: 0,
    ...(form === undefined ? {} : { form }),
  }));
  const observed = forms.map((_, at) => ({
    known: true as const,
    ref: `cgroup/web-${String(at)}` as const,
    owned: true,
    state: { memory: 7, pids: 3 },
  }));
  return reportOf('h1', {}, { replicas, observed });
}

it('makes one object of what Git says of an App and what hosts were told of it', () => {
  const [web] = [...catalog.apps.values()];
  const at = createWhereabouts(placements);
  const assignment = createInterning(catalog).assignment(told(), at);
  assert.deepEqual(assignment, told());
  const [first, second] = assignment.replicas;
  assert.equal(first?.spec, second?.spec);
  assert.deepEqual(first?.spec, web?.spec);
  assert.equal(first?.placement, placements.get('web-0'));
  const another = createInterning(catalog).assignment(told(), at).replicas[0];
  for (const part of ['spec', 'origin', 'fields'] as const)
    assert.equal(another?.[part], first?.[part], `another interning finds the same ${part} in the catalog`);
});

it('keeps what cgroups hold replicas to where that does not follow from their form', () => {
  const at = createWhereabouts(placements);
  const assignment = told();
  const form = formOf(assignment.replicas[0] ?? assert.fail());
  const refs = (report: Report): readonly string[] =>
    createInterning()
      .report(report, at)
      .observed.map(({ ref }) => ref);
  assert.deepEqual(refs(said([form, form])), ['cgroup/web-0', 'cgroup/web-1'], 'nobody knows what it was told');
  at.assign(assignment);
  assert.deepEqual(refs(said([form, form])), []);
  assert.deepEqual(refs(said([form, 'other'])), ['cgroup/web-1']);
  assert.deepEqual(refs(said([undefined, form])), ['cgroup/web-0']);
});

it('keeps what a Tuning sets while its host is not Ready, once for all hosts that say the same', () => {
  const origin = { revision: 'r', file: 't.yaml', line: 1, column: 1 };
  const tuning = [{ kind: 'sysctl', key: 'vm.swappiness', value: '1', origin }] as const;
  const at = createWhereabouts(placements, [{ ...told(), tuning }]);
  const item = (ref: `sysctl/${string}`, owned: boolean) =>
    ({ known: true, ref, owned, state: { value: '60', from: 'the kernel' } }) as const;
  const observed = [item('sysctl/vm.swappiness', false), item('sysctl/kernel.panic', true), item('sysctl/fs.x', false)];
  const interning = createInterning();
  const kept = (status: boolean): Report['observed'] => {
    const ready = { type: 'Ready', status, reason: '', message: '', observedGeneration: 1 } as const;
    return interning.report(reportOf('h1', {}, { observed, conditions: [ready] }), at).observed;
  };
  assert.deepEqual(kept(true), []);
  const [asked, owned, ...others] = kept(false);
  assert.deepEqual(asked, { known: true, ref: 'sysctl/vm.swappiness', owned: false, state: { value: '60' } });
  assert.equal(owned?.ref, 'sysctl/kernel.panic');
  assert.deepEqual(others, []);
  assert.equal(kept(false)[0], asked);
});

it('keeps no text of what replicas said that they ran once they were told something else', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const at = createWhereabouts(placements);
  const interning = createInterning();
  const changeTo = (image: string): Report => {
    const { replicas, ...rest } = told();
    at.assign({ ...rest, replicas: replicas.map((one) => ({ ...one, spec: { ...one.spec, image } })) });
    const report = said([image, image]);
    const running = { ...report, replicas: report.replicas.map((one) => ({ ...one, image })) };
    return interning.report(JSON.parse(JSON.stringify(running)) as Report, at);
  };
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  let last = changeTo('first');
  const before = used();
  for (let nth = 0; nth < 2000; nth += 1) last = changeTo(`${String(nth)}${'x'.repeat(10_000)}`);
  const more = used() - before;
  assert.match(last.replicas[1]?.image ?? '', /^1999x+$/);
  assert.ok(more < 5_000_000, `${String(more)} bytes more are in use`);
});

it('takes a Report of which nothing can be made for none', () => {
  const stateless = JSON.parse('{"known":true,"ref":"cgroup/web-0","owned":true}') as Observed;
  const at = createWhereabouts(placements);
  const report = createInterning().report(reportOf('h1', {}, { generation: 7, observed: [stateless] }), at);
  assert.match(foreign(report) ?? '', /^what is stored as the Report of h1 is none \(TypeError: .*see who signs in/);
  assert.deepEqual([report.host, report.generation, report.observed], ['h1', 7, []]);
});
