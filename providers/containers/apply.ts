import type { Change, Evidence, Known } from '../../reconciler/model/change.ts';
import { CORES, cpusetOf } from '../../reconciler/model/cores.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { fingerprint } from '../../reconciler/model/fingerprint.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { kindOf, nameOf, refOf } from '../../reconciler/model/ref.ts';
import { semaphore } from '../../reconciler/model/semaphore.ts';
import type {
  ContainerSpec,
  ContainerState,
  CoresState,
  ImageSpec,
  ImageState,
  SandboxSpec,
  SandboxState,
} from '../../reconciler/model/resources.ts';
import type { DockerClient } from './client.ts';
import type { Believing } from './deaths.ts';
import type { Spec } from './diff.ts';
import { updateCpuset } from './limits.ts';
import { end, holderOf, make, parseStop, setStill, start, type Made } from './life.ts';
import type { Namespaces } from './namespaces.ts';
import type { Observer } from './observe.ts';
import { importPause } from './pause.ts';
import { containerBody, fixedPart, fixedSandboxPart, PAUSE, sandboxBody, stopLabel } from './spec.ts';
import type { State } from './state.ts';
import { isContainer, isSandbox, limitationsOf } from './state.ts';
import { statusOf } from './transport.ts';
import type { SandboxSysctls } from './sysctls.ts';
import { checkVolumes } from './volumes.ts';

type Apply = (change: Change<Spec>, ctx: Context) => Promise<Evidence>;

/** Containers started at a time: dockerd starts no more a second with more (measured: 2.9 at 1, 5.6 at 4, 5.1 at 8, 4.7 at 16). */
const STARTS = 8;
/** A pause program ignores signals; there is nothing to wait for. */
const AT_ONCE = { signal: 'SIGKILL', grace: 0 } as const;

/** Makes, restarts and removes images, sandboxes and containers. */
export function applier(
  client: DockerClient,
  kernel: Namespaces,
  observer: Observer,
  deathOf: Believing['deathOf'],
  sysctls?: SandboxSysctls,
): Apply {
  const slot = semaphore(STARTS);
  const sandbox = sandboxMaker(client, kernel);
  const launch: Launch = async (id, ref, frozen, signal) => {
    await slot(() => start(client, id, ref, signal));
    const death = deathOf(id);
    if (death) return { status: 'exited', exitCode: Number(death.exitCode), endedAt: death.at };
    if (frozen) {
      await setStill(client, kernel, { id, ref, still: true }, signal);
      return { status: 'paused' };
    }
    return { status: 'running', ...(kernel.processes(id)?.length === 0 ? { lifeless: true } : {}) };
  };
  return async (change, ctx) => {
    switch (kindOf(change.ref)) {
      case 'image':
        return applyImage(client, change, ctx);
      case 'sandbox':
        return applySandbox(
          client,
          kernel,
          observer,
          (want) => slot(() => sandbox(change.ref, want, ctx)),
          sysctls,
          change,
          ctx,
        );
      default:
        return applyContainer(client, kernel, slot, launch, change, ctx);
    }
  };
}

/** Starts a container, has it stand still where it is to, and says how it is then: it may have ended already. */
type Launch = (
  id: string,
  ref: Ref,
  frozen: boolean,
  signal: AbortSignal,
) => Promise<Pick<ContainerState, 'status' | 'exitCode' | 'endedAt' | 'lifeless'>>;

async function applyImage(client: DockerClient, change: Change<Spec>, ctx: Context): Promise<Evidence> {
  if (change.verb === 'delete') return { did: 'left the image where it is' };
  const { reference } = change.want as ImageSpec;
  let image = await client.images.find(reference, ctx.signal);
  const did = image ? `found ${reference} on the host` : `pulled ${reference}`;
  if (!image) {
    await client.images.pull(reference, ctx.signal);
    image = await client.images.find(reference, ctx.signal);
    if (!image)
      throw new PlumbError('IMAGE_UNAVAILABLE', `image ${reference} vanished while it was pulled`, { reference });
  }
  const facts = { image: image.id, ...(image.digest === undefined ? {} : { digest: image.digest }) };
  return { did, observed: { known: true, ref: change.ref, state: image, owned: false, version: image.id }, facts };
}

