import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cascade, inWaves, summarize } from '../../../reconciler/plan/waves.ts';
import { byRef, change, known, providerOf, replica } from '../../support/changes.ts';

describe('inWaves', () => {
  it('takes away before it builds, and builds what others need first', () => {
    const waves = inWaves([
      change('cgroup/web-0', 'update'),
      change('container/web-0', 'create'),
      change('port/web-0', 'create'),
      change('sandbox/web-0', 'create'),
      change('bridge/br-int', 'create'),
      change('sandbox/old-0', 'delete'),
      change('container/old-0', 'delete'),
      change('port/old-0', 'delete'),
    ]);
    assert.deepEqual(
      waves.map((wave) => wave.map(({ ref }) => ref)),
      [
        ['container/old-0'],
        ['port/old-0'],
        ['sandbox/old-0'],
        ['bridge/br-int'],
        ['sandbox/web-0'],
        ['port/web-0'],
        ['container/web-0'],
        ['cgroup/web-0'],
      ],
    );
  });

  it('orders a wave as people count', () => {
    const refs = inWaves([change('port/web-10', 'create'), change('port/web-9', 'create')])[0]?.map(({ ref }) => ref);
    assert.deepEqual(refs, ['port/web-9', 'port/web-10']);
  });
});

describe('cascade', () => {
  const wanted = byRef(replica('web-0'));
  const here = byRef([known('sandbox/web-0'), known('port/web-0'), known('container/web-0', { id: 'c1' })]);
  const run = (changes: Parameters<typeof cascade>[0]): string[] =>
    cascade(changes, wanted, (ref) => here.get(ref), providerOf).map(({ ref, verb }) => `${verb} ${ref}`);

  it('remakes port and container of a new sandbox', () => {
    assert.deepEqual(run([change('sandbox/web-0', 'replace')]), [
      'replace sandbox/web-0',
      'replace port/web-0',
      'replace container/web-0',
    ]);
  });
  it('turns an update of what must be remade into a replacement, with its fields', () => {
    const field = { path: '/vlan', have: 1, want: 2 };
    const all = cascade(
      [change('sandbox/web-0', 'create'), change('port/web-0', 'update', { fields: [field] })],
      wanted,
      (ref) => here.get(ref),
      providerOf,
    );
    const port = all.find(({ ref }) => ref === 'port/web-0');
    assert.equal(port?.verb, 'replace');
    assert.deepEqual(port.fields[0], field);
  });
  it('leaves a container alone when only its port or its image changes', () => {
    assert.deepEqual(run([change('port/web-0', 'replace'), change('image/busybox', 'create')]), [
      'replace port/web-0',
      'create image/busybox',
    ]);
  });
});

describe('summarize', () => {
  it('counts as the footer says', () => {
    const all = [
      change('port/a-0', 'create'),
      change('port/a-1', 'update'),
      change('port/a-2', 'replace'),
      change('port/a-3', 'delete'),
      change('port/a-4', 'update', { disruption: 'move' }),
    ];
    assert.deepEqual(summarize(all), { add: 1, change: 1, move: 1, replace: 1, destroy: 1 });
  });
});
