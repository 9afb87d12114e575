import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './ovs-rig.ts';

/** An ovs-vswitchd that was built with DPDK, and where the libraries are that it brought along. */
interface Program {
  readonly path: string;
  readonly libraries?: string;
}

const PACKAGE = 'openvswitch-switch-dpdk';
const PATH = `usr/lib/${PACKAGE}/ovs-vswitchd-dpdk`;
// what `npm test` unpacked: dist/test/support → .plumbline
const UNPACKED = fileURLToPath(new URL(`../../../.plumbline/unpacked/${PACKAGE}`, import.meta.url));

/** Finds an Open vSwitch with DPDK, installed or unpacked by `npm test`; undefined where there is none. */
export function findDpdk(): Program | undefined {
  if (fs.existsSync(`/${PATH}`)) return { path: `/${PATH}` };
  if (!fs.existsSync(join(UNPACKED, PATH))) return undefined;
  const folders = fs.readdirSync(join(UNPACKED, 'usr/lib')).map((name) => join(UNPACKED, 'usr/lib', name));
  const libraries = folders.find((folder) => fs.readdirSync(folder).some((name) => name.startsWith('librte_eal.so')));
  return { path: join(UNPACKED, PATH), ...(libraries === undefined ? {} : { libraries }) };
}

/**
 * DPDK with neither huge pages nor devices, which all of a machine would share, nor files of its own. Open vSwitch adds --in-memory where nothing is said of
 * --legacy-mem, and EAL takes that for having no huge pages.
 */
export const SMALL = '--no-huge --legacy-mem --no-pci --no-shconf --no-telemetry';

/** An Open vSwitch of its own: a database and an ovs-vswitchd in one folder. */
export interface OwnSwitch {
  /** Its sockets and pid files. */
  readonly folder: string;
  /** Starts ovs-vswitchd anew, and waits until it has read its database. */
  restart(): Promise<void>;
  /** What ovs-vswitchd gave DPDK when it last made it ready. */
  arguments(): string;
  close(): Promise<void>;
}

/** Starts one; each pid of it is ended by `close`. */
export async function ownSwitch({ path, libraries }: Program): Promise<OwnSwitch> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'plumbline-dpdk-'));
  const at = (name: string): string => join(folder, name);
  const env = {
    ...process.env,
    OVS_RUNDIR: folder,
    OVS_LOGDIR: folder,
    // of DPDK
    RUNTIME_DIRECTORY: folder,
    ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
  };
  const run = (file: string, ...args: readonly string[]): string =>
    execFileSync(file, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const daemon = (program: string, name: string, ...args: readonly string[]): void => {
    const files = [`--pidfile=${at(`${name}.pid`)}`, `--log-file=${at(`${name}.log`)}`];
    run(program, ...args, ...files, '-vconsole:off', '--no-chdir', '--detach');
  };
  const end = async (name: string): Promise<void> => {
    if (!fs.existsSync(at(`${name}.pid`))) return;
    const pid = Number(fs.readFileSync(at(`${name}.pid`), 'utf8'));
    process.kill(pid, 'SIGTERM');
    await until(() => !fs.existsSync(`/proc/${String(pid)}/exe`));
  };
  const start = (): void => {
    daemon(path, 'ovs-vswitchd', `unix:${at('db.sock')}`);
    run('ovs-vsctl', `--db=unix:${at('db.sock')}`, '--timeout=60', 'init');
    // it waits until ovs-vswitchd has taken over what is there
    run('ovs-vsctl', `--db=unix:${at('db.sock')}`, '--timeout=60', 'set', 'Open_vSwitch', '.', 'external_ids:seen=yes');
  };
  run('ovsdb-tool', 'create', at('conf.db'), '/usr/share/openvswitch/vswitch.ovsschema');
  daemon('ovsdb-server', 'ovsdb-server', at('conf.db'), `--remote=punix:${at('db.sock')}`);
  start();
  return {
    folder,
    async restart() {
      await end('ovs-vswitchd');
      start();
    },
    arguments: () => {
      const lines = fs.readFileSync(at('ovs-vswitchd.log'), 'utf8').matchAll(/EAL ARGS: \S+ (.*)\.$/gm);
      return [...lines].at(-1)?.[1] ?? '';
    },
    async close() {
      await end('ovs-vswitchd');
      await end('ovsdb-server');
      fs.rmSync(folder, { recursive: true });
    },
  };
}
