import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemsText } from '../../../cli/problems.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import type { ParsedFile } from '../../../reconciler/compile/file.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { golden } from '../../support/golden.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

const zone = (name: string, more: string): string =>
  manifest('Zone', name, `hosts:\n  matchLabels:\n    pool: ${name}\n${more}`);
const network = (name: string, vlan: number, more: string): string =>
  manifest('Network', name, `vlan: ${String(vlan)}\ncidr: 10.${String(vlan)}.0.0/24\n${more}`);
const host = (name: string, pool: string): string => manifest('Host', name, '{}', `labels:\n  pool: ${pool}`);
const app = (asks: string, level = 2): string => manifest('App', 'x', `image: a:1\nlevel: ${String(level)}\n${asks}`);

const NET = 'network: { name: net }';
const FLEET: Readonly<Record<string, string>> = {
  ...SOUND,
  'a.yaml': zone('fast', 'levels: [0, 1]\ntraits: { disk: ssd, arch: x86 }'),
  'b.yaml': zone('bulk', 'levels: [2, 3]\ntraits: { disk: ssd, arch: x86, gpu: a100 }'),
  'c.yaml': host('f1', 'fast') + '---\n' + host('b1', 'bulk'),
  'd.yaml': network('dmz-fast', 101, 'isolation: dmz\nhosts: { matchLabels: { pool: fast } }'),
  'e.yaml': network('dmz-bulk', 102, 'isolation: dmz\nhosts: { matchLabels: { pool: bulk } }'),
  'f.yaml': network('cards', 103, 'isolation: pci'),
};

function compiled(files: Readonly<Record<string, string>>, previous?: Catalog, revision = 'r1'): Catalog {
  return compile(sourceFiles({ ...FLEET, ...files }), revision, undefined, previous);
}

const told = ({ problems }: Catalog): readonly string[] =>
  problems.map(({ code, line, message, hint = '' }) => `${code} ${String(line)}: ${message} (${hint})`);

const CHOSEN: readonly (readonly [asks: string, level: number, zone: string, network: string])[] = [
  [`zone: { traits: { gpu: a100 } }\n${NET}`, 2, 'bulk', 'net'],
  [`zone: { traits: { disk: ssd, arch: x86 } }\n${NET}`, 2, 'bulk', 'net'],
  [`zone: { traits: { disk: ssd, arch: x86 } }\n${NET}`, 1, 'fast', 'net'],
  ['zone: main\nnetwork: { isolation: pci }', 2, 'main', 'cards'],
  ['zone: fast\nnetwork: { isolation: dmz }', 1, 'fast', 'dmz-fast'],
  ['zone: { traits: { disk: ssd } }\nnetwork: { isolation: dmz }', 3, 'bulk', 'dmz-bulk'],
];

const REFUSED: readonly (readonly [name: string, asks: string, level: number, told: readonly string[]])[] = [
  [
    'a trait that no Zone has',
    `zone:\n  traits:\n    gpu: h100\n    disk: ssd\n${NET}`,
    2,
    [
      'NONE_FITS 10: App x asks for a Zone with the traits gpu=h100, disk=ssd and level 2, and there is none (the nearest is Zone bulk, which lacks gpu=h100 (b.yaml:4))',
    ],
  ],
  [
    'a level that none with the trait takes',
    `zone: { traits: { gpu: a100 } }\n${NET}`,
    0,
    [
      'NONE_FITS 8: App x asks for a Zone with the trait gpu=a100 and level 0, and there is none (the nearest is Zone bulk, which takes levels 2, 3 (b.yaml:4))',
    ],
  ],
  [
    'more than one Zone',
    `zone: { traits: {} }\n${NET}`,
    1,
    [
      'MANY_FIT 4: App x asks for a Zone with level 1, and fast (a.yaml:4), main (zone.yaml:4) are such Zones (ask for a trait that one of them has, or name it in spec.zone)',
    ],
  ],
  [
    'isolation that no Network has',
    'zone: main\nnetwork: { isolation: dmx }',
    2,
    ['NONE_FITS 9: App x asks for a Network with isolation dmx, and there is none (did you mean "dmz"?)'],
  ],
  [
    'Networks that do not reach the Zone',
    'zone: main\nnetwork: { isolation: dmz }',
    2,
    [
      'NONE_FITS 9: App x asks for a Network with isolation dmz in Zone main, and there is none (spec.hosts of dmz-bulk (e.yaml:4), dmz-fast (d.yaml:4) select no host of it)',
    ],
  ],
  [
    'a Zone that is not there, with Networks that would depend on it',
    'zone: nowhere\nnetwork: { isolation: dmz }',
    2,
    ['DANGLING_REFERENCE 8: App x: there is no Zone "nowhere" (there are: fast, bulk, main)'],
  ],
];

