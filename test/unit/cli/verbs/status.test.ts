import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scoped } from '../../../../cli/status-scope.ts';
import { renderStatus } from '../../../../cli/verbs/status.ts';
import type { Io } from '../../../../cli/io.ts';
import type { HostStatus, Status, StatusItem } from '../../../../reconciler/loop/status/status.ts';

const io = { color: false } as Io;
const ILL = { sync: 'OutOfSync', health: 'Degraded', reason: 'CrashLoop: ended' } as const;

function item(n: number, change: Partial<StatusItem> = {}): StatusItem {
  const base = {
    ref: `replica/web-${String(n)}`,
    host: 'h1',
    sync: 'Synced',
    health: 'Healthy',
    reason: 'Ready',
  } as const;
  return { ...base, ...change };
}

/** Host n of a fleet with ten racks of a hundred hosts to a zone, five racks to a switch. */
function host(n: number, change: Partial<HostStatus> = {}): HostStatus {
  const rack = Math.floor(n / 100);
  return {
    host: `h${String(n)}`,
    zone: `z${String(Math.floor(rack / 10))}`,
    rack: `r${String(rack)}`,
    switch: `s${String(Math.floor(rack / 5))}`,
    state: 'open',
    epoch: 1,
    allocatable: { cpu: 10_000, memory: 2 ** 30, pids: 100 },
    used: { cpu: 2500, memory: 2 ** 29, pids: 10 },
    ...change,
  };
}

function status(items: readonly StatusItem[], change: Partial<Status> = {}): Status {
  const nothing = { hosts: [], problems: 0, limitations: [], held: [], messages: [], draining: [] };
  return { version: 1, revision: 'abcdef0123', sync: 'Synced', health: 'Healthy', items, ...nothing, ...change };
}

const text = (of: Status, part?: string, all = false): string => renderStatus(scoped(of, part), io, all);
const replicas = (shown: string): readonly string[] => shown.split('\n').filter((line) => line.startsWith('web-'));

describe('a reason that is long', () => {
  const reason = `ImageUnavailable: ${'registry said\n\t no; '.repeat(40)}`;
  const of = status([item(0, { health: 'Degraded', reason })], {
    messages: [`web-0${reason.slice('ImageUnavailable'.length)}`],
  });
  it('takes one line of a hundred columns, and is whole in JSON', () => {
    const [line = ''] = replicas(text(of));
    assert.match(line, /ImageUnavailable: registry said no; .*…$/);
    assert.equal(line.slice(line.indexOf('ImageUnavailable')).length, 100);
    assert.equal(text(of).split('\n').length, 5, 'it is told once');
    assert.equal(scoped(of, undefined).status.items[0]?.reason, reason);
  });
});

it('says why the controller cannot go on, of a part too', () => {
  const of = status([item(0)], { failing: 'no manifest [TREE_EMPTY]' });
  const line = 'the last pass of the controller failed, and all stays as it was before: no manifest [TREE_EMPTY]';
  for (const part of [undefined, 'app/web']) assert.equal(text(of, part).split('\n')[1], line);
  assert.equal(scoped(of, 'app/web').status.sync, 'OutOfSync');
});

describe('a status on a narrow terminal', () => {
  const of = status([
    item(0, {
      ...ILL,
      address: '10.10.0.12',
      restarts: 3,
      image: 'plumbline/busybox:1',
      reason: 'CrashLoop: ended with 1',
    }),
  ]);
  for (const { width, head } of [
    { width: 140, head: 'REPLICA HOST ADDRESS SYNC HEALTH RESTARTS IMAGE STATE' },
    { width: 80, head: 'REPLICA HOST ADDRESS SYNC HEALTH RESTARTS STATE' },
    { width: 60, head: 'REPLICA HOST SYNC HEALTH STATE' },
    { width: 40, head: 'REPLICA HEALTH STATE' },
    { width: 30, head: 'REPLICA STATE' },
  ])
    it(`of ${String(width)} columns still tells which replica it is and how it is`, () => {
      const lines = renderStatus(scoped(of, undefined), io, false, width).split('\n');
      const [title = '', row = ''] = lines.slice(2);
      assert.equal(title.split(/ +/).join(' '), head);
      assert.match(row, /^web-0 .*CrashLoop: ended/);
      assert.ok(row.length <= width);
    });
});

