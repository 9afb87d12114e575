import type { Zone } from '../../../schemas/types.ts';
import type { ZoneSpec } from '../../model/catalog.ts';
import { parseBytes, parseCpu } from '../../model/units.ts';
import { pathProblem } from './paths.ts';
import { defined, filled } from './say.ts';
import type { Say } from './say.ts';
import { selectorOf } from './selector.ts';

/** The Zone's spec in plain units. */
export function zoneSpec({ spec }: Zone, say: Say): ZoneSpec {
  const overcommit = filled(spec.overcommit);
  const allowedHostPaths = filled(spec.allowedHostPaths);
  for (const [at, path] of allowedHostPaths.entries()) {
    const problem = pathProblem(path);
    if (problem !== undefined) say(`/spec/allowedHostPaths/${String(at)}`, 'BAD_VALUE', problem);
  }
  return {
    hosts: selectorOf(spec.hosts),
    levels: filled(spec.levels),
    traits: spec.traits ?? {},
    runtime: filled(spec.runtime),
    overcommit: {
      cpu: filled(overcommit.cpu),
      memory: filled(overcommit.memory),
      disk: filled(overcommit.disk),
      spindles: filled(overcommit.spindles),
    },
    reserve: {
      cpu: parseCpu(spec.reserve?.cpu ?? 0),
      memory: parseBytes(spec.reserve?.memory ?? 0),
      disk: parseBytes(spec.reserve?.disk ?? 0),
    },
    strategy: filled(spec.strategy),
    preemption: filled(spec.preemption),
    allowedHostPaths,
    ...defined<Pick<ZoneSpec, 'disruption'>>({ disruption: disruptionOf(spec) }),
  };
}

function disruptionOf({ disruption }: Zone['spec']): ZoneSpec['disruption'] {
  if (disruption === undefined) return undefined;
  const { maxUnavailable: most, repairs } = disruption;
  return defined<NonNullable<ZoneSpec['disruption']>>({
    maxUnavailable:
      most === undefined
        ? undefined
        : typeof most === 'number'
          ? { count: most }
          : { percent: Number(most.slice(0, -1)) },
    repairs: repairs && { perHost: filled(repairs.perHost), perZone: filled(repairs.perZone) },
  });
}
