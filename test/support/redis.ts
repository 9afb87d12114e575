import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import assert from 'node:assert/strict';
import { PlumbError } from '../../reconciler/model/errors.ts';

/** The program of Debian's redis-server; undefined where it is not installed. */
const REDIS: string | undefined = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find((path) =>
  existsSync(path),
);

/** Why tests that need it do not run. */
export const NO_REDIS: string | false = REDIS === undefined && 'needs redis-server';

/** Why tests that also need certificates do not run. */
export const NO_TLS: string | false = NO_REDIS || (!existsSync('/usr/bin/openssl') && 'needs openssl');

/** One redis-server of a test, on the loopback. */
export interface Server {
  readonly port: number;
  readonly admin: Redis;
  kill(): Promise<void>;
  /** Lets it hang, and go on. */
  hang(): void;
  goOn(): void;
  /** Starts it again on the same port and directory. */
  start(): Promise<void>;
}

/** Whether nobody listens there. */
function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/**
 * A free port, with a free one 10,000 above it, which a Cluster's nodes talk over. Both lie below those that the kernel gives to whoever connects: while
 * a server is down, its port would else be given away, most easily to a client that tries to connect to just that port.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

/** A server may take so long to start on a machine that has much else to do, milliseconds. */
const STARTS = 60_000;

interface How {
  readonly tls?: boolean;
  readonly sentinel?: boolean;
  /** For the server's own ACL users. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** Where servers run: at an address, by a way to start them. */
export interface Place {
  readonly address: string;
  readonly run: (argv: readonly string[]) => ChildProcess;
}

const LOOPBACK: Place = {
  address: '127.0.0.1',
  run: ([program = '', ...args]) => spawn(program, args, { stdio: 'ignore' }),
};

/** Servers in one temporary directory; `close` ends each of them, and nothing else. */
export class Servers {
  readonly address: string;
  readonly directory: string;
  readonly #run: Place['run'];
  readonly #children: ChildProcess[] = [];
  readonly #admins: Redis[] = [];

  constructor({ address, run }: Place = LOOPBACK, parent: string = tmpdir()) {
    this.address = address;
    this.#run = run;
    this.directory = mkdtempSync(join(parent, 'plumb-redis-'));
  }

  /** Starts one and waits for its PING. Settings are those of redis.conf, a line each. */
  async start(settings: readonly string[] = [], how: How = {}): Promise<Server> {
    const { tls = false, sentinel = false } = how;
    const port = await freePort();
    const file = join(this.directory, `${String(port)}.conf`);
    const where = tls ? ['port 0', `tls-port ${String(port)}`] : [`port ${String(port)}`];
    const more = sentinel
      ? []
      : [
          'save ""',
          'repl-diskless-sync-delay 0',
          `dbfilename ${String(port)}.rdb`,
          `appenddirname aof-${String(port)}`,
          `cluster-config-file nodes-${String(port)}.conf`,
        ];
    const socket = join(this.directory, `${String(port)}.sock`);
    const common = [
      `bind ${this.address}`,
      'protected-mode no',
      `unixsocket ${socket}`,
      `dir ${this.directory}`,
      'logfile ""',
      'daemonize no',
    ];
    writeFileSync(file, [...where, ...common, ...more, ...settings].join('\n'));
    // over a socket, whatever the server speaks and wherever it is
    const admin = new Redis({ path: socket, lazyConnect: true, ...how.login, retryStrategy: () => 50 });
    admin.on('error', () => undefined);
    this.#admins.push(admin);
    let child: ChildProcess | undefined;
    const start = async (): Promise<void> => {
      const args = [file, ...(sentinel ? ['--sentinel'] : [])];
      child = this.#run([REDIS ?? 'redis-server', ...args]);
      this.#children.push(child);
      if (admin.status === 'wait') await admin.connect().catch(() => undefined);
      for (const end = Date.now() + STARTS; (await admin.ping().catch(() => '')) !== 'PONG'; await sleep(25))
        if (child.exitCode !== null || Date.now() > end) throw new Error(`redis-server does not start; see ${file}`);
    };
    await start();
    const kill = async (): Promise<void> => {
      if (child) await end(child);
    };
    const hang = (): void => void child?.kill('SIGSTOP');
    const goOn = (): void => void child?.kill('SIGCONT');
    return { port, admin, kill, hang, goOn, start };
  }

