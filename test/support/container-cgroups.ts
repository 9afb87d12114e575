import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { cgroups } from '../../providers/cgroups/index.ts';
import { dockerClient, type DockerClient } from '../../providers/containers/client.ts';
import { updateLimits } from '../../providers/containers/limits.ts';
import type { Desired } from '../../reconciler/model/change.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { NO_V1, container, contextOf, limits } from './cgroup-tree.ts';
import { ensureTestImage } from './image.ts';

const run = promisify(execFile);

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };

/** The image of the containers, and the client of dockerd, once a test runs. */
export let image: string;
export let client: DockerClient;

/** Containers that are removed in the end. */
export const made: string[] = [];

/** Runs docker, and gives what it said. */
export async function docker(...args: readonly string[]): Promise<string> {
  return (await run('docker', [...args], { timeout: 60_000 })).stdout.trim();
}

/** A running container with a name of its own. */
export async function start(...command: readonly string[]): Promise<string> {
  const runs = command.length > 0 ? command : ['sleep', '1000'];
  const id = await docker('run', '-d', '--network', 'none', image, ...runs);
  made.push(id);
  return id;
}

/** The limits of web-0 with some of them otherwise. */
export function want(some: Partial<CgroupSpec> = {}): Desired<CgroupSpec> {
  return { ref: 'cgroup/web-0', spec: limits('web-0', some), dependsOn: [], origin };
}

/** A provider over the kernel of this machine. */
export function provider(): Provider<CgroupSpec, CgroupState> {
  let now = 0;
  return cgroups({
    updateLimits: (id, resources, signal) => updateLimits(client, id, resources, signal),
    clock: () => (now += 60_000), // a minute after the look before: it asks all
  });
}

/** A world in which this container is that of web-0. */
export function context(id: string, signal: AbortSignal = AbortSignal.timeout(60_000)): Context {
  return { ...contextOf([container('web-0', id)], ['cgroup/web-0']), signal };
}

/** Limits that no engine knows, of a disk or what there is. */
export const MORE: Partial<CgroupSpec> = {
  burst: 250,
  swappiness: 7,
  blockIoLimits: Object.fromEntries(
    (fs.existsSync('/sys/block') ? fs.readdirSync('/sys/block') : [])
      .slice(0, 1)
      .map((name) => [name, { readBytes: 2 ** 20, writeOps: 50 }]),
  ),
};

/** The kernel's file of the container, found as anybody would. */
export async function fileOf(id: string, controller: string, name: string): Promise<string> {
  // find ends with an error where a neighbour's cgroup goes while it looks
  const found = run('find', [`/sys/fs/cgroup/${controller}`, '-type', 'd', '-name', id]);
  const { stdout } = await found.catch((error: unknown) => error as { readonly stdout: string });
  return join(stdout.trim(), name);
}

before(async () => {
  if (NO_V1 !== false) return;
  image = await ensureTestImage();
  client = dockerClient();
});

after(async () => {
  if (made.length > 0) await docker('rm', '-f', ...made);
  if (NO_V1 === false) client.close();
});
