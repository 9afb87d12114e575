import { isDeepStrictEqual } from 'node:util';
import type { Claim, Desired, Known, Limitation } from '../../model/change.ts';
import { powerRemedy } from '../../model/power.ts';
import { kindOf } from '../../model/ref.ts';
import type { Report } from '../../model/replica.ts';
import type { AgentOptions, AgentState } from './agent-state.ts';

/** What is built, not set. All other kinds are values that the kernel or a daemon is to hold. */
const BUILT: ReadonlySet<string> = new Set(['image', 'sandbox', 'port', 'container', 'bridge', 'cores', 'memory']);
/** Members of a spec that say what it is about, or how it is done. */
const ABOUT: ReadonlySet<string> = new Set(['replica', 'key', 'cpu', 'pinned', 'force', 'realtime']);

type Values = Readonly<Record<string, unknown>>;

/** That a machine lacks a knob which nobody asks for is no news; nor is what was said of another value. */
function stillSaid({ limitations = [] }: Known, spec: Values): readonly Limitation[] {
  return limitations.filter(({ path, want }) => {
    const value = spec[path.slice(1)];
    return value !== undefined && (want === undefined || isDeepStrictEqual(want, value));
  });
}

function words(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

interface Input {
  readonly options: Pick<AgentOptions, 'providers'>;
  readonly state: AgentState;
}

/** What differs now and is not put right at once, with why: it waits, or its change fails. */
function driftOf({ options, state }: Input, want: Desired, have: Known): readonly Limitation[] {
  const { ref } = want;
  const failure = state.failures.get(ref);
  const why = state.waiting.get(ref) ?? failure?.error;
  // the next pass puts it right
  if (why === undefined) return [];
  const provider = options.providers.find(({ kinds }) => kinds.includes(kindOf(ref)));
  const fields = provider?.diff([want], [have]).flatMap((change) => change.fields) ?? [];
  return fields.map(({ path, have: has, want: wish }) => ({
    ref,
    path,
    // of a cgroup, whose provider says it, one field is refused and others wait
    state: failure?.code === 'KNOB_REFUSED' && kindOf(ref) !== 'cgroup' ? 'Refused' : 'Drifted',
    why: `${words(has)}, and ${words(wish)} is asked for: ${why}`,
  }));
}

/** With what mends it, of a machine that saves power other than it is to. */
function remedied(said: Limitation, { value }: Values): Limitation {
  const fix = said.fix ?? powerRemedy(said, value);
  return fix === undefined ? said : { ...said, fix };
}

/** Who else sets what is asked for. Who sets the same stands against nobody. */
function conflictsOf({ claims = [] }: Known, spec: Values): readonly Claim[] {
  const folded = (value: unknown): string => words(value).trim().split(/\s+/).join(' ');
  return claims.filter(({ value }) => value === undefined || folded(value) !== folded(spec['value']));
}

/** How the kernel and daemons stand to what is asked of them: how many values that are, and those that are not as they should be. */
export function standing(input: Input): Pick<Report, 'limitations' | 'knobs' | 'conflicts'> {
  const { world, desired } = input.state;
  let knobs = 0;
  for (const { ref, spec } of desired.values())
    if (!BUILT.has(kindOf(ref))) knobs += Object.keys(spec as object).filter((key) => !ABOUT.has(key)).length;
  const limitations = world.all().flatMap((item) => {
    const want = desired.get(item.ref);
    if (!item.known || want === undefined) return [];
    const spec = want.spec as Values;
    const said = stillSaid(item, spec).map((one) => remedied(one, spec));
    if (BUILT.has(kindOf(item.ref))) return said;
    const paths = new Set(said.map(({ path }) => path));
    const drift = driftOf(input, want, item).filter(({ path }) => !paths.has(path));
    return [...said, ...drift.map((one) => remedied(one, spec))];
  });
  const conflicts = world.all().flatMap((item) => {
    const want = desired.get(item.ref);
    return item.known && want ? conflictsOf(item, want.spec as Values) : [];
  });
  return { limitations, knobs, ...(conflicts.length > 0 ? { conflicts } : {}) };
}
