import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PlumbError } from '../reconciler/model/errors.ts';
import { background, hostOf, inside, insideHost, processesIn } from './context.ts';
import type { LabContext } from './context.ts';
import { dockerAnswers } from './docker.ts';
import { until } from './process.ts';

/** The daemons of a lab host. Nothing restarts them but who asks. */
export const DAEMONS = ['ovsdb-server', 'ovs-vswitchd', 'dockerd'] as const;
export type DaemonName = (typeof DAEMONS)[number];
/** `stop` is SIGTERM, `kill` SIGKILL; both wait for the end, as `start` waits for readiness. */
export const DAEMON_ACTS = ['stop', 'start', 'restart', 'kill'] as const;
export type DaemonAct = (typeof DAEMON_ACTS)[number];

/** Pid of a host's daemon as we see it, or undefined when it does not run. */
export function daemonPid(ctx: LabContext, host: string, name: DaemonName): number | undefined {
  return processesIn(ctx, `${host}/host`).find(({ command, pids }) => command === name && pids.length === 2)?.pid;
}

/** Last lines of a daemon's log, for an error message. */
function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-5).join('\n') : '';
}

/** What dockerd ends with where its containerd takes longer to start than the 15 s that it waits for it, as on a machine that has much else to do. */
const HASTY = /timeout waiting for containerd to start$/;

async function startDockerd(ctx: LabContext, host: string, signal?: AbortSignal): Promise<void> {
  const { paths } = hostOf(ctx, host);
  const log = join(paths.logs, 'dockerd.log');
  rmSync(join(paths.run, 'docker.pid'), { force: true }); // of a killed one, whose pid may live again as somebody else
  const argv = [
    ...[
      'dockerd',
      '--host=unix:///run/docker.sock',
      '--data-root=/var/lib/docker',
      '--exec-root=/run/docker',
      '--pidfile=/run/docker.pid',
    ],
    ...[
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-forward=false',
      '--ip-masq=false',
      '--userland-proxy=false',
    ],
    ...[
      `--cgroup-parent=/${ctx.group}/${host}/docker`,
      '--exec-opt=native.cgroupdriver=cgroupfs',
      '--storage-driver=overlay2',
    ],
    ...['--live-restore', '--log-level=warn'],
  ];
  // setsid forks, so that PID 1 of the host becomes its parent and no nsenter stays behind
  const launch = (): ChildProcess =>
    background(ctx, `${host}/host`, insideHost(ctx, host, ['setsid', '--fork', ...argv]), log);
  let launcher = launch();
  // between the launcher's end and exec, the process still has the name of setsid
  const starting = (): boolean =>
    processesIn(ctx, `${host}/host`).some(({ command }) => command === 'dockerd' || command === 'setsid');
  const answers = async (): Promise<true | undefined> => {
    if (await dockerAnswers(paths.dockerSocket, signal)) return true;
    if (launcher.exitCode === null || starting()) return undefined;
    const said = tail(log);
    if (!HASTY.test(said)) throw new PlumbError('LAB_FAILED', `dockerd of ${host} ended:\n${said}`);
    launcher = launch();
    return undefined;
  };
  await until(`dockerd of ${host} did not answer (see ${log})`, answers, { signal, timeout: 180_000, pause: 30 });
}

async function startOvsdb(ctx: LabContext, host: string, signal?: AbortSignal): Promise<void> {
  const { paths } = hostOf(ctx, host);
  const fresh = !existsSync(paths.ovsdb);
  if (fresh) {
    mkdirSync(dirname(paths.ovsdb), { recursive: true });
    await inside(ctx, host, ['ovsdb-tool', 'create', paths.ovsdb, '/usr/share/openvswitch/vswitch.ovsschema'], {
      signal,
    });
  }
  const argv = [
    ...[
      'ovsdb-server',
      paths.ovsdb,
      '--remote=punix:/run/openvswitch/db.sock',
      '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
    ],
    ...['--pidfile=/run/openvswitch/ovsdb-server.pid', `--log-file=${join(paths.logs, 'ovsdb-server.log')}`],
    ...['-vconsole:off', '--no-chdir', '--detach'],
  ];
  await inside(ctx, host, argv, { signal, timeout: 30_000 });
  if (fresh)
    await inside(
      ctx,
      host,
      ['ovs-vsctl', '--no-wait', '--', 'init', '--', 'set', 'Open_vSwitch', '.', `external_ids:system-id=${host}`],
      { signal },
    );
}

async function startVswitchd(ctx: LabContext, host: string, signal?: AbortSignal): Promise<void> {
  const { paths } = hostOf(ctx, host);
  // it would wait for its database, and we for it
  if (daemonPid(ctx, host, 'ovsdb-server') === undefined)
    throw new PlumbError('LAB_FAILED', `ovs-vswitchd of ${host} needs ovsdb-server: start that first`);
  const argv = [
    ...['ovs-vswitchd', 'unix:/run/openvswitch/db.sock', '--pidfile=/run/openvswitch/ovs-vswitchd.pid'],
    ...[`--log-file=${join(paths.logs, 'ovs-vswitchd.log')}`, '-vconsole:off', '--no-chdir', '--detach'],
  ];
  await inside(ctx, host, argv, { signal, timeout: 30_000 });
}

const START = { dockerd: startDockerd, 'ovsdb-server': startOvsdb, 'ovs-vswitchd': startVswitchd } as const;

/** Starts a daemon of a running host and returns when it answers; nothing to do when it runs. Throws LAB_FAILED, TIMEOUT. */
export async function startDaemon(
  ctx: LabContext,
  host: string,
  name: DaemonName,
  signal?: AbortSignal,
): Promise<void> {
  if (daemonPid(ctx, host, name) === undefined) await START[name](ctx, host, signal);
}

/** Ends a daemon and returns when it is gone; nothing to do when it does not run. Throws TIMEOUT. */
export async function endDaemon(
  ctx: LabContext,
  host: string,
  name: DaemonName,
  how: 'SIGTERM' | 'SIGKILL',
  signal?: AbortSignal,
): Promise<void> {
  const pid = daemonPid(ctx, host, name);
  if (pid === undefined) return;
  process.kill(pid, how);
  const gone = (): true | undefined => (daemonPid(ctx, host, name) === pid ? undefined : true);
  await until(`${name} of ${host} did not end`, gone, { signal, timeout: 60_000 });
}
