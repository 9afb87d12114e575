import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A User-Mode Linux that boots here. */
export interface Uml {
  readonly path: string;
  /** A library that it needs on this CPU. */
  readonly preload?: string;
  close(): void;
}

/** Finds User-Mode Linux, or says why there is none; where its kernel knows too few registers, `cc` makes what helps. */
export function findUml(): Uml | { readonly missing: string } {
  const path = ['/usr/bin/linux.uml', '/usr/local/bin/linux.uml'].find((each) => existsSync(each));
  if (path === undefined) return { missing: 'needs a cgroup v2 kernel: apt-get install user-mode-linux' };
  if (process.arch !== 'x64' || !/^flags.* amx_tile/m.test(readFileSync('/proc/cpuinfo', 'utf8')))
    return { path, close: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'uml-cc-'));
  const close = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  const preload = join(folder, 'xstate.so');
  try {
    execFileSync('cc', ['-O2', '-shared', '-fPIC', '-nostdlib', '-o', preload, SOURCE], {
      stdio: 'pipe',
      timeout: 60_000,
    });
    return { path, preload, close };
  } catch {
    close();
    return { missing: 'User-Mode Linux needs help on a CPU with AMX: apt-get install gcc' };
  }
}

// the C source stays in the source tree: dist/test/support → test/support
const SOURCE = fileURLToPath(new URL('../../../test/support/uml-xstate.c', import.meta.url));

/** How long tests in a guest may take, milliseconds: a guest has one CPU, and each of its system calls costs two switches. */
export const UML_PATIENCE = 840_000;

/** A word as a shell reads it. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** How a guest comes up: the script that its kernel runs first, which prints UML-START, what the command says, and UML-STATUS. */
export interface Boot {
  readonly script: (command: readonly string[], cwd: string) => string;
  readonly memory: string;
}

/** Mounts what a process expects and runs the command as the first process; the machine's files are the root, read-only. */
function bareScript(command: readonly string[], cwd: string): string {
  return `#!/bin/sh
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run
mount -t proc proc /proc; mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t cgroup2 none /sys/fs/cgroup
echo '+cpu +io +memory +pids' > /sys/fs/cgroup/cgroup.subtree_control
cd ${quoted(cwd)}
echo; echo UML-START
${command.map(quoted).join(' ')} 2>&1
echo "UML-STATUS $?"
exec busybox poweroff -f
`;
}

/**
 * Runs a command under a kernel of its own with the cgroup v2 controllers cpu, io, memory and pids; one cpu, no network. Unless the guest
 * boots in another way, only /run is writable.
 * Gives its exit status and what it said. Rejects when the kernel does not come up or is not done after `ms` milliseconds.
 */
export async function underUml(
  uml: Uml,
  command: readonly string[],
  ms: number,
  boot: Boot = { script: bareScript, memory: '512M' },
): Promise<{ readonly status: number; readonly output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'uml-'));
  try {
    const [init, log] = [join(folder, 'init'), join(folder, 'log')];
    writeFileSync(init, boot.script(command, process.cwd()));
    chmodSync(init, 0o755);
    const out = openSync(log, 'w');
    const root = ['rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`];
    const child = spawn(uml.path, [`mem=${boot.memory}`, ...root, 'con=null', 'con0=null,fd:1', 'quiet', 'selinux=0'], {
      stdio: ['ignore', out, out],
      env: { ...process.env, TMPDIR: '/dev/shm', ...(uml.preload === undefined ? {} : { LD_PRELOAD: uml.preload }) },
      // each process of the guest is one here: they are ended together
      detached: true,
    });
    closeSync(out);
    const { pid } = child;
    const end = (): void => {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    };
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      end();
    }, ms);
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => {
        resolve();
      });
    }).finally(() => {
      clearTimeout(timer);
    });
    const text = readFileSync(log, 'utf8').replaceAll('\r', '');
    const [, output, status] = /UML-START\n([\s\S]*)UML-STATUS ([0-9]+)/.exec(text) ?? [];
    if (output === undefined || late)
      throw new Error(`${late ? 'not done in time' : 'no status'}:\n${text.slice(-4000)}`);
    return { status: Number(status), output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
