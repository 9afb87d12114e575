import type { AppSpec, Catalog, Resource, Resources } from '../model/catalog.ts';
import type { RolloutRecord } from '../model/release.ts';

/**
 * The catalog by which room is reserved. While a change of an App with a `rollout` block is under way, or was given up, there is
 * room for what ran before it as well as for what Git says: what others took meanwhile would block the way back.
 */
export function reserving(catalog: Catalog, records: readonly RolloutRecord[]): Catalog {
  const roomy = records.flatMap(({ app: name, good }): readonly (readonly [string, Resource<AppSpec>])[] => {
    const app = catalog.apps.get(name);
    return app?.spec.rollout ? [[name, { ...app, spec: roomier(app.spec, good.spec.resources) }]] : [];
  });
  return roomy.length === 0 ? catalog : { ...catalog, apps: new Map([...catalog.apps, ...roomy]) };
}

/** Whether a change still counts on how many replicas serve: it neither stands still, nor is over or given up for good. */
export function isUnderWay({ stage }: RolloutRecord): boolean {
  return stage !== 'frozen' && stage !== 'reverted' && stage !== 'stopped';
}

function roomier(spec: AppSpec, { cpu, pinned, memory, pids }: Resources): AppSpec {
  const { resources } = spec;
  const larger = Math.max(cpu, resources.cpu);
  const whole = pinned ?? resources.pinned;
  const most = {
    ...(whole ? { pinned: whole, cpu: 1000 * Math.ceil(larger / 1000) } : { cpu: larger }),
    memory: Math.max(memory, resources.memory),
    pids: Math.max(pids, resources.pids),
  };
  return { ...spec, resources: { ...resources, ...most } };
}