function known(ref: Ref, state: State & { readonly id: string }): Known<State> {
  return { known: true, ref, state, owned: true, version: state.id, ...limitationsOf(ref, state) };
}

/** Removes what the change's guard names. Throws CONFLICT when another of ours has its place. */
async function removeGuarded(
  client: DockerClient,
  kernel: Namespaces,
  change: Change<Spec>,
  ctx: Context,
): Promise<Evidence> {
  const id = change.guard ?? '';
  if (id === '') throw new PlumbError('INTERNAL', `${change.ref} would be removed without having been seen`);
  if (await endGuarded(client, kernel, change, ctx))
    return { did: `removed ${id.slice(0, 12)}`, facts: { container: id } };
  const holder = await holderOf(client, change.ref, ctx.signal);
  if (holder) throw new PlumbError('CONFLICT', `${change.ref} is another container by now`, { id: holder.id });
  return { did: 'was gone already' };
}

/** Ends the container that the guard names: a sandbox at once, a container with the wanted stop, else with its own. */
function endGuarded(client: DockerClient, kernel: Namespaces, change: Change<Spec>, ctx: Context): Promise<boolean> {
  const state = change.have as State | undefined;
  const id = change.guard ?? '';
  if (!state || !isContainer(change.ref, state))
    return end(client, kernel, id, { status: 'exited', stop: AT_ONCE, ownSignal: true }, ctx.signal);
  const own = parseStop(state.stop);
  const stop = (change.want as ContainerSpec | undefined)?.stop ?? own;
  return end(client, kernel, id, { status: state.status, stop, ownSignal: stop.signal === own.signal }, ctx.signal);
}

/** Makes and starts a sandbox; imports its image when it is missing; gives up on OOM protection where it is refused. */
function sandboxMaker(
  client: DockerClient,
  kernel: Namespaces,
): (ref: Ref, want: SandboxSpec, ctx: Context) => Promise<string> {
  let protect = kernel.protect;
  let importing: Promise<void> | undefined;

  const makeOne = async (ref: Ref, want: SandboxSpec, ctx: Context): Promise<string> => {
    const made = {
      ref,
      fingerprint: fingerprint(fixedSandboxPart(want)),
      networkMode: 'none',
      usable: ['created', 'running'],
      body: sandboxBody(want, ctx.fleet, ref, { ipv6: kernel.ipv6, protect }),
    };
    try {
      return await make(client, made, ctx);
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      importing ??= importPause(client, PAUSE, ctx.signal).finally(() => {
        importing = undefined;
      });
      await importing;
      return make(client, made, ctx);
    }
  };

  return async (ref, want, ctx) => {
    const wasProtected = protect;
    const id = await makeOne(ref, want, ctx);
    try {
      await start(client, id, ref, ctx.signal);
      return id;
    } catch (error) {
      if (!wasProtected || statusOf(error instanceof PlumbError ? error.cause : error) === undefined) throw error;
      await client.containers.remove(id, ctx.signal);
      protect = false;
      const bare = await makeOne(ref, want, ctx);
      await start(client, bare, ref, ctx.signal);
      return bare;
    }
  };
}