describe('a status of many replicas', () => {
  const many = Array.from({ length: 200 }, (_, n) => item(n));
  it('shows those that are not well first, and counts the rest', () => {
    const shown = text(status([...many, item(200, ILL)]));
    assert.equal(replicas(shown).length, 50);
    assert.match(replicas(shown)[0] ?? '', /^web-200 .*CrashLoop/);
    assert.match(shown, /… and 151 more, all Synced and Healthy: --all shows them/);
    const all = Array.from({ length: 60 }, (_, n) => item(n, ILL));
    assert.match(text(status(all)), /… and 10 more, 10 of them not well: --all shows them/);
  });
  it('shows all when asked to, or when they are few', () => {
    assert.equal(replicas(text(status(many), undefined, true)).length, 200);
    assert.equal(replicas(text(status(many.slice(0, 50)))).length, 50);
  });
});

describe('a status of 6,000 hosts', () => {
  const knobs = { InSync: 9, Drifted: 0, Unsupported: 1, Refused: 0, NeedsRestart: 0 };
  const hosts = Array.from({ length: 6000 }, (_, n) => host(n, n === 5500 ? { lost: true } : { knobs }));
  const items = Array.from({ length: 30_000 }, (_, n) =>
    item(n, { host: `h${String(n % 6000)}`, ...(n === 1234 ? ILL : {}) }),
  );
  const messages = Array.from({ length: 3000 }, (_, n) => `host h${String(n)} is not heard of since today`);
  const limitations = hosts.map(({ host: on }) => ({
    host: on,
    ref: 'sysctl/vm.x' as const,
    path: '/value',
    state: 'Unsupported' as const,
    why: 'no such knob',
  }));
  const held = Array.from({ length: 40 }, (_, n) => `App a${String(n)} waits`);
  const fleet = status(items, { hosts, messages, limitations, held, sync: 'OutOfSync', health: 'Degraded' });
  for (const part of [undefined, 'zone/z0', 'switch/s0', 'rack/r12', 'host/h1234', 'app/web'])
    it(`is one screen for ${part ?? 'the fleet'}`, () => {
      const lines = text(fleet, part).split('\n');
      assert.ok(lines.length <= 50, String(lines.length));
    });

  it('tells the largest parts, those with trouble first, and what is not well in them', () => {
    const shown = text(fleet);
    assert.match(shown, /\n6000 hosts, 1 lost; reserved: CPU 15000 of 60000, memory 2.9Ti of 5.8Ti, /);
    const rows = shown.split('\n').filter((line) => /^z\d /.test(line));
    assert.deepEqual(
      rows.map((line) => line.split(/ +/).join(' ')),
      [
        'z1 1000 0 0 5000 1 25% 50%',
        'z5 1000 1 0 5000 0 25% 50%',
        ...['z0', 'z2', 'z3', 'z4'].map((z) => `${z} 1000 0 0 5000 0 25% 50%`),
      ],
    );
    assert.equal(replicas(shown).length, 1);
    assert.match(shown, /\n… and 29999 more, all Synced and Healthy: --all shows them\n/);
    assert.match(shown, /\nknobs: 53991 InSync, 5999 Unsupported\n/);
    assert.match(shown, /\nUnsupported: \/value of sysctl\/vm\.x: no such knob \(h0 and 5999 other hosts\)\n/);
    assert.match(shown, /\n… and 35 more such lines: --all shows them\n/);
    assert.match(shown, /\n… and 2995 more such lines: --all shows them\n/);
    assert.match(text(fleet, 'zone/z5'), /\nSWITCH +HOSTS/);
    assert.match(text(fleet, 'switch/s11'), /\nr55 +100 +1 /);
    assert.match(text(fleet, 'rack/r55'), /\nHOST .*\nh5500 +1 +1 .*\n(.*\n){11}… and 88 more, all well: --all/);
    assert.match(text(fleet, 'app/web'), /\nSWITCH +HOSTS/);
  });

  it('tells once what is the same for many replicas', () => {
    const refused = items.slice(0, 3).map(({ ref, host: on }) => ({
      host: on,
      ref: ref.replace('replica/', 'cgroup/') as `cgroup/${string}`,
      path: '/oomScoreAdj',
      state: 'Refused' as const,
      why: 'EACCES',
    }));
    const shown = text(status(items, { hosts, limitations: refused }));
    assert.match(shown, /\nRefused: \/oomScoreAdj of cgroup\/web-0 and 2 others: EACCES \(h0 and 2 other hosts\)\n/);
  });

  it('tells what mends it behind what it is', () => {
    const one = {
      host: 'h1',
      ref: 'knob/cpu.governor',
      path: '/value',
      state: 'Refused',
      why: 'policy0: EPERM',
    } as const;
    const shown = text(
      status(items, { hosts, limitations: [{ ...one, fix: 'cpupower frequency-set -g performance' }] }),
    );
    assert.match(
      shown,
      /\nRefused: \/value of knob\/cpu\.governor: policy0: EPERM \(h1\); mend: cpupower frequency-set -g performance\n/,
    );
  });

  it('keeps to what a part says: not to hosts whose names begin alike', () => {
    const { status: own, lines } = scoped(fleet, 'host/h1');
    assert.deepEqual(own.messages, ['host h1 is not heard of since today']);
    assert.deepEqual([own.limitations.length, own.hosts.length, own.held], [1, 1, []]);
    assert.deepEqual([own.sync, own.health], ['Synced', 'Healthy']);
    assert.match(lines[0] ?? '', /^host h1 in zone z0, rack r0, switch s0, open; reserved: CPU 2500m of 10/);
  });

  it('tells of disks and of cores of their own where somebody has some', () => {
    const has = { allocatable: { cpu: 10_000, memory: 2 ** 30, pids: 100, disk: 2 ** 40, spindles: 4000, node0: 8 } };
    const line = (used: object): string => {
      const one = host(1, { ...has, used: { cpu: 0, memory: 0, pids: 0, ...used } });
      return scoped(status([], { hosts: [one] }), 'host/h1').lines[0]?.replace(/.*; /, '') ?? '';
    };
    assert.equal(line({}), 'reserved: CPU 0 of 10, memory 0 of 1Gi, processes 0 of 100');
    assert.equal(
      line({ disk: 2 ** 30, node0: 2 }),
      'reserved: CPU 0 of 10, memory 0 of 1Gi, processes 0 of 100, disk 1Gi of 1Ti, cores of node 0 2 of 8',
    );
  });

  it('says once what a knob that is refused says', () => {
    const why = 'vm.x = 9: EINVAL, the kernel does not take this value';
    const refused = { host: 'h1', ref: 'sysctl/vm.x', path: '/value', state: 'Refused', why: `6: ${why}` } as const;
    const messages = [`h1: sysctl/vm.x: ${why}`, 'h1: sysctl/vm.y: something else'];
    const shown = text(status([item(0)], { limitations: [refused], messages }));
    assert.equal(shown.match(/EINVAL/g)?.length, 1, shown);
    assert.match(shown, /\nh1: sysctl\/vm\.y: something else\n/);
  });

  it('says of a repository that cannot be fetched since when what is there is old', () => {
    const fetchedAt = Date.now() - 7 * 60_000;
    const source = { url: 'https://git.example.com/fleet.git', ref: 'main', revision: 'abc', fetchedAt };
    const shown = (error?: string): string =>
      text(status([item(0)], { source: { ...source, ...(error === undefined ? {} : { error }) } }));
    assert.match(
      shown('could not resolve host'),
      /\nsource https:\/\/git\.example\.com\/fleet\.git main: last fetched 7 min ago: could not resolve host\n/,
    );
    assert.doesNotMatch(shown(), /source/);
  });

  it('is not well where one of its hosts is lost or fails, though nothing is placed there', () => {
    const alone = (change: Partial<HostStatus>): string => {
      const { sync, health } = scoped(status([], { hosts: [host(1, change)] }), 'host/h1').status;
      return `${sync} ${health}`;
    };
    assert.equal(alone({}), 'Synced Healthy');
    assert.equal(alone({ lost: true }), 'Unknown Degraded');
    assert.equal(alone({ stalled: true }), 'OutOfSync Degraded');
  });

  it('counts what finds no place to its Zone, and rollouts that were given up to their App', () => {
    const homeless = item(0, { host: '', zone: 'z0', sync: 'OutOfSync', health: 'Missing', reason: 'Unplaceable: x' });
    const zone = scoped(status([homeless], { hosts: [host(1)] }), 'zone/z0').status;
    assert.deepEqual([zone.items.length, zone.sync, zone.health], [1, 'OutOfSync', 'Missing']);
    const rollouts = [{ app: 'web', stage: 'reverted', revision: 'r', message: 'web: r was given up' }] as const;
    const app = scoped(status([item(0)], { rollouts }), 'app/web').status;
    assert.deepEqual([app.sync, app.health], ['OutOfSync', 'Degraded']);
  });
});

