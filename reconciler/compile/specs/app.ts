import type { App } from '../../../schemas/types.ts';
import type { AppSpec, Asks, Companion, ProbeSpec, Probes, RolloutSpec, Volume } from '../../model/catalog.ts';
import { parseBytes, parseDuration } from '../../model/units.ts';
import { rateOf } from './network.ts';
import { pathProblem } from './paths.ts';
import { appReclaim } from './reclaim.ts';
import { layerOf, resourcesOf, storageOf } from './resources.ts';
import { defined, filled } from './say.ts';
import type { Say } from './say.ts';
import { selectorOf } from './selector.ts';
import { ulimitsOf } from './ulimits.ts';

/** What stands for a Zone or Network that has yet to be chosen: no object has such a name. */
export const UNCHOSEN = '';

type Manifest = App['spec'];

type OptionalField =
  | 'command'
  | 'args'
  | 'user'
  | 'workdir'
  | 'frozen'
  | 'openFiles'
  | 'layer'
  | 'affinity'
  | 'antiAffinity'
  | 'gang'
  | 'storage'
  | 'reclaim'
  | 'platform'
  | 'egress'
  | 'ingress'
  | 'rollout';

/** The App's spec in plain units. */
export function appSpec({ metadata, spec }: App, say: Say): AppSpec {
  const restart = filled(spec.restart);
  const backoff = positive(filled(restart.backoff), '/spec/restart/backoff', say);
  const maxBackoff = positive(filled(restart.maxBackoff), '/spec/restart/maxBackoff', say);
  if (maxBackoff < backoff)
    say(
      '/spec/restart/maxBackoff',
      'BAD_VALUE',
      'spec.restart.maxBackoff is shorter than the first pause',
      'at least the backoff',
    );
  const stop = filled(spec.stop);
  return {
    image: spec.image,
    env: spec.env ?? {},
    replicas: filled(spec.replicas),
    level: filled(spec.level),
    zone: typeof spec.zone === 'string' ? spec.zone : UNCHOSEN,
    hosts: selectorOf(spec.hosts),
    spread: defined<AppSpec['spread']>(spec.spread ?? {}),
    network: 'name' in spec.network ? spec.network.name : UNCHOSEN,
    resources: resourcesOf(spec, say),
    ulimits: ulimitsOf(spec, say),
    sysctls: sysctlsOf(spec.sysctls ?? {}, say),
    volumes: (spec.volumes ?? []).map((volume, at) => volumeOf(volume, `/spec/volumes/${String(at)}`, say)),
    probes: probesOf(spec, say),
    stop: { signal: filled(stop.signal), grace: parseDuration(filled(stop.grace)) },
    restart: { backoff, maxBackoff, resetAfter: parseDuration(filled(restart.resetAfter)) },
    maxUnavailable: filled(spec.update?.maxUnavailable),
    ...defined<Pick<AppSpec, OptionalField>>({
      command: spec.command,
      args: spec.args,
      user: spec.user,
      workdir: spec.workdir,
      frozen: filled(spec.frozen) ? true : undefined,
      openFiles: spec.openFiles,
      layer: layerOf(spec, say),
      affinity: companionsOf(metadata.name, spec.affinity, '/spec/affinity', say),
      gang: spec.gang,
      storage: storageOf(spec, say),
      reclaim: appReclaim(spec, say),
      platform: spec.platform,
      antiAffinity: companionsOf(metadata.name, spec.antiAffinity, '/spec/antiAffinity', say),
      egress: rateOf(spec.network.egress, '/spec/network/egress', say),
      ingress: rateOf(spec.network.ingress, '/spec/network/ingress', say),
      rollout: rolloutOf(spec, say),
    }),
  };
}

/** What an App asks for in place of a name; undefined where it names both. */
export function asksOf({ spec: { zone, network } }: App): Asks | undefined {
  const traits = typeof zone === 'string' ? undefined : zone.traits;
  const isolation = 'name' in network ? undefined : network.isolation;
  if (traits === undefined && isolation === undefined) return undefined;
  return defined<Asks>({ traits, isolation });
}

function companionsOf(
  own: string,
  companions: Manifest['affinity'],
  pointer: string,
  say: Say,
): readonly Companion[] | undefined {
  return companions?.map(({ app, within, required }, at) => {
    if (app === own)
      say(
        `${pointer}/${String(at)}/app`,
        'BAD_VALUE',
        `App ${own} names itself`,
        'spec.spread says how many of its own replicas may share a switch, rack or host',
      );
    return { app, within, required: filled(required) };
  });
}

