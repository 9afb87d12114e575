import { demand, keptBy } from './assignment-shape.ts';
import type { Claim, Known, Limitation, Unknown } from './change.ts';
import type { MemoryUse, Reclaimed } from './memory.ts';
import type { Condition, HostFacts, ReplicaReport, Report } from './replica.ts';
import type { CgroupState } from './resources.ts';
import {
  anything,
  flag,
  isObject,
  listOf,
  mapOf,
  maybe,
  members,
  number,
  object,
  positive,
  text,
  time,
  whole,
} from './shape.ts';
import type { Shape } from './shape.ts';

const facts = object<HostFacts>({
  ...{ hostname: text, machineId: text, addresses: listOf(text), capacity: demand },
  ...{ threadsPerCore: maybe(positive), kernel: text, cgroup: text, platform: maybe(text) },
});

const replica = object<ReplicaReport>({
  ...{ id: text, phase: text, ready: flag, restarts: number, settlesAt: maybe(time), unprobed: maybe(flag) },
  ...{ reason: maybe(text), message: maybe(text), fingerprint: maybe(text) },
  ...{ incarnation: maybe(text), form: maybe(text), image: maybe(text) },
});

const limitation = object<Limitation>({
  ...{ ref: text, path: text, state: text, why: text, errno: maybe(text), want: anything, fix: maybe(text) },
});
const claim = object<Claim>({ ref: text, by: text, when: text, value: maybe(text), fix: text });

/** A state is its provider's; of cgroups a controller asks for this. */
const cgroup = object<Pick<CgroupState, 'memory'>>({ memory: maybe(number) });
const known = object<Known>({
  ...{ known: flag, ref: text, state: members, owned: flag, version: maybe(text) },
  ...{ limitations: maybe(listOf(limitation)), claims: maybe(listOf(claim)) },
});
const unknown = object<Unknown>({ known: flag, ref: text, why: text });
const observed: Shape = (value) => {
  if (!isObject(value) || value['known'] !== true) return unknown(value);
  const wrong = known(value);
  if (wrong !== undefined || !(value['ref'] as string).startsWith('cgroup/')) return wrong;
  const inState = cgroup(value['state']);
  return inState === undefined ? undefined : `/state${inState}`;
};

const condition = object<Condition>({
  ...{ type: text, status: flag, reason: text, message: text, observedGeneration: whole },
});

const reclaimed = object<Reclaimed>({ at: time, freed: number });
const memory = object<MemoryUse>({ counted: number, used: number, total: number, reclaimed: maybe(reclaimed) });

const report = object<Omit<Report, 'kept'>>({
  ...{ protocol: maybe(whole), host: text, generation: whole, revision: text, at: time, facts },
  ...{ replicas: listOf(replica), observed: listOf(observed), limitations: listOf(limitation) },
  ...{ conflicts: maybe(listOf(claim)), knobs: maybe(number), conditions: listOf(condition) },
  memory: maybe(mapOf(memory)),
});

/** Where something is not the Report of a host, by all that this version reads; undefined where it is. */
export function unlikeReport(value: unknown, host: string): string | undefined {
  const wrong = report(value);
  if (wrong !== undefined) return wrong;
  const told = value as Report;
  if (told.host !== host) return '/host';
  const inKept = maybe(keptBy(host))(told.kept);
  return inKept === undefined ? undefined : `/kept${inKept}`;
}