it('a table of Zones counts what finds no place in its own', () => {
  const hosts = Array.from({ length: 2000 }, (_, n) => host(n));
  const homeless = item(9, { host: '', zone: 'z1', sync: 'OutOfSync', health: 'Missing', reason: 'Unplaceable: x' });
  const shown = text(status([item(0), homeless], { hosts, sync: 'OutOfSync', health: 'Missing' }));
  const rows = shown.split('\n').filter((line) => /^z\d /.test(line));
  assert.deepEqual(
    rows.map((line) => line.split(/ +/).join(' ')),
    ['z1 1000 0 0 1 1 25% 50%', 'z0 1000 0 0 1 0 25% 50%'],
  );
});

it('the whole of a fleet names who leads it, and a part does not', () => {
  assert.match(text(status([item(0)], { leader: 'c1' })), /\ncontroller c1 leads\n/);
  assert.doesNotMatch(text(status([item(0)], { leader: 'c1' }), 'app/web'), /leads/);
  assert.doesNotMatch(text(status([item(0)])), /leads/);
});

describe('replicas that wait for their turn', () => {
  const behind = [
    { app: 'web', replicas: 23 },
    { app: 'api', replicas: 1 },
  ];
  it('are told, with what says for what, and keep their App from being Synced', () => {
    assert.match(
      text(status([item(0)], { behind })),
      /\n24 replicas of web and 1 other App wait for their turn: plumb explain app\/web says for what\n$/,
    );
    assert.match(
      text(status([item(0)], { behind }), 'app/web'),
      / OutOfSync, Healthy\n[^]*\n23 replicas of web wait for their turn: /,
    );
    const other = status([item(0, { ref: 'replica/db-0' })], { behind });
    assert.match(text(other, 'app/db'), / Synced, Healthy\n/);
    assert.doesNotMatch(text(other, 'app/db'), /turn/);
  });
  it('are told once, where a rollout or a Zone tells of them', () => {
    const messages = [
      'web: 1 of 24 replicas have abc',
      'Zone main lets 1 replica be away, 1 is: 1 replica of api wait',
    ];
    assert.doesNotMatch(text(status([item(0)], { behind, messages })), /turn/);
  });
});

