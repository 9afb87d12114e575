import { randomBytes } from 'node:crypto';
import { allot, cpusetOf } from '../../reconciler/model/cores.ts';
import { canonical, fingerprint } from '../../reconciler/model/fingerprint.ts';
import type { Known } from '../../reconciler/model/change.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type {
  BridgeSpec,
  CgroupSpec,
  ContainerSpec,
  CoresSpec,
  CoresState,
  Cpuset,
  ImageSpec,
  OvsConfigSpec,
  PortSpec,
  SysctlSpec,
} from '../../reconciler/model/resources.ts';
import type { Thing } from './things.ts';

/** A state as its file keeps it. */
export type State = Thing['state'];

/** The part of a spec that only a new thing can change, by kind: containers and sandboxes. */
export type FixedParts = Readonly<Record<string, (spec: never) => object>>;

/** What a spec says beside its limits. */
const ABOUT: ReadonlySet<string> = new Set(['replica', 'cpu', 'pinned', 'force', 'escape', 'realtime', 'frozen']);

/** Looks up a thing; undefined when it is not there or not readable. */
export type Look = (ref: Ref) => Thing | undefined;

/** What an untouched sysctl of the simulated machine says. */
export const BOOT_VALUE = 'default';

/** What names a container or sandbox that is made, given its ref. */
export type NewId = (ref: Ref) => string;

const randomId: NewId = () => randomBytes(32).toString('hex');

/** The limits in a cgroup of which a spec tells. */
export function limitsOf(spec: CgroupSpec | ContainerSpec['resources']): State {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !ABOUT.has(key)));
}

/** The wanted state of a thing that is made, replaced or changed. `original` is what was there before our first write, of knobs. */
export function madeOf(
  ref: Ref,
  want: unknown,
  original: unknown,
  look: Look,
  fixed: FixedParts,
  newId: NewId = randomId,
): State {
  const replica = nameOf(ref);
  const idOf = (kind: string): unknown => look(refOf(kind, replica))?.state['id'];
  const made = (): State => {
    const part = fixed[kindOf(ref)]?.(want as never) ?? {};
    return { fingerprint: fingerprint(part), made: canonical(part) };
  };
  switch (kindOf(ref)) {
    case 'image':
      return { id: `sha256:${fingerprint((want as ImageSpec).reference).repeat(4)}` };
    case 'sandbox':
      return { id: newId(ref), status: 'running', ...made() };
    case 'container': {
      const { image, stop } = want as ContainerSpec;
      const imageId = look(refOf('image', image))?.state['id'];
      const how = { sandbox: idOf('sandbox'), stop: `${stop.signal} ${String(stop.grace)}` };
      return { id: newId(ref), status: statusFor(want), image: imageId, ...how, ...made() };
    }
    case 'port': {
      const { replica: _name, ...wanted } = want as PortSpec;
      return { ...wanted, device: `sim-${replica}`, sandbox: idOf('sandbox'), fingerprint: fingerprint(want) };
    }
    case 'bridge': {
      const { datapath, uplink } = want as BridgeSpec;
      return { datapath, uplinks: uplink === undefined ? [] : [uplink] };
    }
    case 'cgroup':
      return limitsOf(want as CgroupSpec);
    case 'cores': {
      const before = look(ref)?.state as Partial<CoresState> | undefined;
      const machine = machineFor(want as CoresSpec);
      return {
        ...machine,
        given: allot(want as CoresSpec, { ...machine, given: before?.given ?? {}, held: {} }).given,
      };
    }
    default: {
      const { value } = want as SysctlSpec | OvsConfigSpec;
      return { value, wrote: value, original };
    }
  }
}

/** Nodes of a machine that never runs out of cores: each has more than is asked of it, under numbers that stay. */
function machineFor({ pinned }: CoresSpec): Pick<CoresState, 'nodes' | 'memory'> {
  const asked = new Map([[0, 0]]);
  for (const { node, cores } of Object.values(pinned)) asked.set(node, (asked.get(node) ?? 0) + cores);
  const nodes = [...asked].sort(([a], [b]) => a - b);
  const size = (cores: number): number => 2 ** Math.ceil(Math.log2(Math.max(8, cores + 1)));
  return {
    nodes: Object.fromEntries(
      nodes.map(([node, cores]) => [
        String(node),
        Array.from({ length: size(cores) }, (_, cpu) => String(1024 * node + cpu)),
      ]),
    ),
    memory: nodes.map(([node]) => String(node)).join(','),
  };
}

