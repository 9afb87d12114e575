import { existsSync } from 'node:fs';
import type { Resources } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Cpuset } from '../../reconciler/model/resources.ts';
import type { DockerClient } from './client.ts';
import { limitsOf } from './spec.ts';
import { statusOf } from './transport.ts';

/**
 * Tells Docker the CPUs and memory nodes of a container: one that runs is moved there, another starts there. Throws CONFLICT
 * (container gone), KNOB_REFUSED.
 */
export async function updateCpuset(
  client: DockerClient,
  containerId: string,
  { cpus, mems }: Cpuset,
  signal: AbortSignal,
): Promise<void> {
  await update(client, containerId, { CpusetCpus: cpus, CpusetMems: mems }, 'cores', signal);
}

/**
 * Changes the limits of a running container through Docker, which then knows them for its next start. Memory and swap go
 * together, since Docker refuses a memory limit above the old sum of both. Throws CONFLICT (container gone), KNOB_REFUSED.
 */
export async function updateLimits(
  client: DockerClient,
  containerId: string,
  resources: Resources,
  signal: AbortSignal,
  cgroupRoot = '/sys/fs/cgroup',
): Promise<void> {
  const body = {
    ...limitsOf(resources),
    // 0 and absence mean "as it is" to Docker
    ...(resources.quota === undefined ? { CpuQuota: -1 } : {}),
    // on cgroup v2 -1 would become memory.low=max, a full protection
    ...(resources.reservation === undefined && !existsSync(`${cgroupRoot}/cgroup.controllers`)
      ? { MemoryReservation: -1 }
      : {}),
  };
  await update(client, containerId, body, 'limits', signal);
}

/**
 * Has Docker let a container stand still or go on, so that it knows. One that Docker believes to be so already, or that it cannot
 * change, stays as it is. Throws DOCKER_UNAVAILABLE.
 */
export async function updateFrozen(
  client: DockerClient,
  containerId: string,
  frozen: boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.containers.act(containerId, frozen ? 'pause' : 'unpause', {}, signal);
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
  }
}

async function update(
  client: DockerClient,
  containerId: string,
  body: object,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.containers.act(containerId, 'update', { body }, signal);
  } catch (error) {
    if (!(error instanceof PlumbError) || statusOf(error) === undefined) throw error;
    const [code, words] =
      statusOf(error) === 404 ? (['CONFLICT', 'is gone'] as const) : (['KNOB_REFUSED', error.message] as const);
    throw new PlumbError(
      code,
      `${what} of container ${containerId.slice(0, 12)}: ${words}`,
      { id: containerId },
      error,
    );
  }
}
