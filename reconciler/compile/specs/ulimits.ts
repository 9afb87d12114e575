import type { App } from '../../../schemas/types.ts';
import type { AppSpec } from '../../model/catalog.ts';
import type { Say } from './say.ts';

type Manifest = App['spec'];

/** The uid of a user as a manifest names it, as `10001` or `10001:100`; undefined: only an image can tell. */
export function uidOf(user: string | undefined): number | undefined {
  const [, uid] = /^([0-9]+)(?::.*)?$/.exec(user ?? '') ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** Whether an App limits how many processes its uid has. */
export function limitsProcesses({ ulimits }: Pick<AppSpec, 'ulimits'>): boolean {
  const { soft = -1, hard = -1 } = ulimits['nproc'] ?? {};
  return soft !== -1 || hard !== -1;
}

/** The uid of the sandboxes of all replicas. */
const SANDBOX = 65_534;

/** Why processes of a user cannot be counted as an App's own; undefined where they can. */
function uncounted(user: string | undefined): string | undefined {
  const uid = uidOf(user);
  if (user === undefined) return 'its user is whichever the image has';
  if (uid === undefined) return `only its image knows which uid ${user} is`;
  if (uid === 0) return 'it counts nothing that root runs';
  return uid === SANDBOX ? `${String(SANDBOX)} is the uid of all sandboxes` : undefined;
}

/** The ulimits of an App; one of processes only with a uid by which they can be told from those of others. */
export function ulimitsOf({ ulimits: asked = {}, user }: Manifest, say: Say): AppSpec['ulimits'] {
  const ulimits = limitsIn(asked, say);
  const why = limitsProcesses({ ulimits }) ? uncounted(user) : undefined;
  if (why !== undefined)
    say(
      '/spec/ulimits/nproc',
      'BAD_VALUE',
      `spec.ulimits.nproc counts what a uid runs on a host, and ${why}`,
      'a spec.user that no other App has, as "10001"; or spec.resources.pids, which holds each replica',
    );
  return ulimits;
}

function limitsIn(ulimits: NonNullable<Manifest['ulimits']>, say: Say): AppSpec['ulimits'] {
  return Object.fromEntries(
    Object.entries(ulimits).map(([name, value]) => {
      const { soft, hard } = typeof value === 'number' ? { soft: value, hard: value } : value;
      if (hard !== -1 && (soft === -1 || soft > hard))
        say(
          `/spec/ulimits/${name}/soft`,
          'BAD_VALUE',
          `the soft limit of ${name} is above the hard one`,
          `at most ${String(hard)}`,
        );
      return [name, { soft, hard }];
    }),
  );
}