async function applySandbox(
  client: DockerClient,
  kernel: Namespaces,
  observer: Observer,
  makeStarted: (want: SandboxSpec) => Promise<string>,
  sysctls: SandboxSysctls | undefined,
  change: Change<Spec>,
  ctx: Context,
): Promise<Evidence> {
  if (change.verb === 'delete') return removeGuarded(client, kernel, change, ctx);
  const want = change.want as SandboxSpec;
  const { sysctls: differing, ...have } = (change.have ?? {}) as SandboxState;
  if (change.verb === 'update' && have.status === 'running' && differing && sysctls) {
    const did = await sysctls.restore(change.ref, have.id, ctx.signal);
    return { did, observed: known(change.ref, have) };
  }
  if (change.verb === 'update') return unpauseSandbox(client, kernel, observer, change, ctx);
  if (change.verb === 'replace') {
    await endGuest(client, kernel, change.ref, ctx);
    await endGuarded(client, kernel, change, ctx);
  }
  const id = await makeStarted(want);
  sysctls?.made(id);
  const pid = await observer.pid(id, ctx.signal);
  const state: SandboxState = {
    id,
    running: true,
    status: 'running',
    ...(pid === undefined ? {} : { pid }),
    fingerprint: fingerprint(fixedSandboxPart(want)),
  };
  return { did: `started sandbox ${id.slice(0, 12)}`, observed: known(change.ref, state), facts: { container: id } };
}

async function unpauseSandbox(
  client: DockerClient,
  kernel: Namespaces,
  observer: Observer,
  change: Change<Spec>,
  ctx: Context,
): Promise<Evidence> {
  const have = change.have as SandboxState;
  await setStill(client, kernel, { id: have.id, ref: change.ref, still: false }, ctx.signal);
  const pid = await observer.pid(have.id, ctx.signal);
  const state: SandboxState = { ...have, running: true, status: 'running', ...(pid === undefined ? {} : { pid }) };
  return { did: 'unpaused the sandbox', observed: known(change.ref, state) };
}

/** A container cannot outlive its sandbox's namespace: it goes first, in its own time. */
async function endGuest(client: DockerClient, kernel: Namespaces, sandbox: Ref, ctx: Context): Promise<void> {
  const ref = refOf('container', nameOf(sandbox));
  const guest = ctx.world.get(ref);
  if (guest?.known !== true || !guest.owned) return;
  const state = guest.state as State;
  if (!isContainer(ref, state)) return;
  const stop = parseStop(state.stop);
  await end(client, kernel, state.id, { status: state.status, stop, ownSignal: true }, ctx.signal);
}

/** Has a container that is there be as it is to: started, let go on, or made to stand still. */
async function applyStatus(
  client: DockerClient,
  kernel: Namespaces,
  launch: Launch,
  change: Change<Spec>,
  ctx: Context,
): Promise<Evidence> {
  const { ref } = change;
  const { frozen = false } = change.want as ContainerSpec;
  const { exitCode: _code, endedAt: _at, lifeless: _lifeless, ...have } = change.have as ContainerState;
  const { id, status } = have;
  const done = (did: string, now: Partial<ContainerState>): Evidence => ({
    did: did.replace('it', id.slice(0, 12)),
    observed: known(ref, { ...have, ...now }),
    facts: { container: id },
  });
  if (status === 'running' || status === 'paused') {
    const still = status === 'running';
    await setStill(client, kernel, { id, ref, still }, ctx.signal);
    return still ? done('froze it', { status: 'paused' }) : done('unpaused it again', { status: 'running' });
  }
  await settleCores(client, id, ref, ctx);
  return done('started it again', await launch(id, ref, frozen, ctx.signal));
}

