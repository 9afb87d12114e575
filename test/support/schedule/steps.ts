import fc from 'fast-check';
import type { Mishap } from '../mortal.ts';
import type { Moment } from './line.ts';
import { APPS, BAD_IMAGE, CONTROLLERS, HOSTS } from './git.ts';
import type { AppName, AppWish, ControllerName, HostName } from './git.ts';

export type PartName = ControllerName | HostName;

/** What a person breaks by hand. */
export type Break = 'no container' | 'no sandbox' | 'no port' | 'exited';

/** What happens in a schedule, and for how long nothing else does after it, in milliseconds. */
export type Step = { readonly wait: number } & (
  | { readonly what: 'commit'; readonly app: AppName; readonly wish?: AppWish | undefined }
  | { readonly what: 'drain'; readonly host: HostName }
  | { readonly what: 'crash'; readonly part: PartName; readonly at: number; readonly down: number }
  | { readonly what: 'restart'; readonly part: PartName }
  | { readonly what: 'stop'; readonly part: ControllerName; readonly before: Moment; readonly ms: number }
  | { readonly what: 'clock'; readonly part: PartName; readonly by: number }
  | { readonly what: 'cut'; readonly part: PartName; readonly ms: number }
  | { readonly what: 'lossy'; readonly part: PartName; readonly calls: number }
  | { readonly what: 'late'; readonly part: HostName }
  | { readonly what: 'store restarts' | 'store emptied'; readonly ms: number }
  | { readonly what: 'replay'; readonly pick: number }
  | { readonly what: 'rivals'; readonly count: number; readonly wishes?: Readonly<Record<AppName, AppWish>> }
  | { readonly what: 'break'; readonly of: Break; readonly replica: string }
  | { readonly what: 'mishaps'; readonly part: HostName; readonly kind: string; readonly how: readonly Mishap[] }
  | { readonly what: 'git away'; readonly part: ControllerName; readonly ms: number }
);

/** What is given from the start: numbers for what is left to chance, and how wrong each clock is then, milliseconds. */
export interface Setting {
  readonly seed: number;
  readonly skews: Readonly<Record<PartName, number>>;
}

const MINUTE = 60_000;
const HOUR: number = 60 * MINUTE;
const DAY: number = 24 * HOUR;
const host = fc.constantFrom(...HOSTS);
const controller = fc.constantFrom(...CONTROLLERS);
const part = fc.constantFrom<PartName>(...HOSTS, ...CONTROLLERS, ...CONTROLLERS);
const wait = fc.constantFrom(0, 50, 500, 3_000, 12_000, 40_000);
const skew = fc.constantFrom(0, 0, -5 * MINUTE, -20_000, 20_000, 5 * MINUTE);
const is = <T extends string>(what: T): fc.Arbitrary<T> => fc.constant(what);

const wish: fc.Arbitrary<AppWish> = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 4 }),
    image: fc.constantFrom('img:1', 'img:2', 'img:3', BAD_IMAGE),
    cpu: fc.constantFrom(100, 500, 1500),
    careful: fc.constant(true as const),
  },
  { requiredKeys: ['replicas', 'image', 'cpu'] },
);

const STEPS: readonly fc.WeightedArbitrary<Step>[] = [
  {
    weight: 8,
    arbitrary: fc.record({ what: is('commit'), app: fc.constantFrom(...APPS), wish, wait }),
  },
  { weight: 1, arbitrary: fc.record({ what: is('commit'), app: fc.constantFrom(...APPS), wait }) },
  { weight: 4, arbitrary: fc.record({ what: is('drain'), host, wait }) },
  {
    weight: 5,
    arbitrary: fc.record({
      what: is('crash'),
      part,
      at: fc.integer({ min: 1, max: 60 }),
      down: fc.constantFrom(0, 3_000, 25_000),
      wait,
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: is('restart'), part, wait }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: is('stop'),
      part: controller,
      before: fc.constantFrom<Moment>('commit', 'assign', 'assign', 'post', 'acquire'),
      ms: fc.constantFrom(3_000, 20_000, 70_000),
      wait,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: is('clock'),
      part,
      by: fc.constantFrom(-3 * DAY, -HOUR, -5 * MINUTE, -20_000, 20_000, 5 * MINUTE, HOUR, 3 * DAY),
      wait,
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: is('cut'), part, ms: fc.constantFrom(3_000, 15_000, 50_000), wait }) },
  { weight: 2, arbitrary: fc.record({ what: is('lossy'), part, calls: fc.integer({ min: 1, max: 4 }), wait }) },
  { weight: 1, arbitrary: fc.record({ what: is('late'), part: host, wait }) },
  { weight: 1, arbitrary: fc.record({ what: is('store restarts'), ms: fc.constantFrom(500, 5_000, 30_000), wait }) },
  { weight: 1, arbitrary: fc.record({ what: is('store emptied'), ms: fc.constantFrom(500, 5_000, 30_000), wait }) },
  { weight: 2, arbitrary: fc.record({ what: is('replay'), pick: fc.nat(50), wait }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: is('rivals'),
      count: fc.integer({ min: 1, max: 3 }),
      // without something that all of them are to place there is nothing to compete for
      wishes: fc.record({ a: wish, b: wish, c: wish }),
      wait,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: is('break'),
      of: fc.constantFrom<Break>('no container', 'no sandbox', 'no port', 'exited'),
      replica: fc.constantFrom('a-0', 'a-1', 'b-0', 'b-1', 'b-2', 'c-0'),
      wait,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: is('mishaps'),
      part: host,
      kind: fc.constantFrom('sandbox', 'port', 'container', 'cgroup', 'image'),
      how: fc.array(fc.constantFrom<Mishap>('refused', 'hangs', 'slow', 'lost'), { minLength: 1, maxLength: 3 }),
      wait,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: is('git away'), part: controller, ms: fc.constantFrom(10_000, 60_000), wait }),
  },
];

/** Any one thing that may happen. */
export const step: fc.Arbitrary<Step> = fc.oneof(...STEPS);

/** Any beginning. */
export const setting: fc.Arbitrary<Setting> = fc.record({
  seed: fc.nat(),
  skews: fc.record({ h0: skew, h1: skew, h2: skew, h3: skew, c1: skew, c2: skew }),
});
