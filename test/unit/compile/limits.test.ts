import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../../reconciler/compile/compile.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

function compiled(resources: string): Catalog {
  const app = manifest('App', 'x', `image: a:1\nzone: main\nnetwork: { name: net }\nresources: ${resources}`);
  return compile(sourceFiles({ ...SOUND, 'x.yaml': app }), 'r1');
}

it('an App stands still only where it says so', () => {
  for (const [text, frozen] of [
    ['frozen: true', true],
    ['frozen: false', undefined],
    ['replicas: 1', undefined],
  ] as const) {
    const app = manifest('App', 'x', `image: a:1\nzone: main\nnetwork: { name: net }\n${text}`);
    const { apps, problems } = compile(sourceFiles({ ...SOUND, 'x.yaml': app }), 'r1');
    assert.deepEqual([problems, apps.get('x')?.spec.frozen], [[], frozen], text);
  }
});

it('processes are counted by a uid that no other App of the Zone has', () => {
  const app = (name: string, spec: string, zone = 'main'): readonly [string, string] => [
    `${name}.yaml`,
    manifest('App', name, `image: a:1\nzone: ${zone}\nnetwork: { name: net }\n${spec}`),
  ];
  const files = Object.fromEntries([
    app('a', 'user: "10000:7"\nulimits: { nproc: 100 }'),
    app('b', 'user: "10000"'),
    app('c', 'user: "10000"', 'far'),
    app('d', 'ulimits: { nproc: -1 }'),
    app('e', 'ulimits: { nproc: 100 }'),
    app('f', 'user: www\nulimits: { nproc: 100 }'),
    app('g', 'user: "0:5"\nulimits: { nproc: { soft: 1, hard: -1 } }'),
    app('h', 'user: "65534"\nulimits: { nproc: 100 }'),
    ['far.yaml', manifest('Zone', 'far', 'hosts:\n  matchLabels: { pool: far }')] as const,
  ]);
  const { apps, problems } = compile(sourceFiles({ ...SOUND, ...files }), 'r1');
  assert.deepEqual(
    problems.map(({ code, file }) => [file, code]),
    [['a.yaml', 'UID_SHARED'], ...['e', 'f', 'g', 'h'].map((name) => [`${name}.yaml`, 'BAD_VALUE'])],
  );
  const [shared] = problems;
  assert.match(shared?.message ?? '', /^App a limits nproc, .* uid 10000 .* and so does b in Zone main$/);
  assert.match(shared?.hint ?? '', /10001 is free/);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => apps.has(name)),
    [false, true, true, true],
    'b limits nothing',
  );
});

describe('the writable layer of an App', () => {
  it('has a limit that reserves nothing', () => {
    const { apps, problems } = compiled('{ disk: { layer: 1Gi } }');
    assert.deepEqual(problems, []);
    const { layer, storage } = apps.get('x')?.spec ?? assert.fail('no App');
    assert.deepEqual([layer, storage], [2 ** 30, undefined]);
  });
});

describe('scheduling classes and page cache of an App', () => {
  const sound: readonly (readonly [string, object])[] = [
    ['{ cpu: { scheduling: { class: other } } }', {}],
    ['{ cpu: { scheduling: { class: batch } } }', { scheduling: 'batch' }],
    ['{ cpu: { scheduling: { class: idle } } }', { scheduling: 'idle' }],
    [
      '{ cpu: { cores: 1, pinned: true, scheduling: { class: rr, priority: 49 } } }',
      { scheduling: 'rr 49', realtime: 500 },
    ],
    [
      '{ cpu: { cores: 1, pinned: true, scheduling: { class: fifo, realtime: 300m } } }',
      { scheduling: 'fifo 1', realtime: 300 },
    ],
    [
      '{ memory: { limit: 128Mi, reclaim: { above: 25%, window: 90s } } }',
      { reclaim: { above: 32 * 2 ** 20, window: 90_000, coolDown: 1_800_000 } },
    ],
  ];
  for (const [resources, expected] of sound)
    it(`${resources} is understood`, () => {
      const { apps, problems } = compiled(resources);
      assert.deepEqual(problems, []);
      const { resources: held, reclaim } = apps.get('x')?.spec ?? assert.fail('no App');
      const { scheduling, realtime } = held;
      assert.deepEqual(JSON.parse(JSON.stringify({ scheduling, realtime, reclaim })), expected);
    });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{ cpu: { scheduling: { class: batch, priority: 3 } } }', /^BAD_VALUE class batch has no priority/],
    ['{ cpu: { scheduling: { class: idle, realtime: 100m } } }', /^BAD_VALUE class idle has no realtime/],
    ['{ cpu: { scheduling: { class: fifo } } }', /^BAD_VALUE threads of fifo run before all others/],
    [
      '{ cpu: { cores: 1, pinned: true, scheduling: { class: rr, realtime: 1 } } }',
      /^BAD_VALUE realtime of 1 is no part of a CPU/,
    ],
    [
      '{ cpu: { cores: 1, pinned: true, scheduling: { class: rr, priority: 50 } } }',
      /^BAD_VALUE spec\.resources\.cpu\.scheduling\.priority cannot be 50/,
    ],
    ['{ disk: { layer: 4096 } }', /^BAD_VALUE a layer of 4096 is too small/],
    ['{ memory: { reclaim: { above: 64Mi } } }', /^BAD_VALUE a page cache of 64Mi does not fit into the limit of 64Mi/],
    ['{ memory: { reclaim: { above: 0 } } }', /^BAD_VALUE above cannot be 0/],
    ['{ memory: { reclaim: { above: 50%, coolDown: 1s } } }', /^BAD_VALUE a coolDown of 1s is too short/],
    ['{ memory: { reclaim: { above: 50%, window: 2d } } }', /^BAD_VALUE a window of 2d is too long/],
  ];
  for (const [resources, says] of wrong)
    it(`${resources} is a problem`, () => {
      const said = compiled(resources).problems.map(({ code, message }) => `${code} ${message}`);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', says);
    });
});