async function applyContainer(
  client: DockerClient,
  kernel: Namespaces,
  slot: <T>(work: () => Promise<T>) => Promise<T>,
  launch: Launch,
  change: Change<Spec>,
  ctx: Context,
): Promise<Evidence> {
  if (change.verb === 'delete') return removeGuarded(client, kernel, change, ctx);
  const want = change.want as ContainerSpec;
  if (change.verb === 'update') return applyStatus(client, kernel, launch, change, ctx);
  await checkVolumes(want.volumes);
  const sandbox = sandboxOf(change.ref, ctx);
  if (change.verb === 'replace') await endGuarded(client, kernel, change, ctx);
  const image = await imageOf(client, want.image, ctx);
  const made = {
    ref: change.ref,
    fingerprint: fingerprint(fixedPart(want)),
    networkMode: `container:${sandbox}`,
    usable: ['created', 'exited', 'running'],
    body: (unlimited?: string) => containerBody(want, ctx.fleet, change.ref, sandbox, unlimited),
  };
  const { id, unlimited } = await slot(() => makeContainer(client, made, want, ctx));
  // killed here, it is found as created at the next start, and started
  await ctx.ready?.();
  await settleCores(client, id, change.ref, ctx);
  const now = await launch(id, change.ref, want.frozen === true, ctx.signal);
  const state: ContainerState = {
    id,
    ...now,
    fingerprint: made.fingerprint,
    image: image.id,
    sandbox,
    stop: stopLabel(want.stop),
    ...(unlimited === undefined ? {} : { unlimited }),
  };
  const facts = { container: id, image: image.id, ...(image.digest === undefined ? {} : { digest: image.digest }) };
  return { did: `started ${id.slice(0, 12)} of ${want.image}`, observed: known(change.ref, state), facts };
}

/** Where some have cores for themselves, nobody may begin on those of others. */
async function settleCores(client: DockerClient, id: string, ref: Ref, ctx: Context): Promise<void> {
  const cores = ctx.world.get(CORES);
  if (cores?.known !== true) return;
  await updateCpuset(client, id, cpusetOf(cores.state as CoresState, nameOf(ref)), ctx.signal);
}

/** What Docker says where the storage driver keeps no limit of a layer. */
const NO_LAYER_LIMIT = /storage-opt.*(supported only|not supported)|has not enabled quotas/i;

/** A container, and why its layer has no limit where the storage driver keeps none: it is made all the same. */
async function makeContainer(
  client: DockerClient,
  { body, ...made }: Omit<Made, 'body'> & { readonly body: (unlimited?: string) => object },
  { image, layer }: ContainerSpec,
  ctx: Context,
): Promise<{ readonly id: string; readonly unlimited?: string }> {
  try {
    return { id: await make(client, { ...made, body: body() }, ctx) };
  } catch (error) {
    if (layer !== undefined && error instanceof PlumbError && NO_LAYER_LIMIT.test(error.message)) {
      const unlimited = `the storage driver of Docker keeps no limit of what it writes: ${error.message}`;
      return { id: await make(client, { ...made, body: body(unlimited) }, ctx), unlimited };
    }
    if (statusOf(error) !== 404 || !(error instanceof PlumbError)) throw error;
    if (/image/i.test(error.message)) throw missing(image);
    throw new PlumbError('CONFLICT', `${made.ref} cannot be made: ${error.message}`, { ref: made.ref }, error);
  }
}

function missing(reference: string): PlumbError {
  return new PlumbError(
    'IMAGE_UNAVAILABLE',
    `image ${reference} is not on this host any more; it is pulled at the next pass, or bring it here with "docker load"`,
    { reference },
  );
}

/** The living sandbox that a container is to join. */
function sandboxOf(ref: Ref, ctx: Context): string {
  const sandboxRef = refOf('sandbox', nameOf(ref));
  const seen = ctx.world.get(sandboxRef);
  const state = seen?.known === true && seen.owned ? (seen.state as State) : undefined;
  if (!state || !isSandbox(sandboxRef, state) || !state.running)
    throw new PlumbError('CONFLICT', `${ref} waits for ${sandboxRef}, which is not running`, { ref });
  return state.id;
}

/** The image's id and digest: as seen in this pass, else asked for. */
async function imageOf(client: DockerClient, reference: string, ctx: Context): Promise<ImageState> {
  const seen = ctx.world.get(refOf('image', reference));
  if (seen?.known === true) return seen.state as ImageState;
  const image = await client.images.find(reference, ctx.signal);
  if (!image) throw missing(reference);
  return image;
}
