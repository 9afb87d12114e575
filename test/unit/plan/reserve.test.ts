import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { RolloutRecord } from '../../../reconciler/model/release.ts';
import { reserving } from '../../../reconciler/plan/reserve.ts';
import { appSpec, catalogOf, resources } from '../../support/catalog.ts';

it('while a change is under way there is room for what ran before it as well as for what Git says', () => {
  const rollout = { minReady: 0, autoRevert: true, progressDeadline: 1000 };
  const catalog = catalogOf({ apps: { web: { rollout, resources: resources(100, 256, 20) }, api: {} } });
  const good = { spec: appSpec({ resources: resources(300, 128, 20) }), origin: catalog.fleet.origin, fields: {} };
  const at = { version: 'v', attempt: 'a', revision: 'r', given: 0, served: 0, stage: 'rolling', message: '' } as const;
  const record: RolloutRecord = { app: 'web', good, ...at };
  const made = reserving(catalog, [record, { ...record, app: 'gone' }]);
  const { cpu, memory, pids } = made.apps.get('web')?.spec.resources ?? assert.fail();
  assert.deepEqual({ cpu, memory, pids }, { cpu: 300, memory: 256 * 2 ** 20, pids: 20 });
  assert.equal(made.apps.get('api'), catalog.apps.get('api'));
  assert.equal(reserving(catalog, []), catalog, 'at rest only for what Git says');
});
