import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { AppSpec, RolloutSpec } from '../../reconciler/model/catalog.ts';
import { attemptOf, versionOf } from '../../reconciler/model/release.ts';
import type { RolloutRecord, Stage } from '../../reconciler/model/release.ts';
import { replicaId } from '../../reconciler/model/replica.ts';
import type { AssignedReplica, Placement, ReplicaReport } from '../../reconciler/model/replica.ts';
import { incarnationOf } from '../../reconciler/model/rollout.ts';
import { rollout } from '../../reconciler/plan/rollout.ts';
import type { Rollout } from '../../reconciler/plan/rollout.ts';
import { UNLIMITED } from './budget.ts';
import { appSpec, catalogOf, resources } from './catalog.ts';

/** The images that a scene's letters stand for. */
export const IMAGES: Readonly<Record<string, string>> = { o: 'old', n: 'new', x: 'other' };

function placementOf(ordinal: number): Placement {
  const { cpu, memory, pids } = resources(1000, 1024, 100);
  const replica = replicaId('web', ordinal);
  const where = { host: `h${String(ordinal)}`, network: 'net', address: `10.1.0.${String(10 + ordinal)}` };
  return { replica, app: 'web', zone: 'main', ...where, demand: { cpu, memory, pids }, epoch: 1 };
}

function assignedOf(ordinal: number, image: string, sign = '+'): AssignedReplica {
  const origin = { revision: 'r0', file: 'web.yaml', line: 1, column: 1 };
  const spec = appSpec({ image, ...(sign === '*' ? { frozen: true } : {}) });
  return {
    id: replicaId('web', ordinal),
    app: 'web',
    owner: 'team',
    spec,
    placement: placementOf(ordinal),
    origin,
    fields: {},
  };
}

/** How a host speaks of a replica: + serves, ~ ready but not yet for long enough, - fails, . is not ready and says no more, b has yet to be probed, * stands still as it was told, ? knows not of its last Assignment, l neither and is lost, ! not at all. */
function reportOf(assigned: AssignedReplica, sign: string): ReplicaReport {
  const ready = '+~?*'.includes(sign);
  return {
    id: assigned.id,
    phase: sign === '*' ? 'Frozen' : ready ? 'Ready' : 'Running',
    ready,
    restarts: 0,
    fingerprint: 'f',
    incarnation: incarnationOf(assigned),
    ...(sign === '~' ? { settlesAt: 9 } : {}),
    ...(sign === '-' ? { reason: 'ProbeFailed', message: 'readiness probe: 500' } : {}),
    ...(sign === 'b' ? { unprobed: true } : {}),
  };
}

/** An App, usually with a `rollout` block, in the middle of something. */
export interface Scene {
  /** A letter for the image (o old, n new, x other; - never assigned) and a sign for each replica. */
  readonly standing: string;
  /** Its `rollout` block, `none` where there is none. */
  readonly how?: Partial<RolloutSpec> | 'none';
  readonly maxUnavailable?: number;
  readonly record?: Partial<RolloutRecord>;
  readonly now?: number;
  readonly judgeFrom?: number;
  readonly ahead?: string;
  readonly image?: string;
  /** Its Zone lets no more be away. */
  readonly full?: true;
  /** It is to stand still. */
  readonly frozen?: true;
  /** Where it leads is asked for, not the next step. */
  readonly whole?: true;
}

const cellsOf = ({ standing }: Scene): readonly string[] => (standing === '' ? [] : standing.split(' '));

const GOOD = { spec: appSpec({ image: 'old' }), origin: assignedOf(0, 'old').origin, fields: {} };

function specOf(scene: Scene): AppSpec {
  const { how, maxUnavailable = 1, image = 'new', frozen } = scene;
  const own = how === 'none' ? {} : how;
  const block: RolloutSpec = { minReady: 0, autoRevert: own?.progressDeadline !== undefined, ...own };
  const plain = appSpec({ image, maxUnavailable, replicas: cellsOf(scene).length, ...(frozen ? { frozen } : {}) });
  return how === 'none' ? plain : { ...plain, rollout: block };
}

/** One pass over it. */
export function run(scene: Scene): Rollout {
  const cells = cellsOf(scene).map((cell, ordinal) => ({ image: cell[0] ?? '', sign: cell[1] ?? '', ordinal }));
  const spec = specOf(scene);
  const app = catalogOf({ apps: { web: spec }, revision: 'r1' }).apps.get('web');
  assert.ok(app);
  const given = cells.flatMap(({ image, sign, ordinal }) =>
    image === '-' ? [] : [{ assigned: assignedOf(ordinal, IMAGES[image] ?? '', sign), sign }],
  );
  const blank = {
    app: 'web',
    version: versionOf({ spec }),
    attempt: attemptOf(spec),
    revision: 'r1',
    good: GOOD,
    given: 0,
    served: 0,
  };
  return rollout({
    app,
    placements: new Map(cells.map(({ ordinal }) => [replicaId('web', ordinal), placementOf(ordinal)])),
    current: new Map(given.map(({ assigned }) => [assigned.id, assigned])),
    reports: new Map(
      given.flatMap(({ assigned, sign }) =>
        '!l'.includes(sign) ? [] : [[assigned.id, reportOf(assigned, sign)] as const],
      ),
    ),
    late: new Set(given.flatMap(({ assigned, sign }) => ('?l'.includes(sign) ? [assigned.id] : []))),
    lost: new Set(cells.flatMap(({ sign, ordinal }) => (sign === 'l' ? [placementOf(ordinal).host] : []))),
    network: () => undefined,
    told: () => undefined,
    mayPlug: () => true,
    disruption: scene.full ? { ...UNLIMITED, left: () => 0 } : UNLIMITED,
    record: scene.record && { ...blank, stage: 'rolling', message: '', ...scene.record },
    revision: 'r1',
    now: scene.now ?? 1000,
    judgeFrom: scene.judgeFrom ?? 0,
    ahead: () => scene.ahead,
    ...(scene.whole ? { whole: true } : {}),
  });
}

/** Canaries, and a deadline for progress. */
export const CANARY: Partial<RolloutSpec> = { canary: { replicas: 2, pause: 500 } };
export const DEADLINE: Partial<RolloutSpec> = { progressDeadline: 600 };

/** A scene, and what becomes of it. */
export interface Case extends Scene {
  readonly name: string;
  /** A letter a replica: the image that each is given. */
  readonly gives: string;
  /** Absent when there is nothing to remember. */
  readonly stage?: Stage;
  readonly until?: number;
}

/** A test for each case. */
export function plays(cases: readonly Case[]): void {
  for (const { name, gives, stage, until, ...scene } of cases)
    it(name, () => {
      const { replicas, record } = run(scene);
      const letters = replicas.map(({ spec }) => Object.keys(IMAGES).find((letter) => IMAGES[letter] === spec.image));
      assert.deepEqual([letters.join(''), record?.stage, record?.until], [gives, stage, until]);
    });
}
