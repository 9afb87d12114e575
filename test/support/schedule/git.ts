import type { Fetched, Repository } from '../../../reconciler/loop/controller/repository.ts';
import type { Catalog, RolloutSpec } from '../../../reconciler/model/catalog.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { fingerprint } from '../../../reconciler/model/fingerprint.ts';
import { appOf, ordinalOf, replicaId } from '../../../reconciler/model/replica.ts';
import { catalogOf, resources } from '../catalog.ts';
import type { VirtualTime } from '../virtual-time.ts';

export const HOSTS = ['h0', 'h1', 'h2', 'h3'] as const;
export const CONTROLLERS = ['c1', 'c2'] as const;
export const APPS = ['a', 'b', 'c'] as const;
export type HostName = (typeof HOSTS)[number];
export type ControllerName = (typeof CONTROLLERS)[number];
export type AppName = (typeof APPS)[number];

/** Nothing serves that runs this image. */
export const BAD_IMAGE = 'img:bad';
/** The id that a simulated host gives an image. */
export function imageId(reference: string): string {
  return `sha256:${fingerprint(reference).repeat(4)}`;
}

/** How many replicas of the Zone may be away at once by what Plumbline does. */
export const MOST_AWAY = 2;
/** The same for each App, and how it is spread: neither ever changes, so that it can be held to at any moment. */
export const FIXED = {
  a: { maxUnavailable: 1, level: 1, spread: { host: 1 } },
  b: { maxUnavailable: 2, level: 2, spread: { rack: 3 } },
  c: { maxUnavailable: 1, level: 2, spread: {} },
} as const;

export interface AppWish {
  readonly replicas: number;
  readonly image: string;
  /** Thousandths of a core. */
  readonly cpu: number;
  /** It has a rollout block. */
  readonly careful?: true | undefined;
}

/** What Git asks for. */
export interface FleetWishes {
  readonly apps: Readonly<Partial<Record<AppName, AppWish>>>;
  readonly drained: readonly HostName[];
}

const CAREFUL: RolloutSpec = {
  minReady: 2_000,
  canary: { replicas: 1, pause: 5_000 },
  progressDeadline: 60_000,
  autoRevert: true,
};
const readiness = {
  check: { type: 'tcp', port: 80 },
  period: 5_000,
  timeout: 1_000,
  failures: 3,
  successes: 1,
} as const;

/** The catalog of the wishes at a revision. */
export function catalogAt({ apps, drained }: FleetWishes, revision: string): Catalog {
  const entries = Object.entries(apps) as [AppName, AppWish][];
  const made = catalogOf({
    revision: 'lines',
    apps: Object.fromEntries(
      entries.map(([name, { replicas, image, cpu, careful }]) => [
        name,
        {
          ...FIXED[name],
          replicas,
          image,
          resources: resources(cpu),
          probes: { readiness },
          ...(careful ? { rollout: CAREFUL } : {}),
        },
      ]),
    ),
    hosts: Object.fromEntries(
      HOSTS.map((host, at) => [
        host,
        { topology: { rack: `r${String(at >> 1)}`, switch: 's0' }, drain: drained.includes(host) },
      ]),
    ),
    zones: { main: { disruption: { maxUnavailable: { count: MOST_AWAY } } } },
    networks: { net: { pool: [['10.1.0.10', '10.1.0.60']], quarantine: 60_000 } },
  });
  return { ...made, revision };
}

/** A Git repository in memory. */
export interface FleetGit {
  readonly revisions: FleetWishes[];
  head(): FleetWishes;
  /** As a controller sees it; `away` says until when it cannot reach it, milliseconds since 1970. */
  repository(time: VirtualTime, away: () => number): Repository;
  /** Whether all revisions from one on ask for a replica. */
  wanted(replica: string, since?: string): boolean;
}

/** The name of a revision by its number. */
export function revisionAt(number: number): string {
  return `r${String(number)}`;
}

/** A repository that asks for nothing yet. */
export function fleetGit(): FleetGit {
  const revisions: FleetWishes[] = [{ apps: {}, drained: [] }];
  const asksFor = ({ apps }: FleetWishes, replica: string): boolean =>
    ordinalOf(replica) < (apps[appOf(replica) as AppName]?.replicas ?? 0);
  return {
    revisions,
    head: () => revisions.at(-1) ?? { apps: {}, drained: [] },
    repository: (time, away) => {
      let mirrored: number | undefined;
      return {
        fetch: () => {
          const gone = away() > time.now();
          if (!gone) mirrored = revisions.length - 1;
          if (mirrored === undefined) return Promise.reject(new PlumbError('SOURCE_UNREACHABLE', 'Git is away'));
          const error = gone ? { error: 'Git is away' } : {};
          const revision = revisionAt(mirrored);
          const fetched: Fetched = { url: 'u', ref: 'main', revision, fetchedAt: time.now(), notes: [], ...error };
          return Promise.resolve(fetched);
        },
        catalog: (revision) =>
          Promise.resolve(catalogAt(revisions[Number(revision.slice(1))] ?? { apps: {}, drained: [] }, revision)),
        commit: () => Promise.resolve({ author: 'Ann', subject: 'Change' }),
      };
    },
    wanted: (replica, since = revisionAt(revisions.length - 1)) =>
      revisions.slice(Number(since.slice(1))).every((one) => asksFor(one, replica)),
  };
}

/** The replicas that wishes ask for, by App. */
export function replicasIn({ apps }: FleetWishes): readonly string[] {
  return Object.entries(apps)
    .flatMap(([name, { replicas }]) => Array.from({ length: replicas }, (_none, at) => replicaId(name, at)))
    .sort();
}
