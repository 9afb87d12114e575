import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { capacityCommand } from '../../../../cli/verbs/capacity.ts';
import { capacityText, type CapacityFound } from '../../../../cli/capacity-text.ts';
import { speak, type Spoken } from '../../../support/verb.ts';

const SHOP = fileURLToPath(new URL('../../../../../examples/manifests/shop', import.meta.url));

describe('capacity', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-capacity-'));
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const ask = (...argv: readonly string[]): Promise<Spoken> =>
    speak(capacityCommand, dir, '--repo', SHOP, '--simulated', '--host', 'h1', ...argv);

  it('shows zones, Apps, losses and Networks on a screen', async () => {
    const { code, out } = await ask();
    assert.equal(code, 0);
    assert.match(out, /^ZONE +HOSTS +OF +ALLOCATABLE +USED +FREE +LARGEST REPLICA THAT FITS\nmain +1 +CPU /);
    assert.match(out, /\nAPP +ZONE +REPLICAS +MORE THAT FIT +THEN LACKS\n(?:\w+ +main +\d+ +\d+ +\w+\n){3}\n/);
    assert.match(out, /\nWORST LOSS .*\nhost h1 +main +1 +6 +6: api-0, api-1, web-0, …\nrack r1 .*\nswitch sw1 /);
    assert.match(
      out,
      /\nNETWORK +ADDRESSES +OWNED +RESTING +LEFT +OPEN HOSTS +FREE CPU, MEMORY +WITHOUT A HOME AFTER WORST LOSS +LARGEST THAT FITS\nback +254 +3 +0 +251 +\d+ .* 3 \(h1\), 3 \(r1\), 3 \(sw1\) +\d.*\nfront +90 +3 +0 +87 +\d+ .*\n$/,
    );
    assert.ok(out.split('\n').length < 25);
  });

  it('gives the same to programs', async () => {
    const { out } = await ask('web', '-o', 'json');
    const found = JSON.parse(out) as CapacityFound & { readonly version: number };
    assert.deepEqual(Object.keys(found), ['version', 'revision', 'fits', 'scale', 'zones', 'networks', 'homeless']);
    assert.deepEqual([found.version, found.fits, found.scale, found.homeless], [1, true, [], []]);
    assert.deepEqual(
      found.zones[0]?.apps.map(({ app, replicas }) => [app, replicas]),
      [['web', 3]],
    );
  });

  it('answers whether a scale fits, and what is missing', async () => {
    const good = await ask('--scale', 'web=2x', '--scale', 'api=0');
    assert.equal(good.code, 0);
    assert.match(good.out, /^web 3 → 6: fits\napi 2 → 0: fits\n\nWith that:\n\nZONE/);
    assert.match((await ask('-s', 'web=1.5x')).out, /^web 3 → 5: fits\n/);
    const bad = await ask('--scale', 'web=100');
    assert.equal(bad.code, 2);
    assert.match(bad.out, /^web 3 → 100: \d+ replicas find no home\n {2}.+\n {2}missing: .*10 more addresses\n/);
    assert.ok(!bad.out.includes('plumb explain'), 'Git has no such replica');
  });

  for (const { argv, says } of [
    { argv: ['--scale', 'web'], says: /--scale takes APP=40 or APP=20x, not web/ },
    { argv: ['--scale', 'web=many'], says: /--scale takes APP=40 or APP=20x/ },
    { argv: ['--scale', 'web=-1'], says: /--scale takes APP=40 or APP=20x/ },
    { argv: ['--scale', 'web=2', '--scale', 'web=3'], says: /--scale names App web twice/ },
    { argv: ['--scale', 'web=100001'], says: /more than an App may have \(100000\)/ },
    { argv: ['--scale', 'wbe=4'], says: /no App wbe in Git; did you mean web\?/ },
    { argv: ['wbe'], says: /no App wbe in Git; did you mean web\?/ },
  ])
    it(`refuses ${argv.join(' ')}`, async () => {
      await assert.rejects(ask(...argv), { code: 'USAGE', message: says });
    });

  it('says of how many a loss was tried, and who finds no home in Git as it is', () => {
    const loss = { level: 'rack', name: 'r1', hosts: 2, replicas: 9, homeless: ['web-1'], tried: 4, of: 60 } as const;
    const none = { cpu: 0, memory: 0, pids: 0 };
    const zone = { zone: 'main', hosts: 2, closed: 2, allocatable: none, used: none, free: none };
    const growth = { app: 'web', replicas: 2, more: 1000 };
    const found = { revision: 'r', fits: false, scale: [], networks: [], homeless: ['web-1'] };
    const out = capacityText({ ...found, zones: [{ ...zone, apps: [growth], losses: [loss] }] }, {
      color: false,
    } as Parameters<typeof capacityText>[1]);
    assert.match(out, /\nmain +2 \(2 closed\) +CPU +0 +0 +0 +-\n/);
    assert.match(out, /\nweb +main +2 +1000 or more +-\n/);
    assert.match(out, /\nrack r1 \(4 of 60 tried\) +main +2 +9 +1: web-1\n/);
    assert.match(out, /\n1 replica finds no home: plumb explain web-1 tells why\n$/);
  });

  it('keeps what losses cost where the terminal is narrow, and leaves out what is less needed', () => {
    const none = { cpu: 0, memory: 0, pids: 0 };
    const losses = (['host', 'rack', 'switch'] as const).map((level, at) => ({
      ...{ level, name: ['h1', 'r1', 'sw1'][at] ?? '', hosts: 1, replicas: 1, homeless: [], tried: 1, of: 1 },
    }));
    const counts = { network: 'front', total: 254, owned: 3, resting: 0, left: 251, hosts: 3 };
    const networks = [{ ...counts, free: none, largest: { host: 'h1', ...none }, losses }];
    const found = { revision: 'r', fits: true, scale: [], zones: [], networks, homeless: [] };
    const out = capacityText(found, { color: false } as Parameters<typeof capacityText>[1], 80);
    assert.match(
      out,
      /\nNETWORK +ADDRESSES +LEFT +WITHOUT A HOME AFTER WORST LOSS +LARGEST THAT FITS\nfront +254 +251 +0 \(h1\), 0 \(r1\), 0 \(sw1\) +0, 0 \(h1\)\n$/,
    );
  });

  it('shows the cores of all NUMA nodes in a line, and the most of one', () => {
    const of = (node0: number, node1: number) => ({ cpu: 8000, memory: 0, pids: 0, node0, node1 });
    const zone = { zone: 'main', hosts: 1, closed: 0, allocatable: of(7, 8), used: of(4, 2), free: of(3, 6) };
    const more = { largest: { host: 'h1', ...of(3, 6) }, apps: [], losses: [] };
    const found = { revision: 'r', fits: true, scale: [], zones: [{ ...zone, ...more }], networks: [], homeless: [] };
    const out = capacityText(found, { color: false } as Parameters<typeof capacityText>[1]);
    assert.match(out, /\n +cores to pin +15 +6 +9 +6 of one node\n/);
    assert.doesNotMatch(out, /node 0/);
  });
});
