import type { Resources } from '../../reconciler/model/catalog.ts';
import { canonical, fingerprint } from '../../reconciler/model/fingerprint.ts';
import { LABELS } from '../../reconciler/model/resources.ts';
import type { ContainerSpec, SandboxSpec } from '../../reconciler/model/resources.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { kindOf, nameOf } from '../../reconciler/model/ref.ts';

/** Name and tag of the sandbox's image. */
export const PAUSE = { name: 'plumbline/pause', tag: '1' } as const;

/** A longer `made` is not kept; a plan then shows the fingerprints instead of the fields. */
const MADE_LIMIT = 16_384;

/** Docker's name of a ref: `plumb-web-0` for container/web-0, `plumb-web-0-sandbox` for sandbox/web-0. */
export function dockerName(ref: Ref): string {
  return kindOf(ref) === 'sandbox' ? `plumb-${nameOf(ref)}-sandbox` : `plumb-${nameOf(ref)}`;
}

/** The part of a container's spec that only a new container can change. */
export function fixedPart(spec: ContainerSpec): object {
  return {
    image: spec.image,
    command: spec.command,
    args: spec.args,
    env: spec.env,
    user: spec.user,
    workdir: spec.workdir,
    layer: spec.layer,
    openFiles: spec.openFiles,
    ulimits: spec.ulimits,
    volumes: spec.volumes,
  };
}

/** The part of a sandbox's spec that only a new sandbox can change. */
export function fixedSandboxPart(spec: SandboxSpec): object {
  return { hostname: spec.hostname, dns: spec.dns, sysctls: spec.sysctls };
}

function labels(fleet: string, ref: Ref, app: string, fixed: object): Readonly<Record<string, string>> {
  const made = canonical(fixed);
  return {
    [LABELS.fleet]: fleet,
    [LABELS.ref]: ref,
    [LABELS.app]: app,
    [LABELS.fingerprint]: fingerprint(fixed),
    ...(made.length > MADE_LIMIT ? {} : { [LABELS.made]: made }),
  };
}

/** How it is to be stopped, as kept in a label: `SIGTERM 10000`. */
export function stopLabel(stop: ContainerSpec['stop']): string {
  return `${stop.signal} ${String(stop.grace)}`;
}

/**
 * The limits as Docker's API takes them, at creation and in an update. Period and quota in microseconds. Not the weight of block I/O:
 * where a cgroup v2 kernel has no io.weight, a container with one does not start. The kernel is told of it after the start.
 */
export function limitsOf(resources: Resources): Readonly<Record<string, number>> {
  return {
    CpuShares: resources.shares,
    Memory: resources.memory,
    MemorySwap: resources.memory + resources.swap,
    PidsLimit: resources.pids,
    ...(resources.quota === undefined ? {} : { CpuPeriod: 100_000, CpuQuota: resources.quota * 100 }),
    ...(resources.reservation === undefined ? {} : { MemoryReservation: resources.reservation }),
  };
}

/**
 * How soon it is ended where memory runs out, at creation only: an update does not take it. Where a daemon may not spare anybody (below 0), the
 * container would not start: that is written after the start, and told where it is refused.
 */
function oomScoreOf({ oomScoreAdj = 0 }: Resources): Readonly<Record<string, number>> {
  return oomScoreAdj > 0 ? { OomScoreAdj: oomScoreAdj } : {};
}

/**
 * Body of `POST /containers/create` for an application's container that joins a sandbox. `unlimited` is why its writable layer gets no limit, where
 * the storage driver keeps none.
 */
export function containerBody(
  spec: ContainerSpec,
  fleet: string,
  ref: Ref,
  sandboxId: string,
  unlimited?: string,
): object {
  const ulimits = Object.entries(spec.ulimits).map(([name, { soft, hard }]) => ({
    Name: name,
    Soft: soft,
    Hard: hard,
  }));
  const files = spec.openFiles === undefined ? [] : [{ Name: 'nofile', Soft: spec.openFiles, Hard: spec.openFiles }];
  const mounts = spec.volumes.map((volume) =>
    'host' in volume
      ? { Type: 'bind', Source: volume.host, Target: volume.path, ReadOnly: volume.readOnly }
      : { Type: 'tmpfs', Target: volume.path, TmpfsOptions: { SizeBytes: volume.tmpfs } },
  );
  return {
    Image: spec.image,
    ...(spec.command === undefined ? {} : { Entrypoint: spec.command }),
    ...(spec.args === undefined ? {} : { Cmd: spec.args }),
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.workdir === undefined ? {} : { WorkingDir: spec.workdir }),
    StopSignal: spec.stop.signal,
    Labels: {
      ...labels(fleet, ref, spec.app, fixedPart(spec)),
      [LABELS.stop]: stopLabel(spec.stop),
      ...(unlimited === undefined ? {} : { [LABELS.unlimited]: unlimited }),
    },
    HostConfig: {
      ...(spec.layer === undefined || unlimited !== undefined ? {} : { StorageOpt: { size: String(spec.layer) } }),
      NetworkMode: `container:${sandboxId}`,
      ...limitsOf(spec.resources),
      ...oomScoreOf(spec.resources),
      Ulimits: [...files, ...ulimits],
      Mounts: mounts,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      SecurityOpt: ['no-new-privileges'],
    },
  };
}

/** What a sandbox depends on besides its spec: whether the kernel has IPv6 to turn off, and whether the OOM killer may be held off. */
export interface SandboxHost {
  readonly ipv6: boolean;
  readonly protect: boolean;
}

/** Body of `POST /containers/create` for a sandbox. */
export function sandboxBody(spec: SandboxSpec, fleet: string, ref: Ref, host: SandboxHost): object {
  const ipv6 = { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' };
  return {
    Image: `${PAUSE.name}:${PAUSE.tag}`,
    Entrypoint: ['/pause'],
    User: '65534:65534',
    Hostname: spec.hostname,
    Labels: labels(fleet, ref, spec.app, fixedSandboxPart(spec)),
    HostConfig: {
      NetworkMode: 'none',
      IpcMode: 'none',
      Dns: spec.dns.servers,
      DnsSearch: spec.dns.search,
      Sysctls: { ...(host.ipv6 ? ipv6 : {}), ...spec.sysctls },
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
      ...(host.protect ? { OomScoreAdj: -998 } : {}),
    },
  };
}