describe('how memory is used', () => {
  const GIBI = 2 ** 30;
  const memory = { counted: 0.38 * GIBI, used: 0.814 * GIBI, total: GIBI };
  const reclaimed = { at: 0, freed: 2 ** 27 };
  const of = status([item(0, { memory: { ...memory, reclaimed } }), item(1)], {
    hosts: [host(1, { memory: { ...memory, total: 2 * GIBI } })],
  });
  it('is shown of an App and of a host, as RSS and shared memory and as the kernel counts it', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 300_000 });
    const shown = text(of, 'app/web');
    assert.match(shown, /RESTARTS {2}MEMORY \(KERNEL\) {2}IMAGE/);
    assert.match(replicas(shown)[0] ?? '', / 38% \(81%\) /);
    assert.match(replicas(shown)[1] ?? '', /- {2,}- {2,}- {2,}Ready/);
    assert.match(shown, /\nweb-0 gave back 128Mi 5 min ago\n/);
    assert.match(text(of, 'host/h1'), /\nmemory: 19% RSS and shared, 41% as the kernel counts it, of 2Gi\n/);
  });
  it('is not in the status of all, and whole in JSON', () => {
    assert.doesNotMatch(text(of), /KERNEL|gave back/);
    assert.deepEqual(scoped(of, 'app/web').status.items[0]?.memory, { ...memory, reclaimed });
  });
});
