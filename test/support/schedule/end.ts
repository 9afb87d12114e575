import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assertOutcomes } from '../expected.ts';
import { HOSTS, replicasIn, revisionAt } from './git.ts';
import { assertExactly } from './laws.ts';
import type { Alive, Cast } from './parts.ts';
import type { PartName } from './steps.ts';

const SECOND = 1_000;
const MINUTE: number = 60 * SECOND;
/** Longest until all is as Git asks once nothing goes wrong any more: a change that hangs is given up after ten minutes. */
const CONVERGES: number = 15 * MINUTE;
/** Looks of controllers at the store until then: each pass begins with one. */
const PASSES = 600;

/** A schedule whose faults have stopped. */
export interface Ending {
  readonly cast: Cast;
  readonly alive: ReadonlyMap<PartName, Alive>;
  /** What was written but leases, and how often a controller looked. */
  readonly counts: { writes: number; passes: number };
  /** What happened last. */
  readonly notes: readonly string[];
  readonly pass: (ms: number) => Promise<unknown>;
  readonly answer: <T>(promise: Promise<T>, what: string) => Promise<T>;
  /** Fails where a law was broken. */
  readonly check: () => void;
}

/** All that is kept anywhere: the store but for leases, and files of hosts and journals. */
async function kept({ root, time, ground, hosts }: Cast): Promise<readonly string[]> {
  const sizes = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(h|c)\d/.test(name) && !name.includes('simulated'))
    .sort()
    .map((name) => `${name} ${String(statSync(join(root, name)).size)}`);
  return [await time.work(ground.content()), ...sizes, ...HOSTS.map((name) => hosts[name].text())];
}

/** What is not yet as Git asks, in words. */
async function missing({ cast, alive, answer }: Ending): Promise<string | undefined> {
  const { time, ground, git, hosts } = cast;
  const snapshot = await time.work(ground.truth().reservations.snapshot());
  const left = assertExactly(hosts, git, snapshot, replicasIn(git.head()));
  if (left !== undefined) return left;
  const asked = alive.get('c1')?.view.status();
  const status = await answer(asked?.catch(() => undefined) ?? Promise.resolve(undefined), 'status');
  if (!status) return 'the status cannot be read';
  const { revision, sync, health, items, messages } = status;
  const wanted = revisionAt(git.revisions.length - 1);
  if (revision === wanted && sync === 'Synced' && health === 'Healthy') return undefined;
  const bad = items.filter((item) => item.health !== 'Healthy' || item.sync !== 'Synced');
  const said = `${revision} ${sync} ${health}, not ${wanted}`;
  return [said, ...messages, ...bad.map((item) => JSON.stringify(item))].join('\n');
}

/** Waits until all is as Git asks; fails when it does not come to that. */
export async function converge(ending: Ending): Promise<void> {
  const { cast, counts, notes, pass, check } = ending;
  counts.passes = 0;
  for (const end = cast.time.now() + CONVERGES; ; await pass(2 * SECOND)) {
    check();
    const what = await missing(ending);
    if (what === undefined) break;
    if (cast.time.now() > end) assert.fail(`faults stopped, and it does not converge: ${what}\n${notes.join('\n')}`);
  }
  assert.ok(counts.passes <= PASSES, `it took ${String(counts.passes)} passes to converge`);
}

/** Nothing is written anywhere while nothing is to be done. */
export async function rest({ cast, counts, notes, pass, check }: Ending): Promise<void> {
  // a last look at everything: what it says of a bridge counts ports
  await pass(90 * SECOND);
  const before = await kept(cast);
  counts.writes = 0;
  await pass(3 * MINUTE);
  check();
  const after = await kept(cast);
  const changed = after.filter((text, at) => text !== before[at]);
  const why = `something was written although nothing was to be done\n${notes.join('\n')}`;
  assert.deepEqual([counts.writes, changed], [0, []], why);
}

/** Each journal is whole, has an outcome for each intent, and its copy in the store ends where it does. */
export async function journals({ cast: { time, ground }, alive }: Ending): Promise<void> {
  for (const [part, { journal, writer }] of alive) {
    const own = await time.work(journal.verify());
    const copy = await time.work(ground.truth().journals.of(writer).verify());
    assert.equal(copy.head, own.head, `the copy of the journal of ${part}`);
    await time.work(assertOutcomes({ journal }));
  }
}