function rolloutOf({ rollout, replicas }: Manifest, say: Say): RolloutSpec | undefined {
  if (rollout === undefined) return undefined;
  const at = '/spec/rollout';
  const { canary, autoRevert } = rollout;
  const minReady = rollout.minReady === undefined ? 0 : parseDuration(rollout.minReady);
  const deadline =
    rollout.progressDeadline === undefined
      ? undefined
      : positive(rollout.progressDeadline, `${at}/progressDeadline`, say);
  if (deadline !== undefined && deadline > 0 && deadline <= minReady) {
    const message = `a progressDeadline of ${String(rollout.progressDeadline)} leaves no time for a minReady of ${String(rollout.minReady)}`;
    say(`${at}/progressDeadline`, 'BAD_VALUE', message, 'longer than spec.rollout.minReady and what a start takes');
  }
  if (autoRevert !== undefined && deadline === undefined) {
    const message = 'spec.rollout.autoRevert does nothing without spec.rollout.progressDeadline';
    say(`${at}/autoRevert`, 'BAD_VALUE', message, 'say after how long a change is given up, as progressDeadline: 10m');
  }
  if (canary !== undefined && canary.replicas >= filled(replicas)) {
    const message = `a canary of ${String(canary.replicas)} leaves none of ${String(filled(replicas))} replicas to wait for it`;
    say(`${at}/canary/replicas`, 'BAD_VALUE', message, 'fewer than spec.replicas, or leave spec.rollout.canary out');
  }
  return {
    minReady,
    autoRevert: deadline !== undefined && (autoRevert ?? true),
    ...defined<Pick<RolloutSpec, 'canary' | 'progressDeadline'>>({
      canary: canary && { replicas: canary.replicas, pause: pauseOf(canary.pause, say) },
      progressDeadline: deadline,
    }),
  };
}

function pauseOf(pause: string, say: Say): number | 'forever' {
  return pause === 'forever' ? pause : positive(pause, '/spec/rollout/canary/pause', say);
}

function positive(duration: string, pointer: string, say: Say): number {
  const ms = parseDuration(duration);
  if (ms === 0) say(pointer, 'BAD_VALUE', `${pointer.slice(1).replaceAll('/', '.')} cannot be 0`, 'at least 1ms');
  return ms;
}

function volumeOf(volume: NonNullable<Manifest['volumes']>[number], pointer: string, say: Say): Volume {
  const problem = pathProblem(volume.path) ?? (volume.path === '/' ? 'a volume cannot be mounted over /' : undefined);
  if (problem !== undefined) say(`${pointer}/path`, 'BAD_VALUE', problem, 'no ".", "..", "//" or "/" at the end');
  if ('host' in volume) {
    const strange = pathProblem(volume.host);
    if (strange !== undefined) say(`${pointer}/host`, 'BAD_VALUE', strange, 'no ".", "..", "//" or "/" at the end');
    return { path: volume.path, host: volume.host, readOnly: filled(volume.readOnly) };
  }
  const size = parseBytes(volume.tmpfs.size);
  if (size < 4096)
    say(`${pointer}/tmpfs/size`, 'BAD_VALUE', `a tmpfs of ${String(volume.tmpfs.size)} is too small`, 'at least 4Ki');
  return { path: volume.path, tmpfs: size };
}

function probesOf({ probes = {} }: Manifest, say: Say): Probes {
  return defined<Probes>({
    startup: probeOf(probes.startup, '/spec/probes/startup', say),
    readiness: probeOf(probes.readiness, '/spec/probes/readiness', say),
    liveness: probeOf(probes.liveness, '/spec/probes/liveness', say),
  });
}

function probeOf(probe: NonNullable<Manifest['probes']>['startup'], pointer: string, say: Say): ProbeSpec | undefined {
  if (probe === undefined) return undefined;
  const check: ProbeSpec['check'] =
    'http' in probe
      ? { type: 'http', port: probe.http.port, path: filled(probe.http.path) }
      : 'tcp' in probe
        ? { type: 'tcp', port: probe.tcp.port }
        : { type: 'exec', command: probe.exec.command };
  return {
    check,
    period: positive(filled(probe.period), `${pointer}/period`, say),
    timeout: positive(filled(probe.timeout), `${pointer}/timeout`, say),
    failures: filled(probe.failures),
    successes: filled(probe.successes),
  };
}

/** Kernel parameters below net that no network namespace has for itself: it lacks them, or cannot write them. */
const OF_THE_MACHINE =
  /^net\.(ipv[46]\.neigh\.default\.gc_(interval|thresh[123])|netfilter\.nf_conntrack_(max|buckets|expect_max|count)|core\.(netdev_(max_backlog|budget|budget_usecs)|dev_weight|rps_sock_flow_entries|busy_(poll|read)|default_qdisc|flow_limit_(cpu_bitmap|table_len))|ipv4\.(tcp_mem|udp_mem|tcp_max_orphans))$/;

function sysctlsOf(sysctls: NonNullable<App['spec']['sysctls']>, say: Say): AppSpec['sysctls'] {
  for (const key of Object.keys(sysctls))
    if (OF_THE_MACHINE.test(key))
      say(
        `/spec/sysctls/${key}`,
        'BAD_VALUE',
        `${key} is the machine's: a replica's network namespace has none of its own`,
        'set it in a Tuning (spec.sysctls)',
      );
  return Object.fromEntries(Object.entries(sysctls).map(([key, value]) => [key, String(value)]));
}