/** What a knob said before our first write; undefined: it was not set. */
export function originalOf(ref: Ref, before: Thing | undefined, fleet: string): unknown {
  if (before?.owner === fleet) return before.state['original'];
  return before?.state['value'] ?? implicitOf(ref, () => undefined)?.['value'];
}

/** Docker's word for a container or sandbox as it is to be. */
function statusFor(want: unknown): string {
  return (want as Partial<ContainerSpec>).frozen === true ? 'paused' : 'running';
}

/** A container or sandbox that is there, as it is to be. */
export function startedOf({ exitCode: _ended, ...before }: State, want: unknown): State {
  return { ...before, status: statusFor(want) };
}

/** What is seen of a file's state: what follows from other things is worked out, as a kernel would. */
export function shownOf(ref: Ref, state: State, look: Look, refs: () => readonly Ref[]): State {
  const sandbox = look(refOf('sandbox', nameOf(ref)))?.state;
  const alive = isAlive(sandbox);
  switch (kindOf(ref)) {
    case 'sandbox': {
      const { pid: _pid, running: _running, ...rest } = state;
      if (!isAlive(state))
        return { ...rest, status: state['status'] === 'running' ? 'exited' : state['status'], running: false };
      return { ...rest, running: true, pid: pidOf(String(state['id'])) };
    }
    case 'container':
      return alive && state['sandbox'] === sandbox?.['id'] ? state : { ...state, sandbox: '' };
    case 'port':
      if (!alive || state['sandbox'] === sandbox?.['id']) return state;
      return { ...state, broken: 'its sandbox is gone' };
    case 'bridge': {
      const name = nameOf(ref);
      const ports = refs().filter((other) => kindOf(other) === 'port' && look(other)?.state['bridge'] === name);
      return { made: true, foreign: [], ...state, sandboxes: ports.length };
    }
    case 'cores': {
      const replicas = refs()
        .filter((other) => kindOf(other) === 'container' && runs(other, look))
        .map(nameOf);
      const { nodes = {}, memory = '', given = {} } = state as Partial<CoresState>;
      const cpuset = (replica: string): Cpuset => cpusetOf({ nodes, memory, given }, replica);
      return { ...state, held: Object.fromEntries(replicas.map((replica) => [replica, cpuset(replica)])) };
    }
    case 'cgroup':
      return { unsupported: [], ...state, id: look(refOf('container', nameOf(ref)))?.state['id'] };
    default:
      return state;
  }
}

/** What there is without a file: an untouched sysctl, the cgroup of a running container (whose limits were thrown away). */
export function implicitOf(ref: Ref, look: Look): State | undefined {
  if (['sysctl', 'knob'].includes(kindOf(ref))) return { value: BOOT_VALUE };
  if (kindOf(ref) === 'cgroup' && runs(ref, look)) return {};
  return undefined;
}

/** Whether the container that a cgroup belongs to runs. */
export function runs(cgroup: Ref, look: Look): boolean {
  const status = look(refOf('container', nameOf(cgroup)))?.state['status'];
  return status === 'running' || status === 'paused';
}

function isAlive(sandbox: State | undefined): boolean {
  if (!sandbox || sandbox['running'] === false) return false;
  return sandbox['status'] === 'running' || sandbox['status'] === 'paused';
}

/** No process has it: it is above the highest that Linux gives. */
function pidOf(id: string): number {
  return 2 ** 22 + 1 + (Number.parseInt(id.slice(0, 5), 16) || 0);
}

/** A thing as a provider says that it saw it. */
export function knownOf(ref: Ref, state: State, owned: boolean): Known {
  const id = state['id'];
  return { known: true, ref, state, owned, ...(typeof id === 'string' ? { version: id } : {}) };
}
