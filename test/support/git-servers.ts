import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A Git server on the loopback that serves the repositories below a directory. */
export interface GitServer {
  /** Without a slash at its end; `/NAME.git` goes behind it. */
  readonly url: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  close(): Promise<void>;
}

function backend(root: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const [path = '', query = ''] = (incoming.url ?? '').split('?');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: incoming.method,
      CONTENT_TYPE: incoming.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: incoming.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(incoming.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  incoming.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const reply = Buffer.concat(chunks);
    const end = reply.indexOf('\r\n\r\n');
    for (const line of reply.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(': ');
      if (name === 'Status') outgoing.statusCode = Number.parseInt(value, 10);
      else outgoing.setHeader(name, value);
    }
    outgoing.end(reply.subarray(end + 4));
  });
}

/** Serves over http, with an optional answer of one's own to a path. */
export async function serveHttp(
  root: string,
  special?: (path: string, outgoing: ServerResponse) => boolean,
): Promise<GitServer> {
  const requests: string[] = [];
  const server = createServer((incoming, outgoing) => {
    requests.push(incoming.url ?? '');
    if (!special?.(incoming.url ?? '', outgoing)) backend(root, incoming, outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Serves over git:// with git's own daemon. */
export async function serveGit(root: string): Promise<GitServer> {
  const port = await freePort();
  // git daemon itself, not the git that starts it: a kill must reach it
  const program = `${execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()}/git-daemon`;
  const args = [
    '--listen=127.0.0.1',
    `--port=${String(port)}`,
    `--base-path=${root}`,
    '--export-all',
    '--reuseaddr',
    root,
  ];
  const child = spawn(program, args, {
    env: {
      PATH: process.env['PATH'],
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    },
    stdio: 'ignore',
  });
  for (let attempt = 0; attempt < 100 && !(await answers(port)); attempt++) await sleep(50);
  return {
    url: `git://127.0.0.1:${String(port)}`,
    requests: [],
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Where sshd is, which wants to be called by its whole path; undefined where it is not installed. */
export const SSHD: string | undefined = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((path) => existsSync(path));

/** A server with ssh, and what a client says to be let in. */
export interface SshServer extends GitServer {
  /** `GIT_SSH_COMMAND` of a client whose key the server knows, and which knows the server's. */
  readonly known: string;
  /** The same, of a client that has never met the server. */
  readonly stranger: string;
}

/** Serves whatever the user may read over ssh, with OpenSSH's own sshd; keys and settings are in `directory`. */
export async function serveSsh(directory: string): Promise<SshServer> {
  const port = await freePort();
  const file = (name: string): string => join(directory, name);
  for (const key of ['host_key', 'client_key'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', file(key)]);
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const [type = '', key = ''] = readFileSync(file('host_key.pub'), 'utf8').split(' ');
  writeFileSync(file('known_hosts'), `[127.0.0.1]:${String(port)} ${type} ${key}\n`);
  const settings = [
    'ListenAddress 127.0.0.1',
    `Port ${String(port)}`,
    `HostKey ${file('host_key')}`,
    `AuthorizedKeysFile ${file('client_key.pub')}`,
    `PidFile none`,
    'StrictModes no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
  ];
  writeFileSync(file('sshd_config'), `${settings.join('\n')}\n`);
  const child = spawn(SSHD ?? 'sshd', ['-D', '-f', file('sshd_config')], { stdio: 'ignore' });
  for (let attempt = 0; attempt < 100 && !(await answers(port)); attempt++) await sleep(50);
  const client = (hosts: string): string =>
    `ssh -F none -i ${file('client_key')} -o IdentitiesOnly=yes -o UserKnownHostsFile=${hosts} -o GlobalKnownHostsFile=none`;
  return {
    url: `ssh://${userInfo().username}@127.0.0.1:${String(port)}`,
    requests: [],
    known: client(file('known_hosts')),
    stranger: client(file('no_hosts')),
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