  async close(): Promise<void> {
    for (const admin of this.#admins) admin.disconnect();
    await Promise.all(this.#children.map(end));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** A running Redis of some form, and where it is. */
export interface Running {
  readonly url: string;
  readonly servers: readonly Server[];
  readonly home: Servers;
}

/** One server. */
export async function single(settings: readonly string[] = [], home: Servers = new Servers()): Promise<Running> {
  const server = await home.start(settings);
  return { url: `redis://${home.address}:${String(server.port)}`, servers: [server], home };
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => Promise<boolean>, seconds = 120): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > end) throw new Error(`waited ${String(seconds)} s in vain: ${what}`);
    await sleep(25);
  }
}

/** Files of certificates: of the CA, and one with its key that both sides may show. */
export interface Secured {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A CA of its own, and a certificate that it has signed for this machine. */
function certificates(home: Servers): Secured {
  const at = (name: string): string => join(home.directory, name);
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const root = ['-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=plumb test'];
  openssl('req', '-x509', ...key, ...root);
  openssl('req', ...key, '-keyout', at('own.key'), '-out', at('own.csr'), '-subj', '/CN=localhost');
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  const sign = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('names')];
  openssl('x509', '-req', '-in', at('own.csr'), '-out', at('own.pem'), ...sign);
  return { ca: at('ca.pem'), cert: at('own.pem'), key: at('own.key') };
}

/** How a server, and those that it talks to, speak TLS only; clients may or must show a certificate. */
function tlsSettings({ ca, cert, key }: Secured, clients: 'optional' | 'yes' = 'yes'): readonly string[] {
  return [`tls-cert-file ${cert}`, `tls-key-file ${key}`, `tls-ca-cert-file ${ca}`, `tls-auth-clients ${clients}`];
}

/** One server that speaks TLS only, with a CA of its own; clients may or must show a certificate. */
export async function secured(clients: 'optional' | 'yes' = 'optional'): Promise<Running & Secured> {
  const home = new Servers();
  const files = certificates(home);
  const server = await home.start(tlsSettings(files, clients), { tls: true });
  return { url: `rediss://127.0.0.1:${String(server.port)}`, servers: [server], home, ...files };
}

/** What all servers of a group are started with, and how an address of theirs begins and ends. */
interface Way {
  readonly settings: readonly string[];
  readonly how: How;
  readonly scheme: 'redis' | 'rediss';
  readonly query: readonly string[];
}

function wayOf(home: Servers, tls: boolean): Way {
  if (!tls) return { settings: [], how: {}, scheme: 'redis', query: [] };
  const files = certificates(home);
  const settings = [...tlsSettings(files), 'tls-replication yes', 'tls-cluster yes'];
  const query = Object.entries<string>({ ...files }).map(([name, path]) => `${name}=${path}`);
  return { settings, how: { tls: true }, scheme: 'rediss', query };
}

const search = (query: readonly string[]): string => (query.length === 0 ? '' : `?${query.join('&')}`);

/** How a group of servers is started. */
interface GroupOptions {
  readonly home?: Servers;
  /** All speak TLS only, also with each other, and each shows a certificate. */
  readonly tls?: boolean;
}

/** A master and a replica, which come first in `servers`, under three Sentinels that take over after some milliseconds. */
export async function sentinels(
  query: readonly string[] = [],
  { home = new Servers(), tls = false, patience = 500 }: GroupOptions & { readonly patience?: number } = {},
): Promise<Running> {
  const { address } = home;
  const { settings, how, scheme, query: files } = wayOf(home, tls);
  const aof = ['appendonly yes', 'appendfsync always', 'repl-ping-replica-period 1', ...settings];
  const master = await home.start(aof, how);
  const replica = await home.start([...aof, `replicaof ${address} ${String(master.port)}`], how);
  const watch = [
    ...settings.filter((line) => !line.startsWith('tls-cluster')),
    `sentinel monitor fleet ${address} ${String(master.port)} 2`,
    `sentinel down-after-milliseconds fleet ${String(patience)}`,
    `sentinel failover-timeout fleet ${String(6 * patience)}`,
  ];
  const watchers = await Promise.all([1, 2, 3].map(() => home.start(watch, { ...how, sentinel: true })));
  await until('the replica is in step', () => inStep(replica));
  for (const { admin } of watchers)
    await until('the Sentinels know each other', async () => {
      const reply = JSON.stringify(await admin.call('sentinel', 'master', 'fleet'));
      return /"num-other-sentinels","2"/.test(reply) && /"num-slaves","1"/.test(reply);
    });
  const nodes = watchers.map(({ port }) => `${address}:${String(port)}`).join(',');
  const url = `${scheme}+sentinel://${nodes}/fleet${search([...files, ...query])}`;
  return { url, servers: [master, replica, ...watchers], home };
}

/** Whether a replica has all that its master has. */
async function inStep({ admin }: Server): Promise<boolean> {
  return (await admin.info('replication')).includes('master_link_status:up');
}

/** A Cluster of three masters, which come first in `servers`; with `replicas` each has one, in the same order. */
export async function cluster({
  tls = false,
  replicas = false,
}: GroupOptions & { readonly replicas?: boolean } = {}): Promise<Running> {
  const home = new Servers();
  const { settings, how, scheme, query } = wayOf(home, tls);
  // a machine that stands still for a while is to have no replica take over by itself
  const patience = replicas ? 10_000 : 2000;
  const all = ['cluster-enabled yes', `cluster-node-timeout ${String(patience)}`, ...settings];
  const start = (): Promise<Server> => home.start(all, how);
  const nodes = await Promise.all([1, 2, 3].map(start));
  const copies = replicas ? await Promise.all([1, 2, 3].map(start)) : [];
  for (const [index, { admin }] of nodes.entries()) {
    const [from, to] = [Math.ceil((index * 16_384) / 3), Math.ceil(((index + 1) * 16_384) / 3) - 1];
    await admin.call('cluster', 'addslotsrange', from, to);
    await admin.call('cluster', 'set-config-epoch', index + 1);
  }
  const servers = [...nodes, ...copies];
  for (const { admin } of servers.slice(1)) await admin.call('cluster', 'meet', '127.0.0.1', nodes[0]?.port ?? 0);
  for (const { admin } of servers)
    await until('the Cluster is whole', async () => {
      const info = String(await admin.call('cluster', 'info'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${String(servers.length)}`);
    });
  for (const [index, copy] of copies.entries()) {
    const id = String(await nodes[index]?.admin.call('cluster', 'myid'));
    await until(
      'the replica knows its master',
      async () => (await copy.admin.call('cluster', 'replicate', id)) === 'OK',
    );
    await until('the replica is in step', () => inStep(copy));
  }
  const list = nodes.map(({ port }) => `127.0.0.1:${String(port)}`).join(',');
  return { url: `${scheme}+cluster://${list}${search(query)}`, servers, home };
}

/** Milliseconds that tests wait for a server. */
export const HASTY = { attempt: 300, total: 8000 };

/** Whether it is an error with this code, whose message has the text. */
export function coded(code: string, text = ''): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PlumbError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), error.message);
    return true;
  };
}
