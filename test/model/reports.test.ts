import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { statusOf } from '../../reconciler/loop/status/whole.ts';
import { foreign, readReport } from '../../reconciler/model/protocol.ts';
import { catalogOf, hostsOf } from '../support/catalog.ts';
import { fullReport } from '../support/full-report.ts';
import { createTwin } from '../support/twins.ts';

const HOSTS = ['h1', 'h2', 'h3'];
const catalog = catalogOf({
  hosts: hostsOf(HOSTS.length),
  apps: { web: { replicas: 4, rollout: { minReady: 1000, autoRevert: true } } },
  tunings: { t: { sysctls: { 'vm.swappiness': '10' } } },
});

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Path = readonly string[];

const full = JSON.parse(JSON.stringify(fullReport('h1'))) as Json;

/** All that can be replaced, from the whole on. */
function pathsIn(value: Json, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value as object).flatMap(([key, inner]) => pathsIn(inner as Json, [...path, key]))];
}

/** The same with something else there; undefined takes it out. */
function replaced(value: Json, [key, ...path]: Path, by: Json | undefined): Json | undefined {
  if (key === undefined) return by;
  if (Array.isArray(value)) {
    return value.flatMap((one: Json, at) => (String(at) === key ? (replaced(one, path, by) ?? []) : [one]));
  }
  const members = value as Readonly<Record<string, Json>>;
  return { ...members, [key]: replaced(members[key] ?? null, path, by) } as Json;
}

/** What JSON has and `JSON.stringify` does not write. */
const ENDLESS = 'endless';
const textOf = (value: Json | undefined): string => JSON.stringify(value ?? null).replaceAll(`"${ENDLESS}"`, '1e999');

const NASTY: readonly Json[] = [null, -1, 0, 0.5, 2 ** 53, 1e300, ENDLESS, '', 'x', [], [null], {}, { toString: 1 }];
const anything = fc.oneof(fc.constantFrom(...NASTY, undefined), fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>);
const malformed = fc.tuple(fc.constantFrom(...pathsIn(full)), anything);

it('whatever one host says of itself, what all others say counts, and controllers go on', async () => {
  assert.equal(foreign(readReport('h1', textOf(full))), undefined);
  const property = fc.asyncProperty(
    fc.array(malformed, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    async (wrongs, emptied) => {
      let now = 1_000_000;
      const twin = createTwin({ now: () => now, catalog: () => catalog }, false);
      const round = async (text?: string): Promise<void> => {
        now += 2000;
        for (const host of HOSTS) {
          await twin.beat(host);
          const said = text !== undefined && host === 'h1' ? readReport(host, text) : { at: now };
          await twin.report(host, 'serves', said);
        }
        assert.equal(await twin.pass(), '');
        const input = (await twin.controller.sight()) ?? assert.fail('nothing is known');
        assert.deepEqual(
          ['h2', 'h3'].map((host) => input.reports.get(host)?.at),
          [now, now],
        );
        statusOf(input);
      };
      await round();
      await round();
      // then what the host has kept counts as well
      if (emptied) {
        twin.empty();
        await twin.pass();
      }
      for (const [path, by] of wrongs) await round(textOf(replaced(full, path, by)));
      await round();
    },
  );
  await fc.assert(property, { numRuns: 100 });
});