describe('a Zone asked for by level and traits, and a Network by isolation', () => {
  for (const [asks, level, zoneName, networkName] of CHOSEN)
    it(`${asks.replaceAll('\n', ', ')} at level ${String(level)} is ${zoneName} and ${networkName}`, () => {
      const catalog = compiled({ 'x.yaml': app(asks, level) });
      assert.deepEqual(catalog.problems, []);
      const { spec } = catalog.apps.get('x') ?? assert.fail();
      assert.deepEqual([spec.zone, spec.network], [zoneName, networkName]);
    });

  for (const [name, asks, level, problems] of REFUSED)
    it(`is not chosen: ${name}`, () => {
      const catalog = compiled({ 'x.yaml': app(asks, level) });
      assert.deepEqual(told(catalog), problems);
      assert.equal(catalog.apps.has('x'), false);
      assert.deepEqual([...catalog.heldObjects], ['App/x']);
    });

  it('is told at the trait, or the word for isolation', () => {
    const { problems } = compiled({
      'x.yaml': app(`zone:\n  traits:\n    disk: ssd\n    gpu: h100\n${NET}`),
      'y.yaml': app('zone: main\nnetwork:\n  egress: 1M\n  isolation: dmx').replace('name: x', 'name: y'),
    });
    golden('compile/choices.txt', problemsText(problems, false));
  });

  it('of several Networks is not chosen where more than one reaches the Zone', () => {
    const files = {
      'x.yaml': app('zone: main\nnetwork: { isolation: pci }'),
      'g.yaml': network('more', 104, 'isolation: pci'),
    };
    assert.deepEqual(told(compiled(files)), [
      'MANY_FIT 9: App x asks for a Network with isolation pci in Zone main, and cards (f.yaml:4), more (g.yaml:4) are such Networks (give them different words in spec.isolation, or name one in spec.network.name)',
    ]);
  });

  it('stays as it was, and moves nothing, while what another file says leaves no choice or too much', () => {
    const asking = { 'x.yaml': app(`zone: { traits: { gpu: a100 } }\n${NET}`) };
    const before = compiled(asking);
    const second = { ...asking, 'a.yaml': zone('fast', 'traits: { gpu: a100 }') };
    for (const files of [second, { ...asking, 'b.yaml': zone('bulk', '') }]) {
      const after = compiled(files, before, 'r2');
      assert.equal(after.apps.get('x'), before.apps.get('x'));
      assert.ok(after.heldObjects.has('App/x'));
    }
  });

  it('is not told to be missing while the Zone that may be it is held', () => {
    const files = {
      'x.yaml': app(`zone: { traits: { gpu: h100 } }\n${NET}`),
      'b.yaml': zone('bulk', 'traits: { gpu: h100 }\nlevles: [2]'),
    };
    for (const previous of [undefined, compiled({})]) {
      const catalog = compiled(files, previous);
      assert.deepEqual(
        catalog.problems.map(({ code, file }) => [code, file]),
        [['UNKNOWN_FIELD', 'b.yaml']],
      );
      assert.equal(catalog.apps.has('x'), false);
      assert.ok(catalog.heldObjects.has('App/x'));
    }
  });

  it('is judged like a name where another mistake holds something', () => {
    const files = {
      'x.yaml': app(
        `zone: { traits: { gpu: a100 } }\n${NET}\nvolumes: [{ path: /a, host: /b }]\naffinity: [{ app: web, within: host }]`,
      ),
      'y.yaml': manifest('App', 'y', `image: a:1\nlevel: 9\nzone: { traits: { gpu: x } }\n${NET}`),
      'z.yaml': manifest('App', 'z', `image: a:1\nzone: { traits: { gpu: x } }\n${NET}\nimagee: b`),
      // of which Zone z will be in nothing can be said
      'w.yaml': manifest('App', 'w', `image: a:1\nzone: main\n${NET}\naffinity: [{ app: z, within: host }]`),
    };
    assert.deepEqual(
      compiled(files).problems.map(({ code, file }) => `${code} ${file}`),
      [
        'VOLUME_NOT_ALLOWED x.yaml',
        'AFFINITY_CLASH x.yaml',
        'BAD_VALUE y.yaml',
        'NONE_FITS z.yaml',
        'UNKNOWN_FIELD z.yaml',
      ],
    );
  });

  it('is the same object in each revision, and another once another is chosen', () => {
    const cache = new Map<string, ParsedFile>();
    const at = (revision: string, more: Readonly<Record<string, string>> = {}, previous?: Catalog): Catalog =>
      compile(
        sourceFiles({ ...FLEET, 'x.yaml': app(`zone: { traits: { gpu: a100 } }\n${NET}`), ...more }),
        revision,
        cache,
        previous,
      );
    const first = at('r1');
    const second = at('r2', {}, first);
    assert.equal(second.apps.get('x'), first.apps.get('x'));
    const other = { 'a.yaml': zone('fast', 'traits: { gpu: a100 }'), 'b.yaml': zone('bulk', '') };
    assert.equal(at('r3', other, second).apps.get('x')?.spec.zone, 'fast');
  });

  it('has its line where a name would stand', () => {
    const { fields } =
      compiled({ 'x.yaml': app('zone:\n  traits:\n    gpu: a100\nnetwork:\n  isolation: pci') }).apps.get('x') ??
      assert.fail();
    assert.deepEqual([fields['/spec/zone']?.line, fields['/spec/network/name']?.line], [10, 12]);
  });
});

