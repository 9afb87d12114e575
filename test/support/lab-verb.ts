import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { labCommand } from '../../cli/verbs/lab.ts';
import type { Spoken } from './verb.ts';

/** What the labs of these tests have in their names. */
export const ME: string = String(process.pid);

/**
 * Everything of a lab that could be left on the machine; `mark` is in the lab's name, and so in all that belongs to it. Namespaces and
 * their links live no longer than processes and mounts.
 */
export function remains(mark: string): readonly string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(mark));
  const cgroups = [
    '/sys/fs/cgroup',
    ...readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name)),
  ].flatMap((dir) => {
    try {
      return readdirSync(dir)
        .filter((name) => name.includes(mark))
        .map((name) => join(dir, name));
    } catch {
      return [];
    }
  });
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      // a zombie is dead already and waits for the machine's PID 1
      const ended = /^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      return pid !== ME && !ended && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
  const loops = execFileSync('losetup', ['-a'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(mark));
  const files = ['/var/tmp/plumbline-lab', '/run/netns', '/tmp'].flatMap((dir) =>
    existsSync(dir)
      ? readdirSync(dir)
          .filter((name) => name.includes(mark))
          .map((name) => join(dir, name))
      : [],
  );
  return [...mounts, ...cgroups, ...processes, ...loops, ...files];
}

/** Runs `plumb lab` as on this machine, and gives what it said. */
export async function verb(...argv: readonly string[]): Promise<Spoken> {
  const said = { out: '', err: '' };
  const code = await labCommand(argv, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    env: process.env,
    cwd: process.cwd(),
    color: false,
    isTTY: false,
    signal: new AbortController().signal,
  });
  return { code, ...said };
}
