import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../../reconciler/compile/compile.ts';
import { knowsFleet } from '../../../reconciler/compile/fleet.ts';
import type { ParsedFile } from '../../../reconciler/compile/file.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

const before = compile(sourceFiles(SOUND), 'r1');

function after(files: Readonly<Record<string, string | undefined>>, previous?: Catalog): Catalog {
  const all = Object.entries({ ...SOUND, ...files }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return compile(sourceFiles(Object.fromEntries(all)), 'r2', undefined, previous);
}

function heldBy(catalog: Catalog): { objects: string[]; owners: string[] } {
  return { objects: [...catalog.heldObjects].sort(), owners: [...catalog.heldOwners].sort() };
}

describe('a broken file', () => {
  it('holds its objects as they were, and the pruning of their owner, and nothing else', () => {
    const catalog = after(
      { 'apps/shop/web.yaml': 'kind: [', 'apps/api.yaml': SOUND['apps/api.yaml']?.replace('a:1', 'a:2') },
      before,
    );
    assert.deepEqual(heldBy(catalog), { objects: ['App/web'], owners: ['shop'] });
    assert.equal(catalog.apps.get('web'), before.apps.get('web'));
    assert.equal(catalog.apps.get('api')?.spec.image, 'a:2');
  });
  it('is known by what it says where there is no previous catalog', () => {
    const broken = SOUND['apps/shop/web.yaml']?.replace('replicas', 'replica');
    const catalog = after({ 'apps/shop/web.yaml': broken });
    assert.deepEqual(heldBy(catalog), { objects: ['App/web'], owners: ['shop'] });
    assert.equal(catalog.apps.has('web'), false);
  });
  it('holds all pruning when nobody can tell whose it is', () => {
    assert.deepEqual(heldBy(after({ 'new.yaml': 'kind: [' }, before)), { objects: [], owners: ['*'] });
  });
  it('is held as a whole, its sound documents too', () => {
    const two = `${SOUND['apps/api.yaml'] ?? ''}---\n${manifest('App', 'second', '{}')}`;
    const catalog = after({ 'apps/api.yaml': two.replace('a:1', 'a:2') }, before);
    assert.deepEqual(heldBy(catalog), { objects: ['App/api', 'App/second'], owners: ['teams'] });
    assert.equal(catalog.apps.get('api')?.spec.image, 'a:1');
  });
  it('does not hold what another file now says', () => {
    const catalog = after({ 'apps/shop/web.yaml': 'kind: [', 'apps/web.yaml': SOUND['apps/shop/web.yaml'] }, before);
    assert.deepEqual(heldBy(catalog), { objects: [], owners: ['shop'] });
    assert.equal(catalog.apps.get('web')?.origin.file, 'apps/web.yaml');
  });
  it('renamed and broken at once still holds the object by its name', () => {
    const broken = SOUND['apps/shop/web.yaml']?.replace('replicas', 'replica');
    const catalog = after({ 'apps/shop/web.yaml': undefined, 'apps/shop/site.yaml': broken }, before);
    assert.deepEqual(heldBy(catalog), { objects: ['App/web'], owners: ['shop'] });
    assert.equal(catalog.apps.get('web'), before.apps.get('web'));
  });
  it('of a Zone leaves its Apps alone', () => {
    const catalog = after({ 'zone.yaml': 'kind: [' }, before);
    assert.deepEqual(heldBy(catalog), { objects: ['Zone/main'], owners: ['unowned'] });
    assert.deepEqual(catalog.problems.length, 1);
    assert.deepEqual([...catalog.apps.keys()].sort(), ['api', 'web']);
  });
  it('of a Zone that was never known holds its Apps without blaming them', () => {
    const catalog = after({ 'zone.yaml': SOUND['zone.yaml']?.replace('hosts', 'host') });
    assert.deepEqual(
      catalog.problems.map(({ file }) => file),
      ['zone.yaml', 'zone.yaml'],
    );
    assert.deepEqual(heldBy(catalog).objects, ['App/api', 'App/web', 'Zone/main']);
    assert.equal(catalog.apps.size, 0);
  });
  it('that is not even YAML is mostly known by its kind and name', () => {
    const catalog = after({ 'zone.yaml': `${SOUND['zone.yaml'] ?? ''}  levels: [1` });
    assert.deepEqual(
      catalog.problems.map(({ code }) => code),
      ['YAML_SYNTAX'],
    );
    assert.deepEqual(heldBy(catalog).objects, ['App/api', 'App/web', 'Zone/main']);
  });
  it('stays held while it is broken, over revisions', () => {
    const once = after({ 'apps/shop/web.yaml': 'kind: [' }, before);
    const twice = after({ 'apps/shop/web.yaml': 'kind: [ [' }, once);
    assert.equal(twice.apps.get('web'), before.apps.get('web'));
    assert.deepEqual(heldBy(twice), { objects: ['App/web'], owners: ['shop'] });
  });
});

describe('a gang with a member that cannot be used', () => {
  const member = (name: string, more = ''): string =>
    manifest('App', name, `{image: "a:1", zone: main, network: {name: net}, gang: train${more}}`);
  const left = (files: Readonly<Record<string, string | undefined>>, previous?: Catalog): readonly string[] =>
    [...after(files, previous).apps.keys()].sort();

  it('is left out as a whole when it is new', () => {
    assert.deepEqual(left({ 'a.yaml': member('a'), 'b.yaml': member('b') }), ['a', 'api', 'b', 'web']);
    for (const broken of [
      member('b', ', replica: 2'),
      member('b', ', replicas: many'),
      member('b').replace('name: net', 'name: gone'),
    ]) {
      const catalog = after({ 'a.yaml': member('a'), 'b.yaml': broken });
      assert.deepEqual([...catalog.apps.keys()].sort(), ['api', 'web']);
      assert.deepEqual(heldBy(catalog).objects, ['App/a', 'App/b']);
      assert.equal(catalog.problems.length, 1, 'told once');
    }
  });

  it('stays as it was when it was whole before', () => {
    const whole = after({ 'a.yaml': member('a'), 'b.yaml': member('b') });
    const catalog = after(
      { 'a.yaml': member('a').replace('a:1', 'a:2'), 'b.yaml': member('b', ', replica: 2') },
      whole,
    );
    assert.deepEqual(
      ['a', 'b'].map((name) => catalog.apps.get(name)?.spec.image),
      ['a:2', 'a:1'],
      'b is there as it was: the gang is whole, and a goes on',
    );
    const third = {
      'a.yaml': member('a').replace('a:1', 'a:2'),
      'b.yaml': member('b'),
      'c.yaml': member('c', ', replica: 2'),
    };
    assert.equal(
      after(third, whole).apps.get('a')?.spec.image,
      'a:1',
      'one that joins and cannot be used holds the others',
    );
  });

  it('takes those with it that must be near to it', () => {
    const near = manifest(
      'App',
      'near',
      '{image: "a:1", zone: main, network: {name: net}, affinity: [{app: a, within: rack, required: true}]}',
    );
    assert.deepEqual(left({ 'a.yaml': member('a'), 'b.yaml': member('b', ', replica: 2'), 'near.yaml': near }), [
      'api',
      'web',
    ]);
  });
});

describe('a problem between documents', () => {
  it('holds the objects that it concerns', () => {
    const moved = SOUND['apps/shop/web.yaml']?.replace('zone: main', 'zone: gone');
    const catalog = after({ 'apps/shop/web.yaml': moved }, before);
    assert.deepEqual(heldBy(catalog), { objects: ['App/web'], owners: ['shop'] });
    assert.equal(catalog.apps.get('web')?.spec.zone, 'main');
  });
  it('never leaves an App whose Zone is not there', () => {
    const catalog = after({ 'zone.yaml': undefined }, before);
    assert.equal(catalog.apps.size, 0);
    assert.deepEqual(heldBy(catalog).objects, ['App/api', 'App/web']);
  });
  it('puts Zones that claim one Host back to what they were', () => {
    const wide = manifest('Zone', 'wide', 'hosts: {}');
    const catalog = after({ 'wide.yaml': wide }, before);
    assert.deepEqual(heldBy(catalog).objects, ['Host/h1', 'Host/h2', 'Zone/main', 'Zone/wide']);
    assert.deepEqual([...catalog.zones.keys()], ['main']);
    assert.deepEqual([...catalog.hosts.keys()].sort(), ['h1', 'h2']);
  });
  it('takes a Host in two Zones out when nothing is known of before', () => {
    const catalog = after({ 'wide.yaml': manifest('Zone', 'wide', 'hosts: {}') });
    assert.deepEqual([...catalog.zones.keys()], []);
    assert.deepEqual([...catalog.hosts.keys()], []);
  });
  it('of too few addresses holds who grew', () => {
    const small = SOUND['network.yaml']?.replace('gateway', 'ranges: [10.1.0.2-10.1.0.5]\n  gateway') ?? '';
    const first = after({ 'network.yaml': small });
    assert.deepEqual(first.problems, []);
    const grown = SOUND['apps/api.yaml']?.replace('image', 'replicas: 5\n  image');
    const catalog = after({ 'network.yaml': small, 'apps/api.yaml': grown }, first);
    assert.deepEqual(heldBy(catalog), { objects: ['App/api'], owners: ['teams'] });
    assert.equal(catalog.apps.get('api')?.spec.replicas, 1);
    assert.equal(catalog.apps.get('web')?.spec.replicas, 3);
  });
});

describe('the Fleet', () => {
  it('that is missing holds everything; the one of before goes on', () => {
    const without = after({ 'fleet.yaml': undefined });
    assert.equal(knowsFleet(without), false);
    assert.deepEqual(heldBy(without).owners, ['*']);
    const held = after({ 'fleet.yaml': undefined }, before);
    assert.equal(held.fleet, before.fleet);
    assert.equal(knowsFleet(held), true);
  });
  it('gives owners by the longest prefix', () => {
    const owners = [...before.apps].map(([name, { owner }]) => `${name} ${owner}`);
    assert.deepEqual(owners.sort(), ['api teams', 'web shop']);
    assert.equal(before.zones.get('main')?.owner, 'unowned');
  });
});

describe('what is read', () => {
  it('leaves out other files and what is below a dot', () => {
    const catalog = after({ '.github/workflows/ci.yml': 'on: push\n', 'README.md': '# x\n', 'a/.b/c.yaml': ':' });
    assert.deepEqual(catalog.problems, []);
  });
  it('is at most 10,000 files', () => {
    const many = Object.fromEntries(
      Array.from({ length: 10_001 }, (_, at) => [`x/${String(at).padStart(5, '0')}.yaml`, '']),
    );
    const { problems, heldOwners } = compile(sourceFiles({ ...SOUND, ...many }), 'r1');
    assert.deepEqual(
      problems.map(({ code, file }) => `${code} ${file}`),
      ['TOO_MANY_FILES x/09994.yaml'],
    );
    assert.equal(heldOwners.has('*'), true);
    const kept = compile(sourceFiles(many), 'r1', undefined, before);
    assert.deepEqual([...kept.apps], [...before.apps]);
    assert.equal(kept.heldObjects.has('App/web'), true);
  });
  it('gives every value its line', () => {
    const web = before.apps.get('web');
    assert.deepEqual(web?.fields['/spec/replicas'], {
      revision: 'r1',
      file: 'apps/shop/web.yaml',
      line: 10,
      column: 13,
    });
    assert.deepEqual(web.origin, { revision: 'r1', file: 'apps/shop/web.yaml', line: 4, column: 9 });
  });
  it('works out the addresses to give out', () => {
    const pool = (spec: string): unknown =>
      after({ 'network.yaml': manifest('Network', 'net', `vlan: 1\n${spec}`) }).networks.get('net')?.spec.pool;
    assert.deepEqual(before.networks.get('net')?.spec.pool, [['10.1.0.2', '10.1.0.254']]);
    assert.deepEqual(pool('cidr: 10.1.0.0/29\ngateway: 10.1.0.3\nexclude: [10.1.0.5-10.1.0.5]'), [
      ['10.1.0.1', '10.1.0.2'],
      ['10.1.0.4', '10.1.0.4'],
      ['10.1.0.6', '10.1.0.6'],
    ]);
    assert.deepEqual(pool('cidr: 10.1.0.0/31'), [['10.1.0.0', '10.1.0.1']].slice(0, 1));
    assert.deepEqual(pool('cidr: 10.1.0.0/24\nranges: [10.1.0.20-10.1.0.30, 10.1.0.25-10.1.0.40, 10.1.0.41]'), [
      ['10.1.0.20', '10.1.0.41'],
    ]);
  });
  it('is the same from the cache, also where the content is not at hand', () => {
    const kept = new Map<string, ParsedFile>();
    const files = sourceFiles({ ...SOUND, 'x.yaml': 'a: [' });
    const first = compile(files, 'r1', kept);
    const stored = new Map(JSON.parse(JSON.stringify([...kept])) as [string, ParsedFile][]);
    const again = compile(
      files.map((file) => ({ ...file, bytes: undefined })),
      'r1',
      stored,
    );
    assert.deepEqual(again, first);
  });
});