describe('a Zone or Network written in another form', () => {
  const CASES: readonly (readonly [asks: string, told: string])[] = [
    [
      `zone: { trait: { gpu: a } }\n${NET}`,
      'UNKNOWN_FIELD 8: unknown field "trait" in spec.zone (did you mean "traits"?)',
    ],
    [`zone: { traits: [gpu] }\n${NET}`, 'WRONG_TYPE 8: spec.zone.traits must be a mapping, not a list'],
    [`zone: Main\n${NET}`, 'BAD_VALUE 8: "Main" is not a valid value of spec.zone'],
    ['zone: main\nnetwork: { isolation: dmz, name: net }', 'BAD_VALUE 9: spec.network has both name and isolation'],
    ['zone: main\nnetwork: { egress: 1M }', 'MISSING_FIELD 9: spec.network needs one of: name, isolation'],
    [
      'zone: main\nnetwork: { isolaton: dmz }',
      'UNKNOWN_FIELD 9: unknown field "isolaton" in spec.network (did you mean "isolation"?)',
    ],
    ['zone: main\nnetwork: net', 'WRONG_TYPE 9: spec.network cannot be "net"'],
  ];
  for (const [asks, expected] of CASES)
    it(asks.replaceAll('\n', ', '), () => {
      const lines = told(compiled({ 'x.yaml': app(asks) }));
      assert.ok(
        lines.some((line) => line.startsWith(expected)),
        lines.join('\n'),
      );
      // beside what is wrong no more than that it is missing elsewhere
      assert.ok(lines.length === 1 || (lines.length === 2 && lines.some((line) => line.startsWith('MISSING_FIELD'))));
    });
});
