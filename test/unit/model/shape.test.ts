import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as shapes from '../../../reconciler/model/shape.ts';
import { unlikeReport } from '../../../reconciler/model/report-shape.ts';
import { fullReport, NAMED } from '../../support/full-report.ts';

describe('a shape', () => {
  const { amount, anything, flag, members, number, positive, text, time, whole } = shapes;
  const { either, listOf, mapOf, maybe, object } = shapes;
  const pair = object<{ a: string; b: number }>({ a: text, b: number });
  const LARGEST = Number.MAX_SAFE_INTEGER;
  const cases: readonly (readonly [
    name: string,
    shape: shapes.Shape,
    is: readonly unknown[],
    isNot: readonly unknown[],
  ])[] = [
    ['text', text, ['', 'x'], [1, null, undefined, ['x']]],
    ['flag', flag, [true, false], [0, 'true', null]],
    ['number', number, [-1, 0.5, 0], [Infinity, NaN, '1', null]],
    ['whole', whole, [-1, 0, LARGEST], [0.5, LARGEST + 1, '1']],
    ['positive', positive, [1, LARGEST], [0, -1, 0.5, LARGEST + 1, '1']],
    ['amount', amount, [0, 0.5, LARGEST], [-1, LARGEST + 1, NaN, '1']],
    ['time', time, [0, -8.64e15, 8.64e15], [8.64e15 + 1, -8.64e15 - 1, NaN, '1']],
    ['anything', anything, [null, undefined, {}], []],
    ['members', members, [{}, { a: 1 }], [[], null, 'x']],
    ['maybe', maybe(text), [undefined, 'x'], [null, 1]],
    ['either', either(number, text), [1, 'x'], [null, true]],
  ];
  for (const [name, shape, is, isNot] of cases)
    it(`of ${name}`, () => {
      for (const value of is) assert.equal(shape(value), undefined, `${String(value)} is`);
      for (const value of isNot) assert.equal(shape(value), '', `${String(value)} is not`);
    });

  for (const [name, shape, value, where] of [
    ['a list', listOf(text), ['a', 'b'], undefined],
    ['a list', listOf(text), [], undefined],
    ['a list', listOf(text), ['a', 1, 2], '/1'],
    ['a list', listOf(text), { length: 0 }, ''],
    ['a map', mapOf(number), { a: 1 }, undefined],
    // what others chose is not repeated
    ['a map', mapOf(number), { secret: 'x' }, '/*'],
    ['a map', mapOf(number), [], ''],
    ['an object', pair, { a: '', b: 1, c: 2 }, undefined],
    ['an object', pair, { a: '' }, '/b'],
    ['an object', pair, 'x', ''],
    ['all in one', object<{ l: unknown }>({ l: listOf(mapOf(pair)) }), { l: [{ k: { a: 1, b: 1 } }] }, '/l/0/*/a'],
  ] as const)
    it(`of ${name} ${where === undefined ? 'takes' : `names ${JSON.stringify(where)} in`} ${JSON.stringify(value)}`, () => {
      assert.equal(shape(value), where);
    });
});

describe('the shape of a Report', () => {
  const full = fullReport('h1');
  /** What is a provider's, may be anything, or is one thing or another, of which a newer version may know a third. */
  const isFree = (path: string): boolean =>
    /\/(state\/|want$|check\/(?!type$)|volumes\/\d\/(?!path$))/.test(path) && path !== '/observed/1/state/memory';

  /** Each part with where it is, and how that is told. */
  function* partsOf(
    value: unknown,
    path: readonly string[] = [],
    told = '',
  ): Generator<readonly [readonly string[], string]> {
    yield [path, told];
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const named = NAMED.has(path.at(-1) ?? '') && !Array.isArray(value);
      yield* partsOf(inner, [...path, key], `${told}/${named ? '*' : key}`);
    }
  }

  function withAt(value: unknown, [key, ...path]: readonly string[], by: unknown): unknown {
    if (key === undefined) return by;
    if (Array.isArray(value))
      return value.map((one: unknown, at) => (String(at) === key ? withAt(one, path, by) : one));
    const of = value as Readonly<Record<string, unknown>>;
    return { ...of, [key]: withAt(of[key], path, by) };
  }

  it('takes one with something of all', () => {
    assert.equal(unlikeReport(full, 'h1'), undefined);
  });

  it('names each part that is nothing, unless it may be anything', () => {
    for (const [path, told] of partsOf(full))
      assert.equal(unlikeReport(withAt(full, path, null), 'h1'), isFree(told) ? undefined : told, path.join('/'));
  });

  for (const [path, values] of [
    ['generation', [0.5, 2 ** 53]],
    ['at', [1e300]],
    ['knobs', ['1']],
    ['facts/threadsPerCore', [0, 0.5]],
    ['facts/capacity/cpu', [-1, '1']],
    ['facts/capacity/node0', [-1]],
    ['replicas/0/settlesAt', [1e300]],
    ['conditions/0/observedGeneration', [0.5]],
    ['memory/host/reclaimed/at', [1e300]],
    ['observed/1/state/memory', ['1']],
    ['kept/generation', [0.5]],
    ['kept/replicas/0/spec/replicas', [0.5]],
    ['kept/replicas/0/spec/resources/cpu', [-1]],
    ['kept/replicas/0/spec/resources/memory', [-1]],
    ['kept/replicas/0/spec/resources/pids', [-1]],
    ['kept/replicas/0/spec/storage/disk', [-1]],
    ['kept/replicas/0/spec/rollout/canary/pause', [true]],
    ['kept/replicas/0/spec/reclaim/above', [true]],
    ['kept/replicas/0/placement/epoch', [0.5]],
    ['kept/slot/index', [0.5]],
    ['kept/slot/of', [0]],
    ['kept/slot/left/0/of', [0]],
  ] as const)
    it(`takes no ${values.join(', no ')} as ${path}`, () => {
      const told = `/${path.replace('memory/host', 'memory/*')}`;
      for (const by of values) assert.equal(unlikeReport(withAt(full, path.split('/'), by), 'h1'), told);
    });

  for (const [path, by, told] of [
    ['host', 'h2', '/host'],
    ['kept/host', 'h2', '/kept/host'],
    ['kept/replicas/1/placement/host', 'h2', '/kept/replicas/1/placement'],
    ['kept/replicas/1/placement/replica', 'web-0', '/kept/replicas/1/placement'],
  ] as const)
    it(`takes no ${by} as ${path} of another`, () => {
      assert.equal(unlikeReport(withAt(full, path.split('/'), by), 'h1'), told);
    });
});
