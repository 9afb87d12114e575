import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createBook } from '../../../reconciler/model/book.ts';
import type { AppSpec } from '../../../reconciler/model/catalog.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { inOrder, shareOf } from '../../../reconciler/place/order.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';

/** The shares of so many schedulers, each as its Apps in order of name. */
function sharesOf(apps: NonNullable<Sketch['apps']>, of: number): readonly (readonly string[])[] {
  const catalog = catalogOf({ hosts: hostsOf(2), apps });
  const reports = [...catalog.hosts.keys()].map((name) => reportOf(name));
  const hosts = hostViews(catalog, reports, createBook());
  return Array.from({ length: of }, (_, part) => [...shareOf(catalog.apps, hosts, { part, of })].sort());
}

describe('the shares of schedulers side by side', () => {
  it('have every App in one of them, and about as many replicas of each size', () => {
    // sizes that go with the place in the list, as names often do
    const sizes = [100, 800, 100, 400];
    const apps = Object.fromEntries(
      Array.from({ length: 80 }, (_, n) => [
        `a${String(n)}`,
        { replicas: 1 + (n % 5), resources: resources(sizes[n % 4] ?? 100) },
      ]),
    );
    const shares = sharesOf(apps, 4);
    assert.deepEqual(shares.flat().sort(), Object.keys(apps).sort());
    for (const size of new Set(sizes)) {
      const counts = shares.map((names) =>
        names.reduce((sum, name) => sum + (apps[name]?.resources.cpu === size ? (apps[name]?.replicas ?? 0) : 0), 0),
      );
      // as the largest App has
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 10, `${String(size)}: ${counts.join(' ')}`);
    }
  });

  it('keep together what is placed together', () => {
    const near = (app: string): Partial<AppSpec> => ({ affinity: [{ app, within: 'host', required: false }] });
    const shares = sharesOf(
      {
        a: {},
        b: near('a'),
        c: near('b'),
        d: { gang: 'job' },
        e: { gang: 'job', ...near('f') },
        f: {},
        g: near('gone'),
      },
      2,
    );
    const whole = shares.map((names) => names.join(' '));
    assert.deepEqual([...whole].sort(), ['a b c g', 'd e f']);
  });
});

describe('the order of some Apps', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const;
  const name = fc.constantFrom(...NAMES);

  it('is the one that they have among all', () => {
    const spec = fc.record({
      level: fc.nat(3),
      resources: fc.constantFrom(resources(100), resources(200)),
      affinity: fc.array(fc.record({ app: name, within: fc.constant('host' as const), required: fc.boolean() }), {
        maxLength: 2,
      }),
    });
    fc.assert(
      fc.property(fc.dictionary(name, spec, { noNullPrototype: true }), fc.uniqueArray(name), (apps, chosen) => {
        const catalog = catalogOf({ apps });
        const some = new Set<string>(chosen);
        const room = { cpu: 1000, memory: 1000 };
        const named = (list: ReturnType<typeof inOrder>): readonly string[] => list.map((one) => one.name);
        const all = named(inOrder(catalog.apps, room)).filter((one) => some.has(one));
        assert.deepEqual(named(inOrder(catalog.apps, room, some)), all);
      }),
    );
  });
});
