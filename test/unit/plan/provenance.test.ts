import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { linesTold, originsOf } from '../../../reconciler/plan/provenance.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOfWishes } from '../../support/wishes.ts';

const KINDS = ['bridge', 'sandbox', 'port', 'container', 'cgroup', 'cores', 'memory'];

const part = fc.constantFrom(
  ...['spec', 'resources', 'cpu', 'pinned', 'cores', 'env', 'A', 'image', 'imagery', 'volumes', '0', 'memory', 'limit'],
  ...['ranges', 'dns', 'vlan', 'bridge', 'metadata', 'name', 'level', 'replicas', 'disk', 'layer'],
);
const pointer = fc
  .array(part, { maxLength: 5 })
  .map((parts) => `/${parts.join('/')}`)
  .chain((pointer) => fc.constantFrom(pointer, `/spec${pointer}`));
const lines = fc
  .uniqueArray(pointer, { maxLength: 30 })
  .map((all) => Object.fromEntries(all.map((one, at) => [one, { revision: 'r', file: 'f', line: at, column: 1 }])));

describe('the lines that a host is told', () => {
  it('are all that it can be asked for, and are made once', () => {
    fc.assert(
      fc.property(lines, lines, (app, network) => {
        const [of, wired] = [linesTold('app', app), linesTold('network', network)];
        for (const kind of KINDS) assert.deepEqual(originsOf(kind, of, wired), originsOf(kind, app, network));
        assert.equal(linesTold('app', app), of);
      }),
    );
  });

  it('are not those of what concerns no host', () => {
    const apps = { a: { replicas: 1, image: 'i', memory: 64 } };
    const catalog = catalogOfWishes({ apps }, 'r1', undefined);
    const demand = { cpu: 0, memory: 64 << 20, pids: 0 };
    const place = { zone: 'main', host: 'h1', network: 'front', address: '10.1.0.5', demand, epoch: 1 };
    const placements = new Map([['a-0', { replica: 'a-0', app: 'a', ...place }]]);
    const input = { catalog, author: '', placements, previous: new Map(), reports: [], now: 0 };
    const [assignment] = project(input).assignments;
    assert.deepEqual(Object.keys(assignment?.replicas[0]?.fields ?? {}), [
      '/metadata/name',
      '/spec/image',
      '/spec/resources/memory/limit',
    ]);
    assert.deepEqual(Object.keys(assignment?.networks[0]?.fields ?? {}), [
      '/spec/vlan',
      '/spec/cidr',
      '/spec/ranges/0',
    ]);
  });
});
