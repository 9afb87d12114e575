import { refOf } from '../reconciler/model/ref.ts';
import type { Assignment } from '../reconciler/model/replica.ts';
import type { Snapshot } from '../reconciler/model/reservations.ts';
import { expand } from '../reconciler/plan/expand.ts';
import { askedStore, fleetStore } from './fleet-store.ts';
import type { Io } from './io.ts';
import { pathsOf } from './paths.ts';
import { remembered } from './stored.ts';
import { withView, type Looking } from './view.ts';

/** What names are taken from. Of a fleet one Assignment will do: replicas are in the snapshot, and hosts share their knobs. */
interface Names {
  readonly snapshot: Snapshot;
  readonly assignments: readonly Assignment[];
}

/** Who presses Tab waits no longer, milliseconds. */
const DEADLINE = 2_000;

/**
 * The refs (for `explain` the replicas, Apps and hosts, for `capacity` the Apps, for `drain` the hosts, for `status` the parts) that a word of a
 * command line may name; none when nothing can be read in time.
 */
export async function candidatesOf(verb: string, words: readonly string[], io: Io): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), DEADLINE);
  });
  try {
    // a completion never complains
    const names = await Promise.race([namesOf(words, { ...io, err: () => undefined }), late]);
    return names === undefined ? [] : wordsOf(verb, names);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}

function wordsOf(verb: string, { snapshot, assignments }: Names): readonly string[] {
  const placements = [...snapshot.placements.values()];
  const hosts = [...snapshot.hosts.values()];
  const apps = [...new Set(placements.map(({ app }) => app))];
  if (verb === 'explain')
    return [
      ...placements.map(({ replica }) => replica),
      ...apps.map((app) => `app/${app}`),
      ...hosts.map(({ host }) => `host/${host}`),
    ];
  if (verb === 'drain') return hosts.map(({ host }) => host);
  if (verb === 'capacity') return apps;
  if (verb === 'status') {
    const parts = (['host', 'rack', 'switch', 'zone'] as const).flatMap((kind) =>
      hosts.map((record) => `${kind}/${record[kind]}`),
    );
    return [...new Set([...apps.map((app) => `app/${app}`), ...parts])];
  }
  const own = placements.flatMap(({ replica }) =>
    ['container', 'port', 'sandbox', 'cgroup'].map((kind) => refOf(kind, replica)),
  );
  const whole = [...apps.map((app) => `app/${app}`), ...hosts.map(({ host }) => `host/${host}`)];
  return [
    ...new Set([
      ...(verb === 'history' ? whole : []),
      ...own,
      ...assignments.flatMap((assignment) => expand(assignment).map(({ ref }) => ref)),
    ]),
  ];
}

/** What a fleet's store or a running `up` knows, else what its state directory remembers. */
async function namesOf(words: readonly string[], io: Io): Promise<Names> {
  const flags = stateOf(words);
  if (askedStore(flags, io) !== undefined) return namesOfFleet(flags, io);
  try {
    return await withView(flags, io, (view) => view.known());
  } catch {
    return (await remembered(pathsOf(flags, io).state)).known;
  }
}

async function namesOfFleet(flags: Looking, io: Io): Promise<Names> {
  const store = await fleetStore(flags, { writer: 'reader', patience: DEADLINE }, io)();
  try {
    const snapshot = await store.reservations.snapshot();
    const [host] = snapshot.hosts.keys();
    const assignment = host === undefined ? undefined : await store.mailbox.assignment(host);
    return { snapshot, assignments: assignment ? [assignment] : [] };
  } finally {
    await store.close();
  }
}

/** The state options among the words typed so far. */
function stateOf(words: readonly string[]): Looking {
  const valueOf = (flag: string): string | undefined => {
    const at = words.indexOf(flag);
    return at < 0 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
  };
  const named = { stateDir: '--state-dir', socket: '--socket', store: '--store', fleet: '--fleet' } as const;
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, flag]) => {
      const value = valueOf(flag);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
